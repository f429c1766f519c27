"""The leaderboard against SciPy and by hand, on made-up results in files of dlsweep's own writers."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bench import stores
from scipy import stats
from tests.support.claims import store

import dlsweep
from dlsweep.analysis.board import Asked
from dlsweep.analysis.closing import Shown, closing_data, closing_table, page, text
from dlsweep.analysis.effects import Effects
from dlsweep.analysis.leaderboard import error_line
from dlsweep.config.runs import Run
from dlsweep.errors import UsageError
from dlsweep.storage.results import Results
from dlsweep.training.result import TrainingResult

FINAL = {  # test accuracy of six seeds
    ("relu", "he"): [0.90, 0.92, 0.91, 0.93, 0.89, 0.90],
    ("relu", "xavier"): [0.89, 0.92, 0.90, 0.92, 0.89, 0.91],
    ("tanh", "he"): [0.85, 0.88, 0.86, 0.88, 0.84, 0.86],
    ("tanh", "xavier"): [0.50, 0.70, 0.60, 0.55, 0.65, 0.60],
}
GROUP = ExceptionGroup("inner", [KeyError(3)])
DIVERGED = {("tanh", "xavier"): 2}  # the seed


def made_up(runs: Sequence[Run]) -> TrainingResult:
    """Curves from 0.1 to the final accuracy at iteration 20, with loss 1 - accuracy."""
    arm = runs[0].arm.levels["activation"], runs[0].arm.levels["init"]
    ends = np.array(FINAL[arm])
    accuracy = np.stack([np.full(6, 0.1), ends - 0.2, ends], axis=1)
    status = ["diverged" if seed == DIVERGED.get(arm) else "done" for seed in range(6)]
    columns = {"accuracy": accuracy, "loss": 1 - accuracy}
    return stores.result([0, 10, 20], {"train": columns, "test": columns}, status)


def config(**grid: Any) -> dict[str, Any]:
    return {
        "name": "by-hand",
        "data": {"mnist": {"train": 300, "test": 200}},
        "train": {"iterations": 20},
        "evaluate": {"every": 10, "on": ["train", "test"]},
        "grid": {"activation": ["tanh", "relu"], "init": ["xavier", "he"], **grid},
        "seeds": 6,
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return stores.write(tmp_path_factory.mktemp("results"), config(), made_up, chunk=6)


def arms(board: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(board["activation"].astype(str), board["init"].astype(str)))


def test_means_and_paired_differences_as_scipy_has_them(results: Results) -> None:
    board = results.leaderboard()
    assert arms(board) == list(FINAL)  # the best one first
    best = np.array(FINAL["relu", "he"])
    for row, (arm, values) in zip(board.to_dict("records"), FINAL.items()):
        counted = np.array(values)
        if arm in DIVERGED:
            counted[DIVERGED[arm]] = 0.1  # chance
        name = "final_test_accuracy"
        mean = stats.ttest_1samp(counted, 0).confidence_interval()
        expected = [counted.mean(), mean.low, min(mean.high, 1), (counted - best).mean()]
        found = [row[f"{name}{end}"] for end in ("", "_low", "_high", "_difference")]
        np.testing.assert_allclose(found, expected, atol=1e-12)
        if arm != ("relu", "he"):
            paired = stats.ttest_rel(counted, best).confidence_interval()
            ends = [row[f"{name}_difference_low"], row[f"{name}_difference_high"]]
            np.testing.assert_allclose(ends, [paired.low, paired.high], atol=1e-12)
            worse = stats.ttest_rel(counted, best, alternative="less").pvalue <= 0.05 / 3
            assert row[f"{name}_marked"] == (not worse)
            shares = (counted - best).var() / (counted.var() + best.var())
            np.testing.assert_allclose(row[f"{name}_pairing"], shares)
    assert board["final_test_accuracy_best"].tolist() == [True, False, False, False]
    assert board["final_test_accuracy_marked"].tolist() == [True, True, False, False]
    assert board["n"].tolist() == [6] * 4
    assert board["diverged"].tolist() == [0, 0, 0, 1]
    assert board["seconds"].tolist() == [0.5] * 4


def test_an_arm_with_a_diverged_loss_has_no_mean_and_is_last(results: Results) -> None:
    board = results.leaderboard("test_loss")
    assert arms(board)[-1] == ("tanh", "xavier")
    assert board["final_test_loss"].isna().tolist() == [False, False, False, True]
    assert board["final_test_loss_difference"].isna().tolist() == [False, False, False, True]
    assert not board["final_test_loss_marked"].iloc[-1]


def test_a_level_that_is_not_reached_is_counted(results: Results) -> None:
    name = "iterations_to_0.9_test_accuracy"
    board = results.leaderboard(name)
    assert arms(board)[:2] == [("relu", "he"), ("relu", "xavier")]
    assert board[f"{name}_not_reached"].tolist() == [1, 2, 6, 6]
    assert board[name].iloc[0] == 20
    assert "not reached" in closing_table(results, name)


def test_the_reference_and_the_part_of_the_grid(results: Results) -> None:
    board = results.leaderboard(reference={"activation": "tanh", "init": "he"}, where={"init": "he"})
    assert arms(board) == [("relu", "he"), ("tanh", "he")]
    np.testing.assert_allclose(board["final_test_accuracy_difference"], [0.28 / 6, 0])
    outside = results.leaderboard(reference={"activation": "tanh", "init": "he"}, where={"activation": "relu"})
    np.testing.assert_allclose(outside["final_test_accuracy_difference"].iloc[0], 0.28 / 6)
    with pytest.raises(UsageError, match="must be one arm, and 2 are activation: tanh; add the level of init"):
        results.leaderboard(reference={"activation": "tanh"})
    with pytest.raises(UsageError, match=r"activation has no level 'tahn' in .*; did you mean 'tanh'"):
        results.leaderboard(where={"activation": "tahn"})


def test_rows_of_factors_are_averaged_seed_by_seed(results: Results) -> None:
    board = results.leaderboard(rows="factors")
    values = {arm: np.array(own) for arm, own in FINAL.items()}
    values["tanh", "xavier"][2] = 0.1
    relu = (values["relu", "he"] + values["relu", "xavier"]) / 2
    tanh = (values["tanh", "he"] + values["tanh", "xavier"]) / 2
    names = list(zip(board["factor"], board["level"]))
    row = board.to_dict("records")[names.index(("activation", "tanh"))]
    np.testing.assert_allclose(row["final_test_accuracy"], tanh.mean())
    paired = stats.ttest_rel(tanh, relu).confidence_interval()
    ends = [row["final_test_accuracy_difference_low"], row["final_test_accuracy_difference_high"]]
    np.testing.assert_allclose(ends, paired)
    assert names == [(f, level) for f in ("activation", "init") for level in results.record.levels[f]]
    assert row["n"] == 6


def test_rows_of_runs(results: Results) -> None:
    board = results.leaderboard(["best_test_accuracy", "test_loss"], rows="runs", where={"activation": "relu"})
    assert len(board) == 12
    assert board["seed"].tolist() == [*range(6)] * 2
    np.testing.assert_allclose(board["best_test_accuracy"], FINAL["relu", "he"] + FINAL["relu", "xavier"])
    differences = np.subtract(FINAL["relu", "xavier"], FINAL["relu", "he"])
    np.testing.assert_allclose(board["best_test_accuracy_difference"][6:], differences, atol=1e-12)
    assert board["best_test_accuracy_iteration"].tolist() == [20] * 12


def test_an_ensemble_is_of_the_iteration_that_is_shown(tmp_path: Path) -> None:
    config = {
        "name": "together",
        "data": {"mnist": {"train": 300, "test": 200}},
        "train": {"iterations": 20},
        "evaluate": {"every": 10, "ensemble": True},
        "grid": {"init": ["he", "xavier"]},
        "seeds": 3,
    }
    results = dlsweep.run(config, output=tmp_path, executor="inline", quiet=True)
    curves = results.ensembles[results.ensembles["split"] == "test"].set_index(["arm", "iteration"])["accuracy"]
    for at, iteration in ((None, 20), (10, 10)):
        board = results.leaderboard(at=at).set_index("arm")["final_test_accuracy_ensemble"]
        assert board.to_dict() == curves.xs(iteration, level="iteration").to_dict()


@pytest.mark.parametrize("rows", ["arms", "runs", "factors"])
def test_seconds_are_shown_once(results: Results, rows: str) -> None:
    for metrics in ([], ["seconds"], ["test_loss", "seconds"]):
        header = text(Shown.of(results, Asked(metrics, rows=rows))).splitlines()[0]
        assert header.split().count("seconds") == 1


def test_seconds_that_runs_share_are_not_tested(results: Results) -> None:
    """All seeds of a chunk have the same seconds: taken for replicates, they would make any difference sure."""
    board = results.leaderboard("seconds")
    assert board[["seconds_low", "seconds_high", "seconds_difference_low"]].isna().all(axis=None)
    assert board["seconds_marked"].sum() == board["seconds_best"].sum() == 1
    told = closing_table(results, "seconds")
    assert "seconds: the runs of a chunk share its seconds evenly, so seeds do not repeat the measurement" in told
    assert not any(word in told for word in ("≈", "worse", "Pairing", "t intervals"))
    compared = results.compare({"init": "he"}, {"init": "xavier"}, metric="seconds")
    assert "seeds do not repeat the measurement" in str(compared)
    assert np.isnan([compared.p, compared.pairing, *compared.interval, *compared.interval_exact]).all()
    divided = results.effects("seconds", where={"activation": "relu"})
    assert isinstance(divided, Effects)
    assert "seeds do not repeat the measurement" in str(divided)
    assert divided.table[["p", "adjusted"]].isna().all(axis=None)
    assert divided.levels[["low", "high"]].isna().all(axis=None)


def test_a_spread_has_arms_of_its_own(results: Results) -> None:
    board = results.leaderboard("spread_over_init_test_loss")
    assert board["activation"].tolist() == ["relu", "tanh"]
    np.testing.assert_allclose(board["spread_over_init_final_test_loss"].iloc[0], 0.04 / 6)
    with pytest.raises(UsageError, match="do not have the same arms"):
        results.leaderboard(["spread_over_init_test_loss", "test_loss"])


def test_notes_say_how_to_read_the_table(results: Results) -> None:
    told = closing_table(results, "best_test_accuracy")
    assert "Means over 6 seeds, with 95 % t intervals on these test images." in told
    assert "1 of 3 other arms cannot be distinguished from the best" in told
    assert "level 0.05 / 3" in told
    assert "best_test_accuracy is optimistic" in told
    assert "diverged runs count at chance" in told
    assert "Seeds vary initial weights, order of the minibatches and training subset" in told
    assert "optimistic" not in closing_table(results, "best_train_accuracy")


def test_json_keeps_the_metrics_of_every_arm_in_the_order_of_the_config(results: Results) -> None:
    told = closing_data(results)
    assert [arm["arm"] for arm in told["arms"]] == ["tanh, xavier", "tanh, he", "relu, xavier", "relu, he"]
    assert told["arms"][0]["metrics"]["final_test_loss"] == {"mean": None, "low": None, "high": None}
    assert told["leaderboard"][0]["final_test_accuracy_best"] is True
    assert told["leaderboard"][0]["arm"] == "relu, he"


def test_a_notebook_shows_the_leaderboard_and_escapes_labels(tmp_path: Path) -> None:
    init = [{"he": {}, "label": "<b>he</b>"}, {"xavier": {}, "label": "xavier"}]

    def own(runs: Sequence[Run]) -> TrainingResult:
        accuracy = np.full((len(runs), 1), 0.5) + np.arange(len(runs))[:, None] / 100
        return stores.result([20], {"test": {"accuracy": accuracy, "loss": 1 - accuracy}})

    asked = config(init=init) | {"evaluate": {"every": 20, "on": ["test"]}}
    results = stores.write(tmp_path, asked, own)
    html = results._repr_html_()
    assert html == page(results)
    assert html is not None
    assert "&lt;b&gt;he&lt;/b&gt;" in html
    assert "<b>he</b>" not in html
    assert html.count("<tr>") == 5


def test_damaged_results_have_no_page(tmp_path: Path) -> None:
    results = stores.write(tmp_path, config(), made_up, chunk=6)
    next((results.folder / "runs").iterdir()).write_bytes(b"")
    assert results._repr_html_() is None


def test_crossed_seeds_have_intervals_of_their_own_and_no_marks(tmp_path: Path) -> None:
    def own(runs: Sequence[Run]) -> TrainingResult:
        ends = np.array([0.5 + 0.01 * len(run.arm.levels["init"]) + 0.1 * run.seeds.of("init") for run in runs])
        return stores.result([20], {"test": {"accuracy": ends[:, None], "loss": 1 - ends[:, None]}})

    asked = config() | {"evaluate": {"every": 20, "on": ["test"]}, "seeds": {"init": 3, "batches": 2}}
    results = stores.write(tmp_path, asked, own)
    board = results.leaderboard()
    # Only three initial weights vary, so the interval is the one of their three values, not of six.
    expected = stats.ttest_1samp(np.array([0.5, 0.6, 0.7]) + 0.06, 0).confidence_interval()
    ends = board[["final_test_accuracy_low", "final_test_accuracy_high"]].to_numpy()[0]
    np.testing.assert_allclose(ends, np.array(expected, float))
    assert board["final_test_accuracy_marked"].tolist() == board["final_test_accuracy_best"].tolist()
    told = closing_table(results)
    assert "intervals from the variance components of the crossed seeds" in told
    assert (
        "Seeds vary initial weights and order of the minibatches; all runs share training subset, test images" in told
    )


def test_another_iteration_is_said(results: Results) -> None:
    board = results.leaderboard(at=10)
    np.testing.assert_allclose(board["final_test_accuracy"].iloc[0], np.mean(FINAL["relu", "he"]) - 0.2)
    shown = Shown.of(results, Asked(at=10))
    assert "Values at iteration 10, not at the end of training." in text(shown)


@pytest.mark.parametrize(
    ("diverging", "told"),
    [
        (["normal"], "All other arms with a mean are worse than the best"),
        (["normal", "he"], None),
        (["normal", "he", "xavier"], None),
    ],
)
def test_an_arm_without_a_mean_is_not_said_to_be_worse(tmp_path: Path, diverging: list[str], told: str | None) -> None:
    """One of six losses is infinite: that decides nothing, whatever the others are."""
    means = {"he": 0.9, "normal": 0.9, "xavier": 0.5}
    results = store(
        tmp_path,
        {"init": list(means)},
        lambda levels, seed: means[levels["init"]] + 0.01 * np.sin(seed + len(levels["init"])),
        ended=lambda levels, seed: "diverged" if levels["init"] in diverging and seed == 0 else "done",
    )
    marks = [line for line in closing_table(results, "test_loss").splitlines() if "the best (" in line]
    assert [line.startswith(told or "") for line in marks] == [True] * (told is not None)


def test_pairing_is_of_arms_that_vary(tmp_path: Path) -> None:
    """An arm that diverged in every seed has the same accuracy in each: pairing with it cannot help."""
    levels, seeds = ["he", "xavier", "normal", "zeros"], np.arange(6)
    value = lambda own, seed: 0.9 - 0.1 * levels.index(own["init"]) + 0.01 * np.sin(seed * (own["init"] == "he"))  # noqa: E731
    ended = lambda own, seed: "diverged" if own["init"] in ("normal", "zeros") else "done"  # noqa: E731
    results = store(tmp_path / "some", {"init": levels}, value, ended=ended)
    assert results.leaderboard()["final_test_accuracy_pairing"].isna().all()
    assert "Pairing" not in closing_table(results)
    value = lambda own, seed: 0.9 - 0.1 * levels.index(own["init"]) + 0.01 * np.sin(seed + (own["init"] == "he"))  # noqa: E731
    results = store(tmp_path / "one", {"init": levels}, value, ended=ended)
    he, xavier = (np.sin(seeds + shift) for shift in (1, 0))
    left = (he - xavier).var() / (he.var() + xavier.var())
    assert f"Pairing leaves {left:.2g} of the variance of unpaired differences." in closing_table(results)
    assert "Pairing" not in str(results.compare({"init": "he"}, {"init": "zeros"}))


@pytest.mark.parametrize("metric", ["test_loss", "iterations"])
def test_no_arm_is_the_best_if_all_diverged(tmp_path: Path, metric: str) -> None:
    results = store(tmp_path, {"init": ["he", "xavier"]}, lambda levels, seed: 0.1, ended=lambda *run: "diverged")
    assert not results.leaderboard(metric).filter(regex="_(best|marked|reference)$").to_numpy().any()
    assert "best" not in closing_table(results, metric)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("too small\nby far"), "ValueError: too small"),
        (
            ExceptionGroup("two", [ValueError("a"), ExceptionGroup("b", [KeyError(3)])]),
            "ExceptionGroup: two (2 sub-exceptions)",
        ),
        (KeyError("a\nb"), "KeyError: 'a\\nb'"),
        (SyntaxError("odd", ("own.py", 3, 1, "x = =", 3, 2)), "SyntaxError: odd"),
    ],
)
@pytest.mark.parametrize("cause", [None, ValueError("first"), ExceptionGroup("first", [OSError("c")])])
def test_the_line_of_an_error_has_its_type_and_the_first_line_of_its_message(
    error: Exception, line: str, cause: Exception | None
) -> None:
    with pytest.raises(type(error)) as raised:
        raise error from cause
    assert error_line("".join(traceback.format_exception(raised.value))) == line


def test_the_line_of_an_error_without_a_traceback() -> None:
    assert error_line("the worker process was killed\n") == "the worker process was killed"
