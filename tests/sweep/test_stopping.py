"""Runs that stopped early, on disk and in what is told of them: trained, counted, and not trained again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support import commands
from tests.support.sweeps import Make

import dlsweep
from dlsweep.analysis.closing import closing_data, closing_table
from dlsweep.storage.results import Results


@pytest.fixture
def early(make: Make) -> dict[str, Any]:
    """Runs that wait for a loss to fall; those of patience 2 do so in vain before the end."""
    train = {"iterations": 300, "batch_size": 5, "monitor": "test_loss", "min_delta": 0.01}
    grid = {
        "activation": ["relu"],
        "init": ["he"],
        "optimizer": {"sgd": {"lr": 0.5}},
        "train.patience": [None, 2],
        "train.restore_best": [True, False],
    }
    return make(train=train, evaluate={"every": 10, "on": ["train", "test"]}, grid=grid)


@pytest.fixture
def results(early: dict[str, Any], tmp_path: Path) -> Results:
    return dlsweep.run(early, output=tmp_path, executor="inline")


def test_final_metrics_are_those_of_the_last_improvement(results: Results) -> None:
    runs, curves = results.runs, results.curves
    assert set(runs["train.restore_best"]) == {"-", "true", "false"}
    assert len(runs) == 9  # without patience there is nothing to restore: two arms are one
    for _, run in runs.iterrows():
        curve = curves[(curves["run_id"] == run["run_id"]) & (curves["split"] == "test")].set_index("iteration")
        assert curve.index[-1] == run["iterations"]
        best, best_at = float("inf"), 0
        for t, loss in curve["loss"].items():
            if loss < best - 0.01:
                best, best_at = loss, t
        restored = run["train.restore_best"] == "true"
        assert run["final_test_loss"] == (best if restored else curve["loss"].iloc[-1])
        assert run["final_test_accuracy"] == curve["accuracy"].loc[best_at if restored else run["iterations"]]
        assert run["last_test_loss"] == curve["loss"].iloc[-1]
    assert (runs.loc[runs["train.patience"] == "null", "status"] == "done").all()
    stopped = runs[runs["train.patience"] == "2"]
    assert (stopped["status"] == "stopped").all()
    assert (stopped["iterations"] < 300).all()


def test_stopped_runs_count_and_are_told(results: Results) -> None:
    header, *rows = closing_table(results).splitlines()
    assert header.split()[-3:] == ["n", "stopped", "seconds"]
    assert sorted(row.split()[-3:-1] for row in rows[:3]) == [["3", "0"], ["3", "3"], ["3", "3"]]
    told = closing_data(results)
    assert told["runs"] == {"total": 9, "done": 3, "diverged": 0, "stopped": 6, "failed": 0}
    assert [arm["stopped"] for arm in told["arms"]] == [0, 3, 3]


def test_stopped_runs_are_not_trained_again(early: dict[str, Any], results: Results, tmp_path: Path) -> None:
    (tmp_path / "early.yaml").write_text(yaml.safe_dump(early))
    command = ("run", "early.yaml", "-o", ".")
    again = commands.dlsweep(*command, "--retry", "-j", "1", folder=tmp_path)
    assert again.returncode == 0
    assert "9 of 9 runs are done already" in again.stderr
    told = commands.dlsweep(*command, "--dry-run", folder=tmp_path)
    assert "9 runs in 1 stack, 9 done, 0 to train" in told.stdout
    assert "may stop early" not in told.stderr
    anew = commands.dlsweep(*command, "--dry-run", "--force", folder=tmp_path)
    assert "may stop early" in anew.stderr
