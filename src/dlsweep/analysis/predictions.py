"""Numbers from kept predictions: which runs are right on which test image, and how much seeds disagree."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from dlsweep.analysis.facets import factors
from dlsweep.errors import ResultsDamaged
from dlsweep.types import Array

if TYPE_CHECKING:
    from pandas import DataFrame

    from dlsweep.storage.results import Results


def has_predictions(results: Results) -> bool:
    """Return True if the results have predictions. Those of an older dlsweep have none."""
    return "predictions" in results.record.tables.optional


def correctness(results: Results, runs: DataFrame | None = None) -> Array:
    """Return 1 where a run is right on a test image and 0 where it is wrong, `(R, N)`, float64.

    runs: rows of `results.runs`, all by default; row i of the answer is of row i of them. A diverged run counts 1 / K,
    chance, on every image; a failed run is NaN. With the seeds of two arms in the same order, the difference of their
    answers is the array `(seeds, images)` that `dlsweep.analysis.crossed.crossed_interval` takes.

    Raise a `UsageError` if the results have no predictions, if the runs have several data sets, or if the data has
    changed; `ResultsDamaged` if predictions contradict the accuracy of their run.

    >>> import dlsweep
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 50}}, "train": {"iterations": 2}, "seeds": 3}
    >>> results = dlsweep.run(config, executor="inline")
    >>> correctness(results, results.fitting(seed=1)).shape
    (1, 50)
    """
    runs = results.runs if runs is None else runs
    found, labels = results.predicted(runs["run_id"]), results.labels(runs=runs)
    right = np.full((len(runs), len(labels)), np.nan)
    for row, (run, status, classes, accuracy) in enumerate(
        zip(runs["run_id"], runs["status"], runs["classes"], runs["final_test_accuracy"], strict=True)
    ):
        if run in found:
            own = found[run]
            if own.shape != labels.shape or np.count_nonzero(own == labels) / len(labels) != accuracy:
                raise ResultsDamaged(f"{results.folder}: the predictions of the run {run} contradict its accuracy")
            right[row] = own == labels
        elif status == "diverged":
            right[row] = 1 / classes
    return right


def disagreement(predicted: Array) -> Array:
    """Return the share of images on which two runs give different classes, of each pair; predicted: `(R, N)`.

    >>> disagreement(np.array([[0, 1, 2, 2], [0, 1, 2, 0], [0, 2, 2, 0]])).tolist()
    [0.25, 0.5, 0.25]
    """
    return np.array([np.mean(one != other) for one, other in combinations(predicted, 2)])


def churn(results: Results, runs: DataFrame | None = None) -> DataFrame:
    """Return a row for each arm: on which share of the test images two of its seeds disagree (churn).

    Columns: `arm`, the factors, `seeds` with predictions, and `churn`, the mean over their pairs, with the `least` and
    the `most` of a pair; NaN for fewer than two seeds. runs: rows of `results.runs`, all by default. (Milani Fard et
    al. 2016, "Launch and iterate: reducing prediction churn".)
    """
    import pandas as pd

    runs = results.runs if runs is None else runs
    named = ["arm", *factors(runs)]
    rows = []
    for _, own in runs.groupby("arm", sort=False, observed=True):
        found = list(results.predicted(own["run_id"]).values())
        pairs = disagreement(np.stack(found)) if len(found) > 1 else np.array([np.nan])
        numbers = {"seeds": len(found), "churn": pairs.mean(), "least": pairs.min(), "most": pairs.max()}
        rows.append({**own.iloc[0][named], **numbers})
    return pd.DataFrame(rows, columns=[*named, "seeds", "churn", "least", "most"])
