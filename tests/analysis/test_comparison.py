"""The difference of two partial arms, by SciPy and by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from tests.support.claims import store

import dlsweep
from dlsweep.analysis.crossed import crossed_interval
from dlsweep.analysis.statistics import hull
from dlsweep.errors import UsageError
from dlsweep.storage.results import Results

GRID = {"init": ["he", "xavier", "normal"], "optimizer": [{"sgd": {"lr": [0.1, 0.01]}}, "adam"]}
DRAWS = np.random.default_rng(5).normal(0.5, 0.05, (3, 3, 8)) + np.random.default_rng(6).normal(0, 0.1, 8)
INIT, OPTIMIZER = ["he", "xavier", "normal"], ["sgd lr=0.1", "sgd lr=0.01", "adam"]


def value(levels: Mapping[str, str], seed: int) -> float:
    return float(DRAWS[INIT.index(levels["init"]), OPTIMIZER.index(levels["optimizer"]), seed])


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    ended = lambda levels, seed: "diverged" if levels["init"] == "normal" and seed < 2 else "done"  # noqa: E731
    return store(tmp_path_factory.mktemp("results"), GRID, value, seeds=8, ended=ended)


def test_difference_intervals_and_p_of_the_means_over_open_factors(results: Results) -> None:
    found = results.compare({"init": "he"}, {"init": "xavier"}, metric="test_accuracy")
    he, xavier = DRAWS[0].mean(axis=0), DRAWS[1].mean(axis=0)
    t = stats.ttest_rel(he, xavier)
    test = stats.permutation_test((he - xavier,), np.mean, permutation_type="samples", n_resamples=10**6)
    assert (found.first, found.second, found.metric, found.n) == ("he", "xavier", "final_test_accuracy", 8)
    assert found.difference == pytest.approx((he - xavier).mean())
    assert found.interval == pytest.approx(tuple(t.confidence_interval()))
    assert found.p == pytest.approx(test.pvalue)
    assert found.differences == pytest.approx(he - xavier)
    assert found.seeds.tolist() == list(range(8))
    low, high = found.interval_exact
    assert low < found.difference < high
    ratio = (he - xavier).var(ddof=1) / (he.var(ddof=1) + xavier.var(ddof=1))
    assert found.pairing == pytest.approx(ratio)
    assert ratio < 0.5  # the seeds shift both alike
    assert found.interval_new_images is None


def test_a_name_is_all_its_levels_and_a_list_has_several(results: Results) -> None:
    by_name = results.compare({"optimizer": "sgd"}, {"optimizer": "adam"}, where={"init": "he"})
    by_list = results.compare({"optimizer": ["sgd lr=0.1", "sgd lr=0.01"]}, {"optimizer": "adam"}, where={"init": "he"})
    assert by_name.difference == by_list.difference == pytest.approx((DRAWS[0, :2].mean(axis=0) - DRAWS[0, 2]).mean())
    assert by_name.first == "sgd"


def test_arms_with_the_same_values_are_not_said_to_differ(tmp_path: Path) -> None:
    same = store(tmp_path / "same", GRID, lambda levels, seed: 0.5 + 0.01 * seed, seeds=6)
    told = str(same.compare({"init": "he"}, {"init": "xavier"}))
    assert "the final test accuracy is the same on average with he and with xavier" in told
    assert "The paired differences are the same in every seed." in told


def test_losses_that_all_diverged_have_no_difference(tmp_path: Path) -> None:
    ended = lambda levels, seed: "diverged" if levels["init"] == "normal" else "done"  # noqa: E731
    results = store(tmp_path, GRID, value, seeds=6, ended=ended)
    told = str(results.compare({"init": "he"}, {"init": "normal"}, metric="test_loss"))
    assert "the final test loss has no finite difference between he and normal in any seed" in told
    assert "18 runs with normal diverged." in told


def test_the_margin_is_in_the_better_direction(results: Results) -> None:
    """The losses of one are lower by the difference; at that margin, half of the patterns are more extreme."""
    loss = results.compare({"init": "he"}, {"init": "xavier"}, metric="test_loss")
    accuracy = results.compare({"init": "he"}, {"init": "xavier"}, metric="test_accuracy", by=0.2)
    assert loss.difference == pytest.approx(-accuracy.difference)
    assert results.compare({"init": "he"}, {"init": "xavier"}, metric="test_loss", by=0.2).p == accuracy.p
    assert results.compare({"init": "he"}, {"init": "xavier"}, by=accuracy.difference).p > 0.5


def test_diverged_runs_are_counted(results: Results) -> None:
    found = results.compare({"init": "he"}, {"init": "normal"})
    assert found.diverged == (0, 6)
    normal = np.where(np.arange(8) < 2, 0.1, DRAWS[2]).mean(axis=0)
    assert found.difference == pytest.approx((DRAWS[0].mean(axis=0) - normal).mean())
    loss = results.compare({"init": "he"}, {"init": "normal"}, metric="test_loss")
    assert loss.difference == pytest.approx((DRAWS[2] - DRAWS[0]).mean(axis=0)[2:].mean())
    assert "6 runs with normal diverged." in str(loss)


def test_a_comparison_reads_as_a_sentence(results: Results) -> None:
    told = str(results.compare({"init": "he"}, {"init": "xavier"}))
    assert told.startswith("On these test images, the final test accuracy is 0.")
    assert "95 % interval" in told
    assert "8 seeds" in told
    assert "shared seeds do the work of" in told
    assert results.compare({"init": "he"}, {"init": "xavier"})._repr_html_() == f"<p>{told}</p>"


def test_a_best_value_on_test_images_is_told_to_be_optimistic(results: Results) -> None:
    best, final = (
        results.compare({"init": "he"}, {"init": "xavier"}, metric=metric)
        for metric in ("best_test_accuracy", "test_accuracy")
    )
    assert ["so it is optimistic" in str(found) for found in (best, final)] == [True, False]


def test_mistakes_have_the_nearest_name(results: Results) -> None:
    with pytest.raises(UsageError, match=r"there is no factor 'initt'.* did you mean 'init'"):
        results.compare({"initt": "he"}, {"init": "xavier"})
    with pytest.raises(UsageError, match=r"init has no level 'xaver'.* did you mean 'xavier'"):
        results.compare({"init": "he"}, {"init": "xaver"})
    with pytest.raises(UsageError, match="there is no metric 'test_acuracy'; did you mean 'test_accuracy'"):
        results.compare({"init": "he"}, {"init": "xavier"}, metric="test_acuracy")
    with pytest.raises(UsageError, match=r"the arm he, sgd lr=0\.1 is on both sides of the comparison"):
        results.compare({"init": "he"}, {"init": ["he", "xavier"]})
    with pytest.raises(UsageError, match=r"an arm is written with its factors, such as \{'init': 'he'\}, got 'he'"):
        results.compare("he", {"init": "xavier"})  # type: ignore[arg-type]


def test_equal_differences_in_all_seeds_need_no_factor_of_seeds(tmp_path: Path) -> None:
    constant = store(
        tmp_path, {"init": ["he", "xavier"]}, lambda levels, seed: seed / 16 + (levels["init"] == "he") / 8
    )
    assert "the same in every seed" in str(constant.compare({"init": "he"}, {"init": "xavier"}))


def test_the_interval_on_new_images_is_that_of_the_mean_difference_of_correctness(tmp_path: Path) -> None:
    """The final networks of a trained sweep: correctness of each image by hand, averaged over the activations."""
    config = {
        "name": "trained",
        "data": {"mnist": {"train": 300, "test": 200}},
        "model": {"mlp": {"hidden": [8]}},
        "train": {"iterations": 30},
        "seeds": 6,
        "grid": {"init": ["he", "normal"], "activation": ["relu", "tanh"]},
    }
    claims = [{"He learns": {"arm": {"init": "he"}, "beats": {"init": "normal"}}}]
    results = dlsweep.run({**config, "claims": claims}, output=tmp_path, executor="inline")
    right = {
        key: np.array([*own]) == results.labels()
        for key, own in results.predictions.groupby("arm", observed=True)["predicted"]
    }
    of = {init: (1.0 * right[f"{init}, relu"] + right[f"{init}, tanh"]) / 2 for init in ("he", "normal")}
    found = results.compare({"init": "he"}, {"init": "normal"})
    assert found.interval_new_images == pytest.approx(crossed_interval(of["he"] - of["normal"]))
    assert found.difference == pytest.approx((of["he"] - of["normal"]).mean())
    assert "On new images like these, the interval is" in str(found)
    assert results.compare({"init": "he"}, {"init": "normal"}, metric="best_test_accuracy").interval_new_images is None
    step = results.check().verdicts[0].step
    assert found.interval_new_images is not None
    assert step.interval_new_images == hull(step.interval, found.interval_new_images)
