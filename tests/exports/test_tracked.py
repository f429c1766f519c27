"""Runs as trackers have them, also of runs that did not end well."""

from __future__ import annotations

from tests.support.commands import Dlsweep

import dlsweep
from dlsweep.exports.tracked import tracked_runs


def test_missing_values_are_left_out_and_names_tell_arm_and_seed(swept: Dlsweep) -> None:
    swept("run", "tiny.yaml", "name=wild", "grid.optimizer.sgd.lr=0.01,1e30", "grid.activation=relu", "grid.init=he",
          "seeds=1", "-q", "-j", "1")  # fmt: skip
    results = dlsweep.open_results(swept.folder / "results/wild")
    done, diverged = tracked_runs(results)
    assert (done.status, diverged.status) == ("done", "diverged")
    assert [run.name for run in (done, diverged)] == [f"{arm}, seed 0" for arm in results.runs["arm"]]
    assert (done.parameters["optimizer.lr"], done.parameters["seed"]) == ("0.01", "0")
    assert "final_test_accuracy" in done.finals
    assert "final_test_accuracy" not in diverged.finals
    for run in (done, diverged):
        own = results.curves[results.curves["run_id"] == run.id]
        assert len(run.scalars) == own[["loss", "penalty", "accuracy"]].notna().sum().sum()
        assert all(value == value for _, _, value in run.scalars)


def test_the_only_arm_of_a_sweep_has_a_name(swept: Dlsweep) -> None:
    changes = ("name=one", "grid.activation=relu", "grid.init=he", "seeds={init: 2, batches: 2}")
    swept("run", "tiny.yaml", *changes, "-q", "-j", "1")
    runs = [*tracked_runs(dlsweep.open_results(swept.folder / "results/one"))]
    assert [run.name for run in runs] == [f"one, seed {n}" for n in range(4)]
    assert [run.parameters["seed_init"] for run in runs] == ["0", "0", "1", "1"]
