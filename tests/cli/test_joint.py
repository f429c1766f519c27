"""Several sweeps with the same arms: `show --joint` and `--rank`, and `plot -k ranking`, on made-up final values."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from tests.support.claims import store
from tests.support.commands import Dlsweep
from tests.support.figures import panels

from dlsweep import open_results
from dlsweep.analysis.board import Asked
from dlsweep.analysis.frames import frame_across
from dlsweep.analysis.joint import Ranking, signed_ranks
from dlsweep.analysis.statistics import holm
from dlsweep.plots import plots

ACTIVATIONS = ["relu", "tanh", "sigmoid", "elu"]
TASKS = [f"task{i}" for i in range(8)]


def value(arm: str, task: int, seed: int) -> float:
    """Accuracy: ReLU and ELU change places from task to task, the sigmoid is the worst in all."""
    level = {"relu": 0.8 + 0.02 * (-1) ** task, "elu": 0.8, "tanh": 0.7, "sigmoid": 0.3}[arm]
    return float(level - 0.03 * task + 0.01 * np.sin(7 * seed + 3 * task + ord(arm[0])))


def of_levels(task: int, levels: Mapping[str, str], seed: int) -> float:
    return value(levels["activation"], task, seed)


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Dlsweep:
    """The command beside eight sweeps of the same arms, and one of others."""
    command = Dlsweep(tmp_path_factory.mktemp("joint"))
    for i, name in enumerate(TASKS):
        arms = ACTIVATIONS[::-1] if i % 2 else ACTIVATIONS
        accuracy = partial(of_levels, i)
        store(command.folder / "results", {"activation": arms}, accuracy, name=name, seeds=6)
    store(command.folder / "results", {"init": ["he", "xavier"]}, lambda levels, seed: 0.5, name="other")
    return command


def folders(n: int) -> list[str]:
    return [f"results/{name}" for name in TASKS[:n]]


def test_the_joint_table_has_a_column_per_sweep_and_paired_differences(tasks: Dlsweep) -> None:
    text = tasks("show", *folders(2)).stdout
    assert "\n\nall sweeps\narm " in text
    alone = tasks("show", *folders(2), "--joint").stdout
    assert text.endswith(f"all sweeps\n{alone}")
    rows = list(csv.DictReader(io.StringIO(tasks("show", *folders(2), "--joint", "--csv").stdout)))
    assert [row["arm"] for row in rows] == ["relu", "elu", "tanh", "sigmoid"]
    for i, name in enumerate(TASKS[:2]):
        of = {arm: np.array([value(arm, i, seed) for seed in range(6)]) for arm in ACTIVATIONS}
        for row in rows:
            d = of[row["arm"]] - of["relu"]
            assert float(row[name]) == pytest.approx(of[row["arm"]].mean(), abs=1e-6)
            assert float(row[f"{name}_difference"]) == pytest.approx(d.mean(), abs=1e-6)
            if row["arm"] != "relu":
                ends = stats.t.interval(0.95, 5, d.mean(), stats.sem(d))
                found = [float(row[f"{name}_difference_{end}"]) for end in ("low", "high")]
                assert found == pytest.approx(ends, abs=1e-6)
    told = json.loads(tasks("show", *folders(2), "--joint", "--json").stdout)
    assert told["reference"] == "relu"
    assert [one["name"] for one in told["sweeps"]] == TASKS[:2]
    assert told["arms"][1]["sweeps"][1]["mean"] == pytest.approx(float(rows[1]["task1"]))


def test_options_and_other_forms_of_the_joint_table(tasks: Dlsweep) -> None:
    found = tasks("show", *folders(3), "--joint", "--reference", "activation=tanh", "-y", "test_loss").stdout
    assert "minus tanh" in found.splitlines()[0]
    assert "final_test_loss of the arms that 3 sweeps share" in found
    assert tasks("show", *folders(2), "--joint", "--md").stdout.startswith("| arm | task0 | minus relu | task1 |")
    assert "\\begin{tabular}" in tasks("show", *folders(2), "--joint", "--latex").stdout
    some = tasks("show", *folders(2), "--joint", "activation=tanh", "activation=relu").stdout
    assert "elu " not in some.replace("relu", "")


def test_sweeps_that_share_no_arms(tasks: Dlsweep) -> None:
    assert "all sweeps" not in tasks("show", "results/task0", "results/other").stdout
    told = tasks("show", "results/task0", "results/other", "--joint", code=2).stderr
    assert "a joint table needs two sweeps that share two arms; results/task0, results/other share 0 arms" in told
    assert "got 4" in tasks("show", *folders(4), "--rank", code=2).stderr
    assert "a ranking needs 5 sweeps" in tasks("plot", *folders(4), "-k", "ranking", code=2).stderr
    assert "a ranking needs 5 sweeps" in tasks("plot", "results/task0", "-k", "ranking", code=2).stderr


def test_ranks_and_tests_against_scipy(tasks: Dlsweep) -> None:
    told = json.loads(tasks("show", *folders(8), "--rank", "--json").stdout)
    means = np.array([[open_results(tasks.folder / f).runs.groupby("arm", observed=True)["final_test_accuracy"].mean()[
        arm] for f in folders(8)] for arm in ACTIVATIONS])  # fmt: skip
    ranks = dict(zip(ACTIVATIONS, stats.rankdata(-means, axis=0)))
    for arm in told["arms"]:
        assert arm["ranks"] == ranks[arm["arm"]].tolist()
        assert arm["mean_rank"] == pytest.approx(ranks[arm["arm"]].mean())
    p = {
        frozenset([a, b]): stats.wilcoxon(means[i], means[j], method="exact").pvalue
        for (i, a), (j, b) in combinations(enumerate(ACTIVATIONS), 2)
    }
    corrected = dict(zip(p, holm([*p.values()])))
    for pair in told["pairs"]:
        key = frozenset([pair["first"], pair["second"]])
        assert (pair["p"], pair["p_holm"]) == pytest.approx((p[key], corrected[key]))
    text = tasks("show", *folders(8), "--rank").stdout
    assert text.splitlines()[0].split()[:3] == ["arm", "mean", "rank"]
    assert "Ranks of final_test_accuracy over 8 tasks, 1 for the best; the task is the unit." in text
    assert "tanh from sigmoid" in text
    assert "No pair can be distinguished" in tasks("show", *folders(5), "--rank").stdout


def test_the_figure_of_ranks_joins_arms_that_are_not_distinguished(tasks: Dlsweep) -> None:
    (path,) = tasks("plot", *folders(8), "-k", "ranking", "-o", "ranks.png").stdout.split()
    assert (tasks.folder / path).stat().st_size > 10_000
    pairs = frame_across([open_results(tasks.folder / f) for f in folders(8)], "ranks")
    chart = plots["ranking"](pairs)
    (ax,) = panels(chart.figure)
    (dots,) = [line for line in ax.lines if line.get_label() == "mean rank"]
    assert np.asarray(dots.get_xdata()).tolist() == [1.5, 1.5, 3.0, 4.0]
    (joined,) = [line for line in ax.lines if line.get_label() == "not distinguished"]
    assert np.round(np.asarray(joined.get_ydata())).tolist() == [0, 1]
    assert {label.get_text() for label in ax.get_yticklabels()} == set(ACTIVATIONS)
    assert "cannot distinguish" not in chart.caption
    few = frame_across([open_results(tasks.folder / f) for f in folders(5)], "ranks")  # a line over all says nothing
    assert "5 tasks cannot distinguish any pair; 8 can." in plots["ranking"](few).caption


def test_ranks_of_differences_with_ties_zeros_and_infinities() -> None:
    assert signed_ranks([0.5, -0.5, 0.0, np.inf, -2.0]).tolist() == [2.5, -2.5, 0.0, 5.0, -4.0]


def test_an_arm_without_a_mean_is_last(tmp_path: Path) -> None:
    sweeps = [
        store(
            tmp_path,
            {"init": ["he", "xavier"]},
            lambda levels, seed: 0.5,
            ended=lambda levels, seed: "diverged" if levels["init"] == "he" and seed == 0 else "done",
            name=name,
        )
        for name in TASKS[:5]
    ]
    found = Ranking.of(sweeps, Asked(["test_loss"]))
    assert (found.arms, found.ranks.tolist()) == (["xavier", "he"], [[1.0] * 5, [2.0] * 5])
    assert found.pairs["p"].tolist() == [0.0625]
