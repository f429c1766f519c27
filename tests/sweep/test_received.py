"""A results folder from somebody else: a record and parts with right checksums and wrong content (fault 24)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support import commands
from tests.support.sweeps import Bits, Make

import dlsweep
from dlsweep.analysis.predictions import correctness
from dlsweep.errors import ResultsDamaged
from dlsweep.storage import parts
from dlsweep.storage.results import Results

SURROGATE = "\ud800"


@pytest.fixture
def results(make: Make, tmp_path: Path) -> Results:
    return dlsweep.run(make(), output=tmp_path / "out", executor="inline")


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


CLAIM = {"name": "A", "relation": "above", "arms": [{"init": ["he"]}], "metric": "final_test_loss"}

CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "levels.init": lambda c: c["levels"].update(init=True),
    "tables.factors.0": lambda c: c["tables"]["factors"].insert(0, []),
    "seeds": lambda c: c["config"].update(seeds=10**9),
    "surrogates not allowed": lambda c: c["config"]["data"].update(a=SURROGATE),
    "nested too deeply": lambda c: c["config"]["data"].update(a=nested(100)),
    "levels are not those of its factors": lambda c: c["levels"].pop("init"),
    "has a level twice": lambda c: c["levels"]["init"].append("he"),
    "tables.task": lambda c: c["tables"].update(task="regression"),
    "tables.splits has 'x'": lambda c: c["tables"]["splits"].append("x"),
    "plots.0.settings": lambda c: c["plots"].append({"name": "curves", "settings": 3}),
    "sessions": lambda c: c.update(sessions="x"),
    "config": lambda c: c.update(config=[]),
    "it does not have the fields of a record": lambda c: c.update(tables=None),
    "seeds: Field required": lambda c: c["config"].pop("seeds"),
    "claims": lambda c: c.update(claims=5),
    "claims.0.relation": lambda c: c.update(claims=[CLAIM | {"relation": "wins"}]),
    "claims.0.expect": lambda c: c.update(claims=[CLAIM | {"expect": "true"}]),
    "claims.0.arms": lambda c: c.update(claims=[CLAIM | {"arms": "he"}]),
    "the claim 'A' does not fit this sweep": lambda c: c.update(claims=[CLAIM | {"arms": [{"init": ["lecun"]}]}]),
    "the claim 'B' does not fit this sweep": lambda c: c.update(claims=[CLAIM | {"name": "B", "arms": []}]),
    "the claim 'C' does not fit this sweep": lambda c: c.update(claims=[CLAIM | {"name": "C", "margin": math.nan}]),
    "the claim 'D\\n' does not fit this sweep": lambda c: c.update(claims=[CLAIM | {"name": "D\n"}]),
    "there is no metric 'x'": lambda c: c.update(claims=[CLAIM | {"metric": "x"}]),
    "two have the same name": lambda c: c.update(claims=[CLAIM, CLAIM]),
    "its late or removed claims are not those of the sweep": lambda c: c.update(late=["E"]),
    "alpha is 2": lambda c: c.update(alpha=2),
}


@pytest.mark.parametrize("reason", CHANGES)
def test_a_record_of_wrong_types_is_not_used(results: Results, reason: str) -> None:
    path = results.folder / "sweep.json"
    content = json.loads(path.read_text())
    del content["checksum"]
    CHANGES[reason](content)
    checksum = blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()
    path.write_text(json.dumps({**content, "checksum": checksum}))
    (results.folder / "sweep.yaml").unlink()  # nothing to make it again from
    with pytest.raises(ResultsDamaged, match=r"sweep\.json is damaged, or not made by dlsweep: ") as caught:
        dlsweep.open_results(results.folder)
    assert reason.split(".")[-1] in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_record_that_no_parser_should_follow(results: Results) -> None:
    (results.folder / "sweep.json").write_text('{"schema_version": 2, "config": ' + "[" * 200_000)
    (results.folder / "sweep.yaml").unlink()
    done = commands.dlsweep("show", results.folder, folder=results.folder)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(f"{results.folder}/sweep.json is damaged, or not made by dlsweep: it is nested too ")


def test_labels_that_the_record_does_not_have(results: Results) -> None:
    """A record without a checksum, as older versions wrote it, with a flipped bit."""
    path = results.folder / "sweep.json"
    content = json.loads(path.read_text())
    del content["checksum"]
    content["levels"]["activation"][0] = "rdlu"
    path.write_text(json.dumps({**content, "schema_version": 1}))
    with pytest.raises(ResultsDamaged, match=r"sweep\.json has no activation 'relu', and there are runs with it"):
        _ = dlsweep.open_results(results.folder).runs


def column(name: str, value: Any) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        i = table.schema.get_field_index(name)
        values = pa.array([value] * len(table), pa.string() if isinstance(value, str) else table.schema.field(i).type)
        return table.set_column(i, table.schema.field(i), pa.chunked_array([values]).cast(table.schema.field(i).type))

    return change


CONTENTS: dict[tuple[str, str], Callable[[pa.Table], pa.Table]] = {
    ("runs", "its rows are not those of the runs in its name"): lambda t: t.slice(0, 0),
    ("runs", "its rows are not those of the runs"): column("run_id", "0" * 16),
    ("runs", "it has the status 'ready'"): column("status", "ready"),
    ("runs", "no classes"): column("classes", 0),
    ("runs", "it has no seed for some runs"): column("seed", None),
    ("runs", "it has no init for some runs"): lambda t: pa.concat_tables([column("init", None)(t[:1]), t[1:]]),
    ("runs", "a negative number of iterations"): column("iterations", -1),
    ("curves", "it has rows of other runs or iterations"): column("run_id", "0" * 16),
    ("curves", "it has rows of other runs or iterations "): column("iteration", 7),
    ("curves", "it has rows without a run, an arm, an iteration, a split or a layer"): column("split", None),
    ("curves", "the curve of a run does not reach its end"): lambda t: t.slice(0, 0),
    ("curves", "the curve of a run does not reach its end "): lambda t: t.slice(0, len(t) - 2),
    ("curves", "the curve of a run does not reach its  end"): lambda t: t.slice(0, len(t) - 1),
    ("curves", "it has 1,000,008 rows, and its runs have at most"): lambda t: t.take(
        np.arange(1_000_008) // 1_000_000 * np.arange(1_000_008) % len(t)
    ),
    ("predictions", "its rows are not those of the runs that ended well"): column("run_id", "0" * 16),
    ("predictions", "its rows are not those of the runs that ended well "): lambda t: t.slice(0, len(t) - 1),
    ("predictions", "its rows are not those of the runs that ended  well"): lambda t: pa.concat_tables([t[1:], t[1:2]]),
    ("predictions", "its rows are of another split"): column("split", "train"),
    ("predictions", "it has not one class for each image"): column("predicted", b""),
    ("predictions", "it has not one class for each image "): column("predicted", None),
    ("predictions", "it has not one class for each  image"): lambda t: pa.concat_tables(
        [t[1:], column("predicted", bytes(29))(t[:1])]
    ),
    ("predictions", "it has a class that the data does not have"): column("predicted", bytes([3] * 30)),
}


def replace(results: Results, table: str, change: Callable[[pa.Table], pa.Table]) -> Path:
    """Replace a part by another with its own checksum; return its path."""
    old = min((results.folder / table).iterdir())
    content = parts.encode_table(change(pq.ParquetFile(old).read()))
    old.unlink()
    new = results.folder / parts.part_name(table, parts.key(f"{table}/{old.name}"), content)
    new.write_bytes(content)
    return new


@pytest.mark.parametrize(("table", "reason"), CONTENTS)
def test_a_part_of_wrong_content_is_set_aside_as_the_message_says(
    make: Make, results: Results, bits: Bits, table: str, reason: str
) -> None:
    whole = bits(results)
    path = replace(results, table, CONTENTS[table, reason])
    with pytest.raises(ResultsDamaged) as caught:
        _ = getattr(dlsweep.open_results(results.folder), table)
    assert str(caught.value).startswith(f"{path} is damaged: ")
    assert reason.replace("  ", " ").strip() in str(caught.value)
    assert str(caught.value).endswith("; `dlsweep run` sets it aside and trains its runs again")
    assert bits(dlsweep.run(make(), output=results.folder.parent, executor="inline")) == whole
    assert (results.folder / "quarantine" / table / path.name).exists()


@pytest.mark.parametrize("forged", [bytes(30), bytes(60)])
def test_predictions_that_contradict_the_accuracy_of_their_run(results: Results, forged: bytes) -> None:
    replace(results, "predictions", column("predicted", forged))
    again = dlsweep.open_results(results.folder)
    assert again.predictions["predicted"].map(len).max() == len(forged)
    with pytest.raises(ResultsDamaged, match=r"the predictions of the run [0-9a-f]{16} contradict its accuracy"):
        correctness(again)


def test_metadata_of_other_programs_is_not_read(results: Results, bits: Bits) -> None:
    whole = bits(results)
    for table in ("runs", "curves", "predictions"):
        replace(results, table, lambda t: t.replace_schema_metadata({**t.schema.metadata, b"pandas": b"{"}))
    again = dlsweep.open_results(results.folder)
    assert bits(again) == whole
    assert len(again.curves) == len(results.curves)
