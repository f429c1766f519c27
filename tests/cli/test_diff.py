"""`dlsweep diff`: two result sets, paired by arm and seed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests.support.claims import Value, store
from tests.support.commands import Dlsweep

import dlsweep as api
from dlsweep.analysis.diff import diff as compared

REFERENCE = Path(__file__).parents[1] / "reference"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Dlsweep:
    """The command, in a folder with results of one config, of a shorter training, and of other seeds."""
    dlsweep = Dlsweep(tmp_path_factory.mktemp("pair"))
    for name, *changes in [
        ("a", "seeds=10"),
        ("b", "seeds=10"),
        ("short", "seeds=10", "train.iterations=1"),
        ("near", "seeds=10", "grid.optimizer.sgd.lr=0.010001"),
        ("few", "seeds=3"),
        ("others", "seeds=[17, 18]"),
    ]:
        dlsweep("run", "tiny.yaml", f"name={name}", *changes, "plots=[]", "-q", "-j", "1")
    return dlsweep


def data(dlsweep: Dlsweep, a: str, b: str, code: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(dlsweep("diff", f"results/{a}", f"results/{b}", "--json", code=code).stdout)
    return found


def test_the_same_config_gives_the_same_bits(pair: Dlsweep) -> None:
    found = data(pair, "a", "b", 0)
    assert found["outcome"] == "same bits"
    assert found["config"] == []
    assert found["circumstances"] == {}
    assert found["curves"] == {"same_bits": 40, "pairs": 40}
    assert {change["same_bits"] for change in found["changes"]} == {10}
    text = pair("diff", "results/a", "results/b").stdout
    assert "40 of 40 pairs of runs have the same bits" in text
    assert text.endswith("A and B have the same numbers, bit by bit.\n")


def test_a_shorter_training_is_different_and_the_numbers_are_those_of_scipy(pair: Dlsweep) -> None:
    found = data(pair, "a", "short", 1)
    assert found["outcome"] == "different"
    assert found["config"] == ["train.iterations: 20 in A, 1 in B"]
    runs = {name: api.open_results(pair.folder / "results" / name).runs for name in ("a", "short")}
    for change in found["changes"]:
        a, b = (
            frame[frame["arm"] == change["arm"]].sort_values("seed")[change["metric"]].to_numpy()
            for frame in runs.values()
        )
        assert change["difference"] == pytest.approx((b - a).mean())
        assert change["interval"] == pytest.approx(stats.ttest_rel(b, a).confidence_interval())
        if change["outcome"] == "different":
            raw = stats.permutation_test((b - a,), np.sum, permutation_type="samples", n_resamples=10**6).pvalue
            assert raw <= change["p"] <= 0.05
    text = pair("diff", "results/a", "results/short", code=1).stdout
    assert "The configs differ:\n  train.iterations: 20 in A, 1 in B" in text
    assert text.endswith("A and B differ.\n")


def test_many_arms_do_not_hide_a_difference(tmp_path: Path) -> None:
    """28 changes, each the clearest that 10 seeds can show: 28 · 2/2¹⁰ is above 0.05."""
    grid = {"activation": ["relu", "tanh", "sigmoid", "elu", "gelu", "silu", "softplus"], "init": ["he", "xavier"]}

    def value(up: float) -> Value:
        return lambda levels, seed: 0.3 + 0.01 * float(np.sin(seed)) + up

    a, b = (store(tmp_path / name, grid, value(up), seeds=10) for name, up in (("a", 0.0), ("b", 0.4)))
    found = compared(a, b)
    assert len(found.changes) >= 28
    assert {(change.outcome, change.p) for change in found.changes} == {("different", 2 / 2**10)}


def test_few_seeds_decide_nothing(pair: Dlsweep) -> None:
    found = data(pair, "few", "short", 3)
    assert (found["outcome"], found["only_a"], found["only_b"]) == ("undecided", 0, 28)
    text = pair("diff", "results/few", "results/short", code=3).stdout
    assert "28 runs of B are not in A." in text
    assert text.endswith("The seeds do not decide if the runs that A and B share are the same.\n")
    assert data(pair, "a", "few", 0)["outcome"] == "same bits"
    text = pair("diff", "results/a", "results/few").stdout  # a sweep that lacks runs is not the same
    assert text.endswith("The runs that A and B share have the same numbers, bit by bit.\n")


def test_a_training_that_hardly_differs_is_statistically_the_same(pair: Dlsweep) -> None:
    found = data(pair, "a", "near", 0)
    assert found["outcome"] == "same"
    assert found["curves"]["same_bits"] < found["curves"]["pairs"]
    outcomes = [change["outcome"] for change in found["changes"] if change["metric"] == "final_test_loss"]
    assert set(outcomes) == {"same"}
    text = pair("diff", "results/a", "results/near").stdout
    assert text.endswith("statistically the same: no difference is larger than those that count as none.\n")


def test_crossed_seeds_test_nothing(tmp_path: Path) -> None:
    """Sixteen runs of 4 × 4 draws are not sixteen replicates."""
    dlsweep, small = Dlsweep(tmp_path), {"mnist": {"train": 100, "test": 100}}
    for name, lr in (("a", 0.1), ("b", 0.3)):
        grid = {"activation": ["relu"], "optimizer": {"sgd": {"lr": lr}}}
        config = {"name": "x", "data": small, "train": {"iterations": 3}, "grid": grid}
        api.run({**config, "seeds": {"init": 4, "batches": 4}}, output=tmp_path / "results" / name, executor="inline")
    text = dlsweep("diff", "results/a/x", "results/b/x", code=3).stdout
    assert "Runs of crossed seeds share draws, so nothing is tested" in text
    changes = data(dlsweep, "a/x", "b/x", 3)["changes"]
    assert {(change["outcome"], change["p"], *change["interval"]) for change in changes} == {
        ("undecided", 1, None, None)
    }
    assert "crossed" not in dlsweep("diff", "results/a/x", "results/a/x").stdout


def test_runs_that_are_not_in_common_are_refused(pair: Dlsweep) -> None:
    stderr = pair("diff", "results/a", "results/others", code=2).stderr
    assert "results/a and results/others have no runs in common" in stderr
    assert "there are no results in results/nowhere" in pair("diff", "results/a", "results/nowhere", code=2).stderr


def test_the_reference_sweep_has_the_numbers_that_it_had(tmp_path: Path) -> None:
    """Bit by bit where BLAS and NumPy are the same, and statistically the same elsewhere."""
    dlsweep = Dlsweep(tmp_path)
    shutil.copy(REFERENCE / "reference.yaml", tmp_path)
    dlsweep("run", "reference.yaml", "-q", "-j", "1")
    shutil.copytree(REFERENCE / "results", tmp_path / "there")
    done = dlsweep("diff", "there/reference", "results/reference", "--json")
    found = json.loads(done.stdout)
    assert (found["only_a"], found["only_b"], found["config"]) == (0, 0, [])
    same_software = not {"numpy", "blas.version", "blas.architecture"} & found["circumstances"].keys()
    if same_software and "OPENBLAS_CORETYPE" not in os.environ:
        assert found["outcome"] == "same bits", done.stdout
