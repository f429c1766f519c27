"""Scores of arms, as numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dlsweep.analysis.frames import summary
from dlsweep.analysis.scores import Scores, chance, metric_in
from dlsweep.errors import UsageError
from dlsweep.metrics import Metric

RUNS = pd.DataFrame(
    {
        "arm": "all",
        "status": ["done", "done", "diverged", "failed"],
        "seed": [0, 1, 2, 3],
        "classes": 10,
        "final_test_accuracy": [1.0, 0.9, np.nan, np.nan],
        "final_test_loss": [0.1, 0.2, np.nan, np.nan],
        "best_train_accuracy": [1.0, 0.9, np.nan, np.nan],
    }
)


def test_scores_are_those_of_the_summary() -> None:
    table = summary(RUNS)
    for name in ("accuracy", "loss"):
        metric = metric_in(RUNS, name, None, "final")
        scores = Scores.of(RUNS, metric)
        ends = table[f"{metric.name}_low"].item(), table[f"{metric.name}_high"].item()
        np.testing.assert_array_equal([scores.mean, *scores.interval], [table[metric.name].item(), *ends])
        assert (scores.n, scores.failed, scores.diverged.tolist()) == (3, 1, [False, False, True])
    assert Scores.of(RUNS, Metric("final", "test", "accuracy")).interval[1] == 1  # cut


def test_a_record_holds_the_numbers_of_a_row() -> None:
    record = Scores.of(RUNS[:2], Metric("final", "test", "accuracy")).record()
    assert list(record) == ["final_test_accuracy", "low", "high", "n", "diverged", "failed"]
    assert record["n"] == 2


def test_no_runs_have_no_mean() -> None:
    assert np.isnan(Scores.of(RUNS[3:], Metric("final", "test", "loss")).mean)


def test_the_split_that_is_furthest_from_training_is_chosen() -> None:
    assert metric_in(RUNS, "accuracy", None, "final").words == "final test accuracy"
    assert metric_in(RUNS, "accuracy", None, "best").name == "best_train_accuracy"
    with pytest.raises(UsageError, match="nothing to show: validation was not evaluated; there is test"):
        metric_in(RUNS, "loss", "validation", "final")


def test_chance_is_known_for_an_accuracy_of_one_number_of_classes() -> None:
    assert chance(RUNS, "accuracy") == 0.1
    assert np.isnan(chance(RUNS, "loss"))
    assert np.isnan(chance(RUNS.assign(classes=[2, 3, 4, 5]), "accuracy"))


def test_an_unknown_metric_is_a_sentence() -> None:
    frame = pd.DataFrame({"arm": ["he"], "status": ["done"], "final_test_accuracy": [0.5]})
    with pytest.raises(UsageError, match="there is no metric 'final_test_acc'; did you mean 'final_test_accuracy'"):
        summary(frame, ["final_test_acc"])
    with pytest.raises(UsageError, match="there is no metric 'acuracy'; did you mean 'final_test_accuracy'"):
        summary(frame, ["acuracy"])
