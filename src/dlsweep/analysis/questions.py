"""Questions: a claim as contrasts, differences between sets of runs seed by seed, with a direction and a margin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from dlsweep.analysis.crossed import crossed_interval, overlapping_splits_test
from dlsweep.analysis.metrics import metric_of, metric_values
from dlsweep.analysis.predictions import Correctness, has_predictions
from dlsweep.analysis.sides import Sides, align, fitting, members, refuse_crossed, sides_of, untrained, with_untrained
from dlsweep.analysis.sign_flips import PValues, sign_flip_interval, sign_flip_test
from dlsweep.analysis.statistics import Replication, interval
from dlsweep.config.claims import Claim
from dlsweep.config.runs import Arm
from dlsweep.config.sides import along, partial_arms
from dlsweep.config.words import numeric_settings
from dlsweep.errors import UsageError
from dlsweep.metrics import SHARED, Metric
from dlsweep.storage.results import Results
from dlsweep.text import plural
from dlsweep.types import Array, DataFrame

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

    def test(self, margin: float = 0.0, sign: int = 1) -> PValues:
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


def paired_test(differences: Array, overlap: float, key: str = "") -> PValues:
    """Test paired differences against 0: by sign flips, or of splits that overlap as Nadeau and Bengio (2003).

    key: see `sign_flip_test`.
    """
    return overlapping_splits_test(differences, overlap) if overlap else sign_flip_test(differences, key=key)


def correctness_of(results: Results, metric: Metric, at: int | None) -> Correctness | None:
    """Return which runs are right on which test images; None for a metric without an interval on new images.

    Predictions come from the final network on the test images, so they say nothing about other metrics; and where seeds
    draw their own test images, the seeds have none in common.
    """
    if metric.name != "final_test_accuracy" or at is not None or not has_predictions(results) or results.overlap:
        return None
    return results.correctness


@dataclass(frozen=True)
class Question:
    """Claim with its contrasts: one, or one for each neighbouring pair of `order` and `monotone`.

    sign: 1 if the claim says that a contrast is above its margin, −1 if below. exact: True if all arms are
    deterministic, so that their only values are compared.
    """

    claim: Claim
    metric: Metric
    contrasts: tuple[Contrast, ...]
    sign: int
    exact: bool

    @property
    def sides(self) -> Sides:
        """Runs that the claim compares."""
        return self.contrasts[0].sides

    @property
    def margin(self) -> float:
        """Margin of a contrast that is multiplied by the sign."""
        level = self.claim.relation in ("above", "below")
        return self.sign * self.claim.margin if level else self.claim.margin

    @cached_property
    def infinite(self) -> int:
        """Number of runs with an infinite value."""
        return int(np.isinf(self.sides.rows["value"].to_numpy(dtype=np.float64)).sum())

    @property
    def obstacle(self) -> str:
        """Reason why the claim cannot be decided whatever its values are; "" if there is none."""
        if not self.metric.repeated:
            return SHARED
        lacking = dict(self.sides.reasons)
        if failed := lacking.pop("failed", 0):
            them = "it" if failed == 1 else "them"
            return f"{plural(failed, 'run')} failed; `dlsweep run --retry` trains {them} again"
        if self.sides.uneven:
            return f"{self.sides.untrained}, and not the same ones; `dlsweep run` trains them"
        if lacking:
            told = ", ".join(f"{reason}: {plural(count, 'run')}" for reason, count in lacking.items())
            return f"the {self.metric.words} of some runs is not defined ({told})"
        unreached = self.metric.kind == "iterations_to"
        relation = self.claim.relation
        if self.infinite and (relation in ("equals", "above", "below", "trend") or self.contrasts[0].overlap):
            cause = "never reached the level" if unreached else "diverged"
            return f"{plural(self.infinite, 'run')} {cause}, so the mean is not finite"
        if self.infinite and unreached and self.claim.margin:
            return f"{plural(self.infinite, 'run')} never reached the level, so a margin has no meaning"
        return ""


class Questions:
    """Questions of a sweep. The values of a metric are read once for all claims."""

    def __init__(self, results: Results):
        self.results = results
        self.factors = results.record.aligning
        self._values: Callable[[Metric, int | None], DataFrame] = cache(
            lambda metric, at: with_untrained(metric_values(results, metric, at), self.untrained)
        )

    @cached_property
    def untrained(self) -> list[Arm]:
        """Arms that have no run yet."""
        return untrained(self.results)

    def of(self, claim: Claim, first: int | None = None) -> Question:
        """Return the question of a claim; over the seeds below `first`, if it is given.

        A `UsageError` says which runs are lacking.
        """
        refuse_crossed(self.results)
        metric = metric_of(self.results, claim.metric or None)
        frame = self._values(metric, claim.at)
        frame = frame[fitting(frame, claim.where)]
        frame = frame if first is None else frame[frame["seed"] < first]
        sides = self._along(frame, claim.along) if claim.along else sides_of(frame, partial_arms(claim), self.factors)
        correct = correctness_of(self.results, metric, claim.at)
        overlap = self.results.overlap
        contrasts = tuple(Contrast(sides, weights, correct, overlap) for weights in _weights(claim, len(sides.names)))
        exact = metric.y == "parameters" or self._deterministic(sides)
        return Question(claim, metric, contrasts, _sign(claim, metric), exact)

    def _along(self, frame: DataFrame, setting: str) -> Sides:
        """Align the runs of each value of a numeric setting; `none` counts as 0."""
        owner, runs, task = setting.partition(".")[0], self.results.runs, self.results.record.tables.of_task
        known = members(frame, self.factors)
        if setting in frame:
            values = {arm: numeric_settings({}, arm.labels, task).get(setting) for arm in known}
        else:
            of_level: dict[str, float | None] = {}
            if setting in runs:
                first = runs.groupby(owner, observed=True)[setting].first().dropna()
                of_level |= {str(level): float(value) for level, value in first.items()}
            for arm in self.untrained:
                of_level.setdefault(arm.levels[owner], numeric_settings(arm.fields, arm.levels, task).get(setting))
            values = {arm: of_level.get(arm.labels.get(owner, "")) for arm in known}
        factors = [factor for factor in self.factors if factor in frame and factor != setting]
        rows = along(values, setting, factors)
        if len(rows) < 2:
            raise UsageError(f"{setting} has fewer than two levels among the finished runs")
        return align(frame, [*rows.values()], [f"{value:g}" for value in rows], factors)

    def _deterministic(self, sides: Sides) -> bool:
        """Return True if no run of the sides depends on its seed."""
        task, runs = self.results.record.tables.of_task, self.results.runs
        if not task.chance or "run_id" not in sides.rows:
            return False
        name = f"model.{task.chance}"
        noise = runs.get(f"{name}.value", runs.get(name))
        used = runs["run_id"].isin(sides.rows["run_id"])
        return noise is None or not noise[used].fillna(0.0).any()


def _weights(claim: Claim, sides: int) -> Sequence[Sequence[float]]:
    """Return the weights of the sides in each contrast of a claim."""
    if claim.relation in ("above", "below"):
        return [(1.0,)]
    if claim.relation in ("beats", "equals"):
        return [(1.0, -1.0, -1.0, 1.0) if claim.more else (1.0, -1.0)]
    if claim.relation == "trend":  # least squares over the ranks
        ranks = np.arange(sides) - (sides - 1) / 2
        return [list(ranks / (ranks @ ranks))]
    ahead = 1.0 if claim.relation == "order" else -1.0
    return [[ahead * (side == pair) - ahead * (side == pair + 1) for side in range(sides)] for pair in range(sides - 1)]


def _sign(claim: Claim, metric: Metric) -> int:
    """Return 1 if a claim says that its contrasts are above their margin, −1 if below."""
    if claim.relation in ("trend", "monotone"):
        return 1 if claim.direction == "up" else -1
    if claim.relation in ("above", "below", "equals"):
        return -1 if claim.relation == "below" else 1
    less = claim.better == "less" if claim.better else metric.less_is_better
    if less is None:
        raise UsageError(f"it is not known whether more or less {metric.words} is better; give the claim `better:`")
    return -1 if less else 1
