"""Kept predictions: which runs are right on which test image, how much seeds disagree, and intervals on new images.

The test set is a sample too, and kept predictions tell how much depends on its images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from dlsweep.analysis.board import Board
from dlsweep.analysis.crossed import crossed_interval
from dlsweep.analysis.facets import factors
from dlsweep.analysis.frames import crossing
from dlsweep.errors import ConfigError, ResultsDamaged, UsageError
from dlsweep.storage.choosing import unknown_run
from dlsweep.storage.results import Results
from dlsweep.types import Array, DataFrame

METRIC = "final_test_accuracy"  # the only one that predictions are kept of
MOST = 50  # arms with intervals on new images; reading the predictions of more takes too long
_BLOCK = 1000  # runs whose bits are unpacked together


class Correctness:
    """Correctness of each run on each test image: 100 000 runs and 1000 images take 12.5 MB.

    Predictions are read once, and kept as one bit each.

    A diverged run counts 1 / K, chance, on every image; a failed run is NaN. Methods raise a `UsageError` if the
    results have no predictions, if the runs have several data sets, or if the data has changed; `ResultsDamaged` if
    predictions contradict the accuracy of their run.
    """

    def __init__(self, results: Results):
        self.results = results
        self._bits: dict[int, Array] = {}  # by the number of images; rows that are never written take no memory
        self._read = np.zeros(len(results.runs), bool)

    @cached_property
    def _row(self) -> dict[str, int]:
        return {run: row for row, run in enumerate(np.asarray(self.results.runs["run_id"], object))}

    def _rows(self, runs: ArrayLike) -> Array:
        try:
            return np.array([self._row[run] for run in np.asarray(runs, object)], np.int64)
        except KeyError as error:
            raise unknown_run(self.results.folder, error.args[0], self._row) from None

    @cached_property
    def _constant(self) -> Array:
        """Correctness of each run without predictions, the same on every image; 0 for the others."""
        runs = self.results.runs
        status = runs["status"].to_numpy(dtype=str)
        chance = 1 / runs["classes"].to_numpy(np.float64)
        return np.asarray(np.select([status == "diverged", status == "failed"], [chance, np.nan], 0.0))

    def of(self, runs: ArrayLike) -> Array:
        """Return 1 where a run is right on an image and 0 where it is wrong, `(R, N)`, float64; runs: their ids."""
        rows = self._rows(runs)
        bits, images = self._of_rows(rows)
        return np.asarray(np.unpackbits(bits[rows], axis=1, count=images) + self._constant[rows, None])

    def sums(self, runs: ArrayLike, weights: Array, places: Array) -> Array:
        """Return the weighted sum of the correctness of the runs of each place, `(places, N)`.

        runs: their ids; weights, places: of each, `(R,)`; a place is an index from 0, such as the index of a seed.
        """
        rows = self._rows(runs)
        bits, images = self._of_rows(rows)
        found = np.repeat(np.bincount(places, weights * self._constant[rows])[:, None], images, axis=1)
        order = np.lexsort((weights, places))
        ends = np.flatnonzero(np.diff(places[order]).astype(bool) | np.diff(weights[order]).astype(bool)) + 1
        for alike in np.split(order, ends):  # one place, one weight
            if len(alike):
                found[places[alike[0]]] += weights[alike[0]] * _count(bits, rows[alike], images)
        return found

    def _of_rows(self, rows: Array) -> tuple[Array, int]:
        """Read the bits of some rows; return those of all runs, and the number of images."""
        runs = self.results.runs
        self.results.predicted(())  # raises the error of a missing table
        labels = self.results.labels(runs=runs.iloc[rows])
        images = len(labels)
        bits = self._bits.setdefault(images, np.zeros((len(runs), -(-images // 8)), np.uint8))
        new = np.unique(rows[~self._read[rows]])
        accuracy = runs["final_test_accuracy"].to_numpy(np.float64, na_value=np.nan)
        for ids, predicted in self.results.predicted_by_part(np.asarray(runs["run_id"], object)[new]):
            at = self._rows(ids)
            right = predicted == labels if predicted.shape[1] == images else np.zeros((len(ids), images), bool)
            if (contradicting := np.count_nonzero(right, axis=1) / images != accuracy[at]).any():
                run = ids[contradicting.argmax()]
                raise ResultsDamaged(f"{self.results.folder}: the predictions of the run {run} contradict its accuracy")
            bits[at] = np.packbits(right, axis=1)
        self._read[new] = True
        return bits, images


def _count(bits: Array, rows: Array, images: int) -> Array:
    """Return how many of some rows are right on each image, `(images,)`."""
    blocks = np.array_split(rows, len(rows) // _BLOCK + 1)
    return sum(
        (np.unpackbits(bits[own], axis=1, count=images).sum(axis=0, dtype=np.int32) for own in blocks),
        start=np.zeros(images, np.int32),
    )


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


def with_new_images(board: Board, frame: DataFrame) -> DataFrame:
    """Return a frame of arms with the intervals of the final test accuracy and its differences on new images.

    Columns `_new_images_low`, `…_high` and `_difference_new_images_low`, `…_high`: over seeds and test images, both
    drawn at random. Without predictions, for other metrics, crossed seeds, splits by seed, other rows or more than 50
    arms, the frame is unchanged.
    """
    alike = not (board.replication.crossed or board.replication.overlap)
    of_arms = board.asked.rows == "arms" and board.asked.at is None
    possible = of_arms and alike and has_predictions(board.results) and len(frame) <= MOST
    index = [metric.name for metric in board.metrics].index(METRIC) if METRIC in frame else -1
    if index < 0 or not possible:
        return frame
    reference = board.compared[index].reference
    intervals = np.full((len(frame), 4), np.nan)
    try:
        own = {} if reference is None else _right(board, board.names[reference])
        for row, arm in enumerate(frame["arm"].astype(str)):
            right = _right(board, arm)
            intervals[row, :2] = np.clip(_interval(right), 0, 1)
            shared = [seed for seed in right if seed in own and own[seed].shape == right[seed].shape]
            intervals[row, 2:] = _interval({seed: right[seed] - own[seed] for seed in shared})
    except (UsageError, ConfigError):  # the data is missing, or has changed
        return frame
    ends = ("new_images_low", "new_images_high", "difference_new_images_low", "difference_new_images_high")
    return frame.assign(**{f"{METRIC}_{end}": column for end, column in zip(ends, intervals.T)})


def _right(board: Board, arm: str) -> dict[int, Array]:
    """Return which test images the runs of an arm are right on, by seed."""
    runs = board.results.runs
    runs = runs[(runs["arm"] == arm) & (runs["status"] != "failed")]
    return dict(zip(runs["seed"].tolist(), correctness(board.results, runs), strict=True)) if len(runs) else {}


def _interval(by_seed: dict[int, Array]) -> tuple[float, float]:
    return crossed_interval(np.stack(list(by_seed.values()))) if len(by_seed) > 1 else (np.nan, np.nan)
