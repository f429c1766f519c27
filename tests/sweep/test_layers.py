"""The measurements of layers on disk: a table of their own where they are asked for, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from tests.support import commands
from tests.support.sweeps import Bits, Make

import dlsweep
from dlsweep.errors import ResultsDamaged, UsageError
from dlsweep.nn.initializers import initializers
from dlsweep.storage.results import Results

EVALUATE = {"every": 2, "on": ["batch", "test"], "layers": True}
NUMBERS = ["weight_norm", "gradient_rms", "update_ratio", "activation_mean", "activation_std"]
SHARES = ["saturated", "dead", "sparsity"]
HISTOGRAMS = [f"{of}_{what}" for of in ("activation", "weight") for what in ("low", "high", "histogram")]


def run(config: dict[str, Any], output: Path, **options: Any) -> Results:
    return dlsweep.run(config, output=output, **{"executor": "inline", **options})


def test_the_command_writes_a_row_per_run_iteration_and_layer(make: Make, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(make()), encoding="utf-8")
    done = commands.dlsweep("run", "tiny.yaml", "evaluate.layers=true", "-q", "-j", "2", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    plain = pd.read_parquet(tmp_path / "results/tiny/layers")
    results = dlsweep.open_results(tmp_path / "results/tiny")
    layers = results.layers
    factors = results.record.tables.factors
    expected = ["run_id", "arm", *factors, "seed", "iteration", "layer", *NUMBERS, *SHARES, *HISTOGRAMS]
    assert list(plain.columns) == list(layers.columns) == expected
    assert len(plain) == len(layers) == 12 * 4 * 2
    assert layers["run_id"].astype(str).drop_duplicates().tolist() == results.runs["run_id"].tolist()
    assert layers["iteration"].tolist() == [0, 0, 2, 2, 4, 4, 6, 6] * 12
    assert layers["layer"].tolist() == ["dense1", "dense2"] * 48
    assert layers["update_ratio"].isna().tolist() == (layers["iteration"] == 0).tolist()
    assert layers[[*NUMBERS[:2], *NUMBERS[3:], *SHARES]].notna().all(axis=None)
    assert layers[SHARES].apply(lambda share: share.between(0, 1)).all(axis=None)
    for of, counted in {
        "activation": {"dense1": 4 * 5, "dense2": 3 * 5},
        "weight": {"dense1": 4 * 6, "dense2": 12},
    }.items():
        assert {len(counts) for counts in layers[f"{of}_histogram"]} == {30}
        assert [sum(counts) for counts in layers[f"{of}_histogram"]] == layers["layer"].astype(str).map(
            counted
        ).tolist()
        assert (layers[f"{of}_low"] < layers[f"{of}_high"]).all()


def test_without_them_there_is_no_table_and_all_else_is_the_same(make: Make, tmp_path: Path) -> None:
    plain, probed = run(make(), tmp_path / "plain"), run(make(evaluate=EVALUATE), tmp_path / "probed")
    assert not (plain.folder / "layers").exists()
    with pytest.raises(UsageError, match=r"tiny has no measurements of layers; train with evaluate\.layers: true"):
        _ = plain.layers
    pd.testing.assert_frame_equal(plain.curves.drop(columns="run_id"), probed.curves.drop(columns="run_id"))
    assert not set(plain.runs["run_id"]) & set(probed.runs["run_id"])  # they must train again to have them
    with pytest.raises(UsageError, match=r"evaluate\.layers: false there, true now"):
        run(make(evaluate=EVALUATE), tmp_path / "plain")


def test_the_same_bits_in_small_chunks_and_in_workers(make: Make, tmp_path: Path, bits: Bits) -> None:
    config = make(evaluate=EVALUATE, grid={"optimizer": {"sgd": {"lr": [0.1, 1e30]}}})
    whole = bits(run(config, tmp_path / "whole"))
    assert "layers.weight_histogram" in whole
    assert bits(run(config, tmp_path / "small", max_memory=1)) == whole
    assert bits(run(config, tmp_path / "workers", executor="processes", jobs=2)) == whole


@pytest.mark.parametrize("table", ["layers", "ensembles"])
@pytest.mark.parametrize("damage", ["flipped", "gone"])
def test_a_damaged_part_is_never_read_and_its_runs_train_again(
    make: Make, tmp_path: Path, bits: Bits, damage: str, table: str
) -> None:
    config = make(evaluate=EVALUATE | {"ensemble": True})
    first = run(config, tmp_path)
    whole = bits(first)
    part = sorted((first.folder / table).iterdir())[0]
    content = bytearray(part.read_bytes())
    content[100] ^= 1
    part.write_bytes(content)
    if damage == "gone":
        part.unlink()
    with pytest.raises(ResultsDamaged, match=r"trains (its|their) runs again"):
        _ = getattr(dlsweep.open_results(first.folder), table)
    assert bits(run(config, tmp_path)) == whole


@pytest.fixture
def failing() -> Iterator[None]:
    """An initializer that raises."""

    @initializers.register
    def failing(draw: Any, shape: Any, fan_in: Any, fan_out: Any) -> Any:
        """Registered by a test."""
        raise RuntimeError("no weights")

    yield
    del initializers._entries["failing"]


@pytest.mark.usefixtures("failing")
def test_a_failed_run_has_no_rows_and_costs_no_other_its_own(make: Make, tmp_path: Path) -> None:
    results = run(make(evaluate=EVALUATE, grid={"init": ["failing", "he"]}), tmp_path)
    assert results.runs.groupby("status", observed=True).size().to_dict() == {"done": 6, "failed": 6}
    assert set(results.layers["init"]) == {"he"}
    assert len(results.layers) == 6 * 4 * 2


def test_the_dry_run_counts_the_table(make: Make, tmp_path: Path) -> None:
    """On a sweep that is large enough for its rows to weigh more than what is around them."""
    config = make(
        name="long",
        model={"mlp": {"hidden": [4, 4, 4]}},
        train={"iterations": 200, "batch_size": 5},
        evaluate={"every": 1, "on": ["test"], "layers": True},
        seeds=10,
    )
    forecast = dlsweep.dry_run(config, output=tmp_path, executor="inline")
    results = run(config, tmp_path)
    written = sum(path.stat().st_size for path in results.folder.rglob("*.parquet"))
    assert written / 1.5 < forecast.disk < written * 1.5
