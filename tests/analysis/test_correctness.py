"""Correctness of kept predictions: the same numbers as by hand, read once."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import dlsweep
from dlsweep.analysis.predictions import correctness
from dlsweep.errors import UsageError
from dlsweep.storage.results import Results

ARMS = {"init": ["he", "normal"], "activation": ["relu", "tanh"], "optimizer": ["sgd", {"sgd": {"lr": 1e38}}]}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Half of the runs diverge; 203 images do not fill their last byte."""
    config = {
        "name": "right",
        "data": {"mnist": {"train": 300, "test": 203}},
        "model": {"mlp": {"hidden": [8]}},
        "train": {"iterations": 30},
        "seeds": 6,
        "grid": ARMS,
        "claims": [{"ReLU leads": {"arm": {"activation": "relu"}, "beats": {"activation": "tanh"}}}],
    }
    return dlsweep.run(config, output=tmp_path_factory.mktemp("right"), executor="inline", quiet=True)


def by_hand(results: Results) -> np.ndarray:
    """Correctness of each run, in their order, from the frame of predictions."""
    found = dict(zip(results.predictions["run_id"], results.predictions["predicted"]))
    chance = np.full(203, 0.1)
    return np.stack([found[run] == results.labels() if run in found else chance for run in results.runs["run_id"]])


def test_of_some_runs_in_any_order(results: Results) -> None:
    assert (results.runs["status"] == "diverged").sum() == 24
    expected = by_hand(results)
    np.testing.assert_array_equal(correctness(results), expected)
    mixed = np.random.default_rng(0).permutation(48)[:13]
    np.testing.assert_array_equal(correctness(results, results.runs.iloc[mixed]), expected[mixed])


def test_weighted_sums_are_those_of_the_matrix(results: Results) -> None:
    draw = np.random.default_rng(1)
    rows = draw.integers(0, 48, 100)  # some twice: a side may have the run of another
    weights, places = draw.choice([-0.5, 0.25, 1 / 3], 100), draw.integers(0, 5, 100)
    shares = np.zeros((5, 100))
    shares[places, np.arange(100)] = weights
    found = results.correctness.sums(results.runs["run_id"].iloc[rows], weights, places)
    np.testing.assert_allclose(found, shares @ by_hand(results)[rows], atol=1e-12)


def test_a_failed_run_has_no_sum(results: Results, tmp_path: Path) -> None:
    copy = dlsweep.open_results(str(shutil.copytree(results.folder, tmp_path / "copy")))
    vars(copy)["runs"] = copy.runs.assign(status=np.where(copy.runs.index == 3, "failed", copy.runs["status"]))
    sums = copy.correctness.sums(copy.runs["run_id"], np.ones(48), np.arange(48))
    assert np.flatnonzero(np.isnan(sums).any(axis=1)).tolist() == [3]


def test_an_unknown_run_is_a_sentence_with_the_nearest_id(results: Results) -> None:
    run = results.runs["run_id"].iloc[3]
    for read in (results.correctness.of, results.predicted):
        with pytest.raises(UsageError, match=rf"there is no run '{run[:-1]}' in .*right; did you mean '{run}'\?"):
            read([run, run[:-1]])
        with pytest.raises(UsageError, match=r"there is no run 'x' in .*right; its table of runs has their ids"):
            read(["x"])


def test_predictions_are_read_once(results: Results, tmp_path: Path) -> None:
    copy = dlsweep.open_results(str(shutil.copytree(results.folder, tmp_path / "copy")))
    first = copy.check().verdicts[0].step
    assert first.interval_new_images is not None
    shutil.rmtree(copy.folder / "predictions")
    assert copy.check().verdicts[0].step == first
    assert copy.compare({"activation": "relu"}, {"activation": "tanh"}).interval_new_images is not None
