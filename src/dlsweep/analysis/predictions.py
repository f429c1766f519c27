"""Numbers from kept predictions: which runs are right on which test image, and how much seeds disagree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from dlsweep.analysis.facets import factors
from dlsweep.analysis.frames import crossing
from dlsweep.types import Array

if TYPE_CHECKING:
    from pandas import DataFrame

    from dlsweep.storage.results import Results


def has_predictions(results: Results) -> bool:
    """Return True if the results have predictions. Those of an older dlsweep have none."""
    return "predictions" in results.record.tables.optional


def correctness(results: Results, runs: DataFrame | None = None) -> Array:
    """Return 1 where a run is right on a test image and 0 where it is wrong, `(R, N)`, float64.

    runs: rows of `results.runs`, all by default; the answer has their order. A diverged run counts 1 / K,
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
    return results.correctness.of(runs["run_id"])


def disagreement(runs: DataFrame, predicted: Mapping[str, Array]) -> Array:
    """Return the share of images on which two runs of one arm give different classes, of each pair of seeds.

    Pairs of crossed seeds differ in one source of chance, so that each has one reason to disagree. predicted: the
    classes by run, `(N,)` each; runs without them are in no pair.

    >>> import pandas as pd
    >>> runs = pd.DataFrame({"run_id": ["a", "b", "c"]})
    >>> predicted = {"a": np.array([0, 1, 2, 2]), "b": np.array([0, 1, 2, 0]), "c": np.array([0, 2, 2, 0])}
    >>> disagreement(runs, predicted).tolist()
    [0.25, 0.5, 0.25]
    >>> disagreement(runs.assign(seed_init=[0, 0, 1], seed_batches=[0, 1, 1]), predicted).tolist()
    [0.25, 0.25]
    """
    own = runs[runs["run_id"].isin(predicted)]
    seeds = own[[f"seed_{source}" for source in crossing(own)]].to_numpy()
    each = zip([predicted[run] for run in own["run_id"]], seeds, strict=True)
    pairs = combinations(each, 2)
    return np.array([np.mean(p != q) for (p, one), (q, other) in pairs if not one.size or (one != other).sum() == 1])


def churn(results: Results, runs: DataFrame | None = None) -> DataFrame:
    """Return a row for each arm with its churn: the share of the test images on which two of its seeds disagree.

    Columns: `arm`, the factors, `seeds` with predictions, and `churn`, the mean over their pairs, with the `least` and
    the `most` of a pair; NaN for fewer than two seeds. Pairs of crossed seeds differ in one source of chance. runs:
    rows of `results.runs`, all by default. (Milani Fard et al. 2016, "Launch and iterate: reducing prediction churn".)
    A `UsageError` says that seeds have different test images.
    """
    import pandas as pd

    runs = results.runs if runs is None else runs
    named = ["arm", *factors(runs)]
    rows = []
    for own in arms_of(runs):
        results.split_of(own)
        found = results.predicted(own["run_id"])
        pairs = disagreement(own, found)
        seeds, each = len(found), pairs if len(pairs) else np.array([np.nan])
        ends = {"churn": each.mean(), "least": each.min(), "most": each.max()}
        rows.append({**own.iloc[0][named], "seeds": seeds, **ends})
    return pd.DataFrame(rows, columns=[*named, "seeds", "churn", "least", "most"])


def arms_of(runs: DataFrame) -> Iterator[DataFrame]:
    """Yield the rows of each arm, in their order."""
    yield from (own for _, own in runs.groupby(runs["arm"].astype(str), sort=False))


def hard_images(runs: DataFrame, predicted: Mapping[str, Array], labels: Array, classes: int) -> DataFrame:
    """Return a row for each test image, those that most runs get wrong first; of equals the first in the data.

    Columns: `image`, its position in the data; `label`; `wrong`, the share of the runs that are wrong; `taken`, the
    wrong class that is predicted most often, and `share`, of the runs that predict it. Each arm counts the same,
    however many of its seeds have predictions. predicted: of the runs, `(N,)` each.

    >>> import pandas as pd
    >>> runs = pd.DataFrame({"run_id": ["a", "b", "c"], "arm": ["relu", "relu", "tanh"]})
    >>> predicted = {"a": np.array([0, 1, 2]), "b": np.array([0, 2, 1]), "c": np.array([0, 1, 1])}
    >>> hard_images(runs, predicted, np.array([0, 1, 2]), 3).round(2).values.tolist()
    [[2.0, 2.0, 0.75, 1.0, 0.75], [1.0, 1.0, 0.25, 2.0, 0.25], [0.0, 0.0, 0.0, 1.0, 0.0]]
    """
    import pandas as pd

    images = np.arange(len(labels))
    votes, arms = np.zeros((len(labels), classes)), 0
    for own in arms_of(runs):
        found = [predicted[run] for run in own["run_id"] if run in predicted]
        arms += bool(found)
        for one in found:
            votes[images, one] += 1 / len(found)
    votes /= max(arms, 1)
    wrong = votes.sum(axis=1) - votes[images, labels]
    votes[images, labels] = -1
    taken = votes.argmax(axis=1)
    columns = {"image": images, "label": labels, "wrong": wrong, "taken": taken, "share": votes[images, taken]}
    return pd.DataFrame(columns).iloc[np.argsort(-wrong.round(9), kind="stable")].reset_index(drop=True)
