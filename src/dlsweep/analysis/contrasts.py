"""Contrasts: differences between sides, seed by seed, with their tests and intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dlsweep.analysis.correctness import Correctness
from dlsweep.analysis.crossed import crossed_interval, overlapping_splits_test
from dlsweep.analysis.predictions import has_predictions
from dlsweep.analysis.sides import Sides
from dlsweep.analysis.sign_flips import SignFlips, sign_flip_interval, sign_flip_test
from dlsweep.analysis.statistics import Replication, interval
from dlsweep.errors import UsageError
from dlsweep.metrics import Metric
from dlsweep.storage.results import Results
from dlsweep.types import Array

Interval = tuple[float, float]


@dataclass(frozen=True)
class Contrast:
    """Weighted sum of the means of some sides, seed by seed: a difference has the weights 1 and −1.

    correct: which runs are right on which test images; None without predictions.
    overlap: where seeds draw splits of one data set, the number of test samples per other sample; then the test and all
    intervals are those of Nadeau and Bengio (2003), since sign flips need independent seeds.
    """

    sides: Sides
    weights: Sequence[float]
    correct: Correctness | None = None
    overlap: float = 0.0

    @cached_property
    def differences(self) -> Array:
        """Contrast of each seed, `(seeds,)`.

        An infinite value outweighs all finite ones, and infinite values of opposite sign in one combination cancel.
        """
        return self._summed[0]

    @cached_property
    def _summed(self) -> tuple[Array, Array]:
        """Contrast of each seed, and a mask of the seeds whose values were all infinite and cancelled."""
        weights, values = np.asarray(self.weights, np.float64)[self._used, None, None], self.sides.values[self._used]
        infinite = np.isinf(values)
        of_signs = (weights * np.where(infinite, np.sign(values), 0.0)).sum(axis=0)  # (combinations, seeds)
        finite = (weights * np.where(infinite, 0.0, values)).sum(axis=0)
        touched = infinite.any(axis=0)
        net = of_signs.sum(axis=0)
        net[np.abs(net) < 1e-9] = 0.0
        mean = np.where(touched, 0.0, finite).mean(axis=0)
        infinity = np.where(net > 0, np.inf, -np.inf)
        cancelled: Array = touched.all(axis=0) & (net == 0)
        return np.where(net == 0, mean, infinity), cancelled

    @cached_property
    def finite(self) -> Array:
        """Contrast of the seeds in which all values are finite."""
        return np.asarray(self.differences[np.isfinite(self.sides.values[self._used]).all(axis=(0, 1))])

    @property
    def _used(self) -> Array:
        """Mask of the sides that the contrast is about; sides of weight 0 belong to other pairs of an order."""
        return np.asarray(self.weights, np.float64).astype(bool)

    @property
    def effect(self) -> float:
        """Mean over the seeds in which all values are finite; NaN without any."""
        return float(self.finite.mean()) if len(self.finite) else float("nan")

    def beyond(self, margin: float, sign: int = 1) -> Array:
        """Return `sign · contrast − margin` of each seed; 0, whatever the margin, where infinite values cancel."""
        differences, cancelled = self._summed
        return np.where(cancelled, 0.0, sign * differences - margin)

    def test(self, margin: float = 0.0, sign: int = 1) -> SignFlips:
        """Test `sign · contrast − margin` against 0."""
        return paired_test(self.beyond(margin, sign), self.overlap, self.sides.key)

    def interval(self, alpha: float) -> Interval:
        """Return the t interval of the effect."""
        low, high = interval(self.finite, 1 - alpha, replication=Replication(overlap=self.overlap))
        return float(low), float(high)

    def interval_exact(self, alpha: float) -> Interval:
        """Return the interval that agrees with the test."""
        if self.overlap:
            return self.interval(alpha)
        return sign_flip_interval(self.finite, alpha, key=self.sides.key)

    def interval_new_images(self, alpha: float) -> Interval | None:
        """Return the interval of the effect on new images like the test images; None if it is not available.

        It needs predictions, their data, and two seeds.
        """
        if self.correct is None or self.sides.n < 2:
            return None
        weights = np.asarray(self.weights, np.float64)[self.sides.rows["side"]] * self.sides.weights
        rows, weights = self.sides.rows[weights != 0], weights[weights != 0]
        try:
            by_seed = self.correct.sums(rows["run_id"], weights, rows["place"].to_numpy())
        except UsageError:  # several data sets, or data that is not there or has changed
            return None
        low, high = crossed_interval(by_seed, 1 - alpha)
        return None if np.isnan(low) else (float(low), float(high))


def paired_test(differences: Array, overlap: float, key: str = "") -> SignFlips:
    """Test paired differences against 0: by sign flips, or of splits that overlap as Nadeau and Bengio (2003).

    key: see `sign_flip_test`.
    """
    if overlap:
        return SignFlips(*overlapping_splits_test(differences, overlap), exact=False)
    return sign_flip_test(differences, key=key)


def correctness_of(results: Results, metric: Metric, at: int | None) -> Correctness | None:
    """Return which runs are right on which test images; None for a metric without an interval on new images.

    Predictions come from the final network on the test images, so they say nothing about other metrics; and where seeds
    draw their own test images, the seeds have none in common.
    """
    if metric.name != "final_test_accuracy" or at is not None or not has_predictions(results) or results.overlap:
        return None
    return results.correctness
