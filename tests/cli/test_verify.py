"""`dlsweep verify`: runs trained again have the same bits, and a number that somebody changed is found."""

from __future__ import annotations

import json
from pathlib import Path
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.support.commands import Dlsweep

from dlsweep.storage import parts

EVERYTHING = ["evaluate={every: 5, on: [batch, test], layers: true, keep: final}"]


def changed(folder: Path, table: str, column: str, row: int = 0, by: float = 0.001) -> None:
    """Add to a number in the part of a table that has this row, and give the part the name of its new content."""
    (path, *_) = [p for p in sorted((folder / table).iterdir()) if len(pq.read_table(p)) > row]
    found = pq.read_table(path)
    values = found[column].to_pylist()
    values[row] += by
    position = found.schema.get_field_index(column)
    found = found.set_column(position, found.schema.field(column), pa.array(values, found.schema.field(column).type))
    sink = pa.BufferOutputStream()
    pq.write_table(found, sink, compression="zstd")
    content = bytes(sink.getvalue())
    path.unlink()
    (folder / table / f"{path.name[:16]}-{crc32(content):08x}.parquet").write_bytes(content)


def elsewhere(folder: Path) -> None:
    """Let the parts of runs/ name another machine."""
    for path in (folder / "runs").iterdir():
        table = pq.read_table(path)
        made = json.dumps({"processor": "another", "blas": "openblas 1 (Zen)", "numpy": "2.0"}).encode()
        content = parts.encode_table(table.replace_schema_metadata({**table.schema.metadata, b"made_by": made}))
        path.unlink()
        path.with_name(Path(parts.part_name("runs", path.name[:16], content)).name).write_bytes(content)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_runs_trained_again_have_the_same_bits(dlsweep: Dlsweep, jobs: str) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q", *EVERYTHING)
    done = dlsweep("verify", "results/tiny", "--runs", "12", "-j", jobs)
    assert done.stdout.count("same bits") == 12 + 1
    assert "12 runs of 12 trained again (--sample " in done.stdout
    assert sorted(path.name for path in dlsweep.folder.iterdir()) == ["results", "tiny.npz", "tiny.yaml"]


def test_a_sample_is_random_and_can_be_asked_for_again(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q")
    verify = ["verify", "results/tiny", "--runs", "2", "-j", "1", "--json", "-q"]
    found = json.loads(dlsweep(*verify).stdout)
    assert json.loads(dlsweep(*verify, "--sample", str(found["sample"])).stdout) == found
    others = [json.loads(dlsweep(*verify, "--sample", str(k)).stdout)["runs"] for k in range(3)]
    assert others[0] != others[1] or others[1] != others[2]


@pytest.mark.parametrize(
    ("table", "column", "message"),
    [
        ("runs", "final_test_loss", "final_test_loss in runs/ is "),
        ("curves", "loss", "loss in curves/ (iteration 0, split "),
        ("layers", "gradient_rms", "gradient_rms in layers/ (iteration "),
    ],
)
def test_a_changed_number_with_a_right_checksum_is_found(
    dlsweep: Dlsweep, table: str, column: str, message: str
) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q", *EVERYTHING)
    changed(dlsweep.folder / "results" / "tiny", table, column)
    assert dlsweep("show", "results/tiny").returncode == 0  # nothing else notices
    done = dlsweep("verify", "results/tiny", "--runs", "12", "-j", "1", code=1)
    assert done.stdout.count("  different") == 1
    assert message in done.stdout
    assert "when trained again" in done.stdout
    assert "1 of them differs from the results." in done.stdout


def test_a_sample_that_is_no_number_is_refused(dlsweep: Dlsweep) -> None:
    assert dlsweep("verify", "results", "--sample", "-1", code=2).stderr == "--sample must be at least 0, got -1\n"


def test_a_damaged_part_is_found_whatever_the_sample(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q")
    path = sorted((dlsweep.folder / "results" / "tiny" / "curves").iterdir())[-1]
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    done = dlsweep("verify", "results/tiny", "--runs", "1", "-j", "1", code=4)
    assert "is damaged: it is not as it was written" in done.stderr
    assert "`dlsweep run` sets damaged parts of results/tiny aside and trains their runs again" in done.stderr


def test_on_another_machine_only_what_rounding_cannot_explain_differs(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q", *EVERYTHING)
    folder = dlsweep.folder / "results" / "tiny"
    elsewhere(folder)
    changed(folder, "curves", "loss", by=1e-6)
    done = dlsweep("verify", "results/tiny", "--runs", "12", "-j", "1")
    assert done.stdout.count("  near") == 1
    assert "12 of 12 come from another machine or other versions: 0.02 of a final accuracy" in done.stdout
    changed(folder, "runs", "final_test_loss", by=0.9)
    done = dlsweep("verify", "results/tiny", "--runs", "12", "-j", "1", code=1)
    assert done.stdout.count("  different") == 1


def test_data_that_has_changed_cannot_be_verified(dlsweep: Dlsweep) -> None:
    import numpy as np

    dlsweep("run", "tiny.yaml", "-j", "1", "-q")
    arrays = dict(np.load(dlsweep.folder / "tiny.npz"))
    arrays["x_train"] = arrays["x_train"] + 1
    np.savez(dlsweep.folder / "tiny.npz", **arrays)
    done = dlsweep("verify", "results/tiny", "-j", "1", code=2)
    assert "there is nothing to verify in results/tiny: its data has changed since they were trained" in done.stderr


def test_an_ensemble_is_trained_whole(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q", "evaluate={every: 5, on: [test], ensemble: true}")
    done = dlsweep("verify", "results/tiny", "--runs", "1", "-j", "1")
    assert "3 runs of 12 trained again" in done.stdout


def test_runs_that_diverged_are_verified_too(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q", "grid.optimizer={sgd: {lr: [0.1, 1e20]}}", "seeds=1")
    assert pc.sum(pc.equal(pq.read_table(dlsweep.folder / "results/tiny/runs")["status"], "diverged")).as_py()
    assert "all have the same bits" in dlsweep("verify", "results/tiny", "--runs", "99", "-j", "1").stdout


def test_a_label_that_somebody_changed_is_found(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q")
    folder = dlsweep.folder / "results" / "tiny"
    path = next(p for p in (folder / "runs").iterdir() if len(set(pq.read_table(p)["init"].to_pylist())) > 1)
    found = pq.read_table(path)
    other = {"he": "xavier", "xavier": "he"}
    position = found.schema.get_field_index("init")
    labels = pa.array([other[word] for word in found["init"].to_pylist()]).dictionary_encode()
    content = parts.encode_table(found.set_column(position, found.schema.field(position), labels))
    path.unlink()
    path.with_name(Path(parts.part_name("runs", path.name[:16], content)).name).write_bytes(content)
    done = dlsweep("verify", "results/tiny", "--runs", "12", "-j", "1", code=1)
    assert "init in runs/ is " in done.stdout


def test_runs_from_before_the_config_grew_are_verified(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "grid.init=[he]", "-j", "1", "-q")
    dlsweep("run", "tiny.yaml", "-j", "1", "-q")
    assert "all have the same bits" in dlsweep("verify", "results/tiny", "--runs", "12", "-j", "1").stdout
