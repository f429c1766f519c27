"""Correctness: which runs are right on which test images. Kept predictions are read once, and kept as one bit each."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from dlsweep.errors import ResultsDamaged
from dlsweep.storage.choosing import unknown_run
from dlsweep.types import Array

if TYPE_CHECKING:
    from dlsweep.storage.results import Results

_BLOCK = 1000  # runs whose bits are unpacked together


class Correctness:
    """Correctness of each run on each test image: 100 000 runs and 1000 images take 12.5 MB.

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
