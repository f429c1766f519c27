"""`dlsweep export` to event files, which TensorBoard's own reader reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.commands import Dlsweep

import dlsweep
from dlsweep.exports import events, tensorboard
from dlsweep.exports.tracked import TrackedRun


@pytest.fixture(scope="module")
def log(swept: Dlsweep) -> Path:
    done = swept("export", "results/tiny", "--to", "tensorboard", "-o", "log/tiny")
    assert done.stdout == "log/tiny\n"
    return swept.folder / "log/tiny"


def test_each_run_has_a_folder_with_its_arm_and_seed(log: Path) -> None:
    arms = ("tanh_xavier", "tanh_he", "relu_xavier", "relu_he")
    assert {one.name for one in log.iterdir()} == {f"{arm}_seed_{seed}" for arm in arms for seed in range(3)}
    assert [*log.parent.iterdir()] == [log]


def test_tensorboard_reads_every_scalar_and_the_parameters(swept: Dlsweep, log: Path) -> None:
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is not installed; `make test-export` has it",
    )
    curves = dlsweep.open_results(swept.folder / "results/tiny").curves.query("activation == 'relu' and init == 'he'")
    for seed, own in curves.groupby("seed"):
        reader = accumulators.EventAccumulator(str(log / f"relu_he_seed_{seed}"), size_guidance={"scalars": 0})
        reader.Reload()
        assert reader.Tags()["scalars"] == [
            f"{metric}/{split}" for metric in ("loss", "penalty", "accuracy") for split in ("train", "test")
        ]
        for split, rows in own.groupby("split", observed=True):
            for metric in ("loss", "penalty", "accuracy"):
                read = reader.Scalars(f"{metric}/{split}")
                assert [one.step for one in read] == rows["iteration"].tolist()
                assert [one.value for one in read] == rows[metric].astype(np.float32).tolist()
        (text,) = reader.Tensors("parameters")
        (markdown,) = text.tensor_proto.string_val
        assert "| optimizer.lr | 0.01 |" in markdown.decode()
        assert f"| seed | {seed} |" in markdown.decode()


def test_a_folder_is_replaced_only_by_force_and_only_if_it_has_nothing_else(swept: Dlsweep, log: Path) -> None:
    again = ("export", "results/tiny", "--to", "tensorboard", "-o", "log/tiny")
    assert "log/tiny is not empty; give a new folder, or replace it with --force" in swept(*again, code=2).stderr
    (log / "gone").mkdir()
    swept(*again, "--force")
    assert not (log / "gone").exists()
    (log / "mine.txt").write_text("mine", "utf-8")
    assert "has files of other programs, such as log/tiny/mine.txt" in swept(*again, "--force", code=2).stderr
    (log / "mine.txt").unlink()
    assert "tiny.yaml is not a folder" in swept(*again[:-1], "tiny.yaml", "--force", code=2).stderr
    assert "tensorboard has no tables" in swept(*again, "--table", "curves", code=2).stderr


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_names_of_folders_are_safe_and_different(names: list[str]) -> None:
    runs = [TrackedRun(f"{i:x}", f"{name}, seed 0", "done", 1, {}, {}, []) for i, name in enumerate(names)]
    folders = tensorboard.folder_names(runs)
    assert len({name.casefold() for name in folders}) == len(runs)
    for name in folders:
        assert name == Path(name).name
        assert not name.startswith(".")
        assert not set('/\\:*?"<>|\0') & set(name)
        assert len(name.encode()) < 255


def test_a_checksum_by_hand() -> None:
    assert events.crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    assert events.crc32c(bytes([0xFF] * 32)) == 0x62A8AB43
