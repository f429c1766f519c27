"""`dlsweep effects` as a user has it, and the numbers behind it on real sweeps."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from tests.support.commands import Dlsweep

import dlsweep as api
from dlsweep.analysis.effects import Effects
from dlsweep.analysis.luck import Luck
from dlsweep.analysis.statistics import Replication, holm, interval
from dlsweep.errors import UsageError


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Dlsweep:
    """The command, in a folder with the results of sweeps: complete, with a gap, crossed seeds, diverged, one arm."""
    dlsweep = Dlsweep(tmp_path_factory.mktemp("effects"))
    for name, *changes in (
        ("complete", "seeds=6", "grid.regularizer=none,{l2: 0.1}"),
        ("gap", "seeds=6", "exclude=[{activation: relu, init: he}]"),
        ("crossed", "seeds={init: 3, batches: 4}", "grid.init=he"),
        ("diverged", "grid.optimizer={sgd: {lr: [0.1, 1e30]}}"),
        ("moving", "seeds=2", "grid={activation: [relu, tanh], 'optimizer, optimizer.lr': [[sgd, 0.1], [adam, 0.01]]}"),
        ("single", "grid={activation: relu}"),
    ):
        dlsweep("run", "tiny.yaml", f"name={name}", *changes, "-q", "-j", "1")
    return dlsweep


def results(finished: Dlsweep, name: str) -> api.storage.results.Results:
    return api.open_results(finished.folder / "results" / name)


def test_the_numbers_of_a_complete_grid(finished: Dlsweep) -> None:
    found = results(finished, "complete").effects("test_loss")
    assert isinstance(found, Effects)
    assert (found.metric, found.n, found.complete) == ("final_test_loss", 6, True)
    table = found.table.set_index("effect")
    main = ["activation", "init", "regularizer"]
    pairs = ["activation × init", "activation × regularizer", "init × regularizer"]
    rest = ["interactions of more factors", "seed", "effects × seed"]
    assert table.index.tolist() == [*main, *pairs, *rest]
    assert table["share"].sum() == pytest.approx(1)
    assert table["adjusted"].dropna().tolist() == holm(table["p"].dropna().to_numpy()).tolist()

    cells = results(finished, "complete").runs.groupby([*main, "seed"], observed=True)["final_test_loss"].first()
    wide = cells.unstack("activation")
    by_seed = wide.groupby("seed").mean()
    difference = by_seed["tanh"] - by_seed["relu"]
    assert table.loc["activation", "squares"] == pytest.approx(24 * 2 * (difference.mean() / 2) ** 2)
    levels = found.levels[found.levels["factor"] == "activation"].set_index("level")
    assert levels["mean"].to_dict() == pytest.approx(by_seed.mean().to_dict())
    assert levels["difference"].to_dict() == pytest.approx(
        {"tanh": difference.mean() / 2, "relu": -difference.mean() / 2}
    )
    np.testing.assert_allclose(levels.loc["tanh", ["low", "high"]].astype(float), interval(difference / 2))
    means = found.means["activation", "init"]
    expected = cells.groupby(["activation", "init"], observed=True).mean().unstack()
    np.testing.assert_allclose(means, expected.loc[means.index, means.columns])


def test_the_table_and_its_forms(finished: Dlsweep) -> None:
    done = finished("effects", "results/complete")
    lines = done.stdout.splitlines()
    assert lines[0] == "effects on final test accuracy"
    assert lines[2].split("  ")[0] == "effect"
    assert "adjusted after Holm over 6 rows" in done.stdout
    assert "with 6 seeds no p-value is below 0.031; 8 seeds can decide all rows at 0.05" in done.stdout
    found = results(finished, "complete").effects()
    rows = list(csv.DictReader(finished("effects", "results/complete", "--csv").stdout.splitlines()))
    assert [row["effect"] for row in rows] == found.table["effect"].tolist()
    assert [float(row["share"]) for row in rows] == found.table["share"].tolist()
    (told,) = json.loads(finished("effects", "results/complete", "--json").stdout)
    assert told["effects"][0]["p"] == found.table["p"][0]
    assert told["effects"][-1]["p"] is None
    assert {level["factor"] for level in told["levels"]} == {"activation", "init", "regularizer"}
    assert "| activation × init |" in finished("effects", "results/complete", "--md").stdout
    assert r"activation $\times$ init &" in finished("effects", "results/complete", "--latex").stdout
    higher = finished("effects", "results/complete", "--order", "3", "-y", "auc_test_accuracy").stdout
    assert "activation × init × regularizer" in higher
    assert "interactions of more" not in higher
    alternatives = finished("effects", "results/complete", "--csv", "--md", code=2)
    assert "choose one of --csv and --md" in alternatives.stderr


def test_a_grid_with_a_gap_has_simple_effects_only(finished: Dlsweep) -> None:
    found = results(finished, "gap").effects()
    assert isinstance(found, Effects)
    assert not found.complete
    assert found.levels.empty
    assert found.table[["effect", "where"]].to_numpy().tolist() == [
        ["activation", "init=xavier"],
        ["init", "activation=tanh"],
    ]
    shown = finished("effects", "results/gap").stdout
    assert "the grid has 3 of 4 combinations with values: only the effect of each factor at fixed levels" in shown


def test_factors_that_move_together_are_one(finished: Dlsweep) -> None:
    found = results(finished, "moving").effects()
    assert found.table["effect"].tolist()[:2] == ["activation", "optimizer, optimizer.lr"]


def test_diverged_runs_count_at_chance_or_are_refused(finished: Dlsweep) -> None:
    sweep = results(finished, "diverged")
    found = sweep.effects()
    diverged = int((sweep.runs["status"] == "diverged").sum())
    assert diverged > 0
    assert f"{diverged} of {len(sweep.runs)} runs diverged and count at chance" in found.notes
    refused = finished("effects", "results/diverged", "-y", "test_loss", code=2)
    assert "have no finite final test loss" in refused.stderr
    assert "an accuracy counts diverged runs at chance" in refused.stderr


def test_nothing_to_compare(finished: Dlsweep) -> None:
    assert "no factor varies" in finished("effects", "results/single", code=2).stderr
    assert "did you mean" in finished("effects", "results/complete", "-y", "test_acuracy", code=2).stderr


def test_a_failed_run_leaves_its_seed_out(finished: Dlsweep) -> None:
    sweep = results(finished, "complete")
    runs = sweep.runs.assign(status=sweep.runs["status"].astype(str))
    runs.loc[3, "status"] = "failed"
    runs.loc[3, [c for c in runs if str(c).startswith("final_")]] = np.nan
    seed = int(runs["seed"].iloc[3])
    sweep.__dict__["runs"] = runs
    found = sweep.effects()
    assert isinstance(found, Effects)
    assert found.n == 5
    assert f"left out: seed {seed}, with no value in some arm" in found.notes


def test_sources_of_luck(finished: Dlsweep) -> None:
    sweep = results(finished, "crossed")
    found = sweep.effects()
    assert isinstance(found, Luck)
    assert found.crossed == {"init": 3, "batches": 4}
    assert found.table["source"].tolist() == ["init", "batches", "init × batches"] * 2
    for arm, rows in found.table.groupby("arm", sort=False):
        assert rows["share"].sum() == pytest.approx(1)
        values = sweep.runs[sweep.runs["arm"] == arm]["final_test_accuracy"].to_numpy().reshape(3, 4)
        init = values.mean(axis=1).var(ddof=1) - _interaction(values) / 4
        assert rows["variance"].iloc[0] == pytest.approx(max(0.0, init))
        assert rows["negative"].iloc[0] == (init < 0)
        assert (rows["low"] <= rows["share"]).all()
        assert (rows["share"] <= rows["high"]).all()
        assert rows["remaining"].notna().all()
    shown = finished("effects", "results/crossed").stdout
    assert "sources of luck in final test accuracy" in shown
    assert "varied: initial weights and order of the minibatches; held: " in shown
    assert "dropout" not in shown, "nothing draws from it"
    assert "fewer than 10 seeds of initial weights and order of the minibatches" in shown
    assert "initial weights × order of the minibatches" in shown
    assert "remaining" not in finished("effects", "results/crossed", "-y", "test_loss").stdout
    (told,) = json.loads(finished("effects", "results/crossed", "--json").stdout)
    assert [row["source"] for row in told["sources"]] == found.table["source"].tolist()


def _interaction(values: np.ndarray) -> float:
    rest = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    return float(np.square(rest).sum() / ((values.shape[0] - 1) * (values.shape[1] - 1)))


def test_the_unit_of_crossed_seeds_is_not_the_combination(finished: Dlsweep) -> None:
    """The table and the summary give the interval of the variance components, and the figure says so."""
    sweep = results(finished, "crossed")
    row = api.summary(sweep, ["final_test_accuracy"]).iloc[0]
    values = sweep.runs[sweep.runs["arm"] == row["arm"]]["final_test_accuracy"].to_numpy()
    low, high = interval(values, replication=Replication({"init": 3, "batches": 4}), bounds=(0, 1))
    assert (row["final_test_accuracy_low"], row["final_test_accuracy_high"]) == (low, high)
    chart = sweep.plot("final")[0]
    assert "Mean of 3 seeds of init × 4 of batches with its 95 % interval over these sources of chance" in chart.caption
    assert chart.data["low"].iloc[0] == low
    assert "3 seeds of init × 4 of batches" in " ".join(text.get_text() for text in chart.figure.texts)
    curve = sweep.plot("curves")[0]
    assert "3 seeds of init × 4 of batches" in curve.caption


def test_plain_seeds_tell_no_sources_apart(finished: Dlsweep) -> None:
    from dlsweep.analysis.luck import luck

    with pytest.raises(UsageError, match="are not crossed, so they cannot be told apart"):
        luck(results(finished, "complete"))


def test_folders_and_levels(finished: Dlsweep) -> None:
    part = finished("effects", "results/complete", "results/moving", "activation=relu", "init=he,xavier")
    assert "complete (results/complete)" not in part.stdout, "a single sweep has these levels"
    assert [line.split("  ")[0] for line in part.stdout.splitlines()[2:6]] == [
        "effect",
        "init",
        "regularizer",
        "init × regularizer",
    ]
    assert "init has no level 'xavier' in results/moving (choices: he)" in part.stderr
    found = results(finished, "complete").effects(where={"activation": "relu"})
    assert isinstance(found, Effects)
    assert found.table["effect"].tolist()[:2] == ["init", "regularizer"]
    luck = results(finished, "crossed").effects(where={"activation": "relu"})
    assert luck.table["activation"].unique().tolist() == ["relu"]


def test_several_sweeps(finished: Dlsweep) -> None:
    done = finished("effects", "results")
    for name in ("complete", "gap", "crossed"):
        assert f"{name} (results/{name})" in done.stdout
    assert "no factor varies" in done.stderr
    names = {row["sweep"] for row in csv.DictReader(finished("effects", "results", "--csv").stdout.splitlines())}
    assert names == {"complete", "gap", "crossed", "diverged", "moving"}
