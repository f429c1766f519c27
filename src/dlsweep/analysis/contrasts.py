"""Contrasts: sets of runs aligned by seed and by combination of the other factors, and their differences seed by seed.

The unit is the seed. A side is a set of arms that fit a partial arm, such as `{activation: relu}`. Sides are compared
over the seeds that all of their arms have, and over the combinations of the open factors that all sides have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import and_
from typing import TYPE_CHECKING

import numpy as np

from dlsweep.analysis.crossed import crossed_interval, overlapping_splits_test
from dlsweep.analysis.facets import labels
from dlsweep.analysis.predictions import correctness, has_predictions
from dlsweep.analysis.sign_flips import MOST_EXACT, SignFlips, sign_flip_interval, sign_flip_test
from dlsweep.analysis.statistics import Replication, interval
from dlsweep.config.claims import PartialArm
from dlsweep.config.labels import arm_text
from dlsweep.config.sides import ABSENT, open_factors
from dlsweep.errors import UsageError
from dlsweep.metrics import Metric
from dlsweep.storage.results import Results
from dlsweep.types import Array

if TYPE_CHECKING:
    from pandas import DataFrame

Interval = tuple[float, float]

_MOST_NAMED = 3  # combinations that a sentence names
_BLOCK = 1000  # runs whose predictions are in memory together


def name_of(arm: PartialArm) -> str:
    """Return the words for a partial arm.

    >>> name_of({"activation": ["relu"], "optimizer": ["adam lr=0.1", "adam lr=0.01"], "optimizer.lr": ["0.1"]})
    'relu, adam, optimizer.lr 0.1'
    """
    words = []
    for factor, fitting in arm.items():
        first = {label.partition(" ")[0] for label in fitting}
        said = first.pop() if len(first) == 1 < len(fitting) else " or ".join(fitting)
        words.append(f"{factor} {said}" if "." in factor or said in (ABSENT, "none") else said)
    return ", ".join(words)


def refuse_crossed(results: Results) -> None:
    """Raise a `UsageError` if the seeds of a sweep are crossed: its runs share draws, so they are no replicates."""
    if crossed := results.record.tables.sources:
        raise UsageError(
            f"the seeds of {results.folder} are crossed ({', '.join(crossed)}), so its runs are not independent; "
            "arms are compared over plain seeds, such as seeds: 10"
        )


def fitting(frame: DataFrame, arm: PartialArm) -> Array:
    """Return a mask of the rows that fit a partial arm."""
    masks = (labels(frame, factor).isin(list(levels)).to_numpy() for factor, levels in arm.items())
    return reduce(and_, masks, np.ones(len(frame), bool))


@dataclass(frozen=True)
class Sides:
    """The runs of some sides, aligned.

    values: mean over the arms of a side with the same combination of the open factors, `(sides, combinations, seeds)`;
    an infinite value is one of a diverged run, or of a level that was never reached. rows: the runs that count, with
    the columns `side`, `combination` and `place`, the index of the seed. trained: the number of seeds that some arm
    has. left_out: a sentence on the combinations that not all sides have; "" without any.
    """

    names: tuple[str, ...]
    values: Array
    seeds: Array
    rows: DataFrame
    trained: int
    left_out: str = ""

    @property
    def n(self) -> int:
        """The number of seeds."""
        return len(self.seeds)

    def count(self, status: str) -> tuple[int, ...]:
        """Return the number of runs of each side that ended with a status."""
        there = self.rows.loc[self.rows["status"] == status, "side"]
        return tuple(int((there == side).sum()) for side in range(len(self.names)))

    @cached_property
    def reasons(self) -> dict[str, int]:
        """The number of runs without a value, by reason."""
        return dict(Counter(map(str, self.rows.loc[self.rows["value"].isna(), "reason"])))

    @cached_property
    def key(self) -> str:
        """Name of the random sign patterns: the runs that are compared; "" where all patterns are compared."""
        if self.n <= MOST_EXACT:
            return ""
        name = "run_id" if "run_id" in self.rows else "seed"
        return " ".join(map(str, self.rows.sort_values(["side", "combination", "place"])[name]))

    @property
    def weights(self) -> Array:
        """The weight of each row in the mean of its side and seed."""
        members = self.rows.groupby(["side", "combination", "place"], observed=True)["place"].transform("size")
        return np.asarray(1.0 / (self.values.shape[1] * members.to_numpy(dtype=np.float64)))


def align(frame: DataFrame, masks: Sequence[Array], names: Sequence[str], factors: Sequence[str]) -> Sides:
    """Align the rows of each side, given by a mask, over the seeds and the combinations that all sides have.

    frame: of `metric_values`; factors: the open ones. A factor that no arm of a side has is not open.
    A `UsageError` says that a side has no runs, or that the sides have no combination or no seed in common.
    """
    for name, mask in zip(names, masks):
        if not mask.any():
            raise UsageError(f"no run of {name} is there")
    factors = [factor for factor in factors if not _absent((labels(frame, factor) == ABSENT).to_numpy(), masks)]
    combination, where = _number(frame, factors), [np.flatnonzero(mask) for mask in masks]
    common = reduce(and_, (set(np.unique(combination[own]).tolist()) for own in where))
    if not common:
        raise UsageError(f"{' and '.join(names)} have no combination of {', '.join(factors)} in common")
    every = np.concatenate(where)
    side = np.repeat(np.arange(len(masks)), [len(own) for own in where])
    rows = frame.iloc[every].assign(side=side, combination=combination[every]).reset_index(drop=True)
    left_out = _left_out(rows, common, names, factors)
    rows = rows[rows["combination"].isin(common)]
    seeds = _shared_seeds(rows)
    if not len(seeds):
        raise UsageError(f"{' and '.join(names)} have no seed in common")
    trained = rows["seed"].nunique()
    rows = rows[rows["seed"].isin(seeds)]
    rows = rows.assign(
        combination=np.searchsorted(sorted(common), rows["combination"]), place=np.searchsorted(seeds, rows["seed"])
    )
    shape = (len(masks), len(common), len(seeds))
    where = np.ravel_multi_index(rows[["side", "combination", "place"]].to_numpy().T, shape)
    total = np.bincount(where, rows["value"].to_numpy(dtype=np.float64), minlength=np.prod(shape))
    values = (total / np.bincount(where, minlength=np.prod(shape))).reshape(shape)
    return Sides(tuple(names), values, seeds, rows, trained, left_out)


def _absent(absent: Array, masks: Sequence[Array]) -> bool:
    """Return True if some sides, but not all, are without a factor. absent: the rows without it."""
    return 0 < sum(bool(absent[mask].all()) for mask in masks) < len(masks)


def _number(frame: DataFrame, factors: Sequence[str]) -> Array:
    """Return the number of each row's combination of levels."""
    if not factors:
        return np.zeros(len(frame), np.int64)
    groups = frame.groupby([*factors], sort=False, observed=True, dropna=False)
    return groups.ngroup().to_numpy()


def _shared_seeds(rows: DataFrame) -> Array:
    """Return the seeds that every arm of every side has, sorted."""
    arm = rows.groupby(["side", "combination", "arm"], sort=False, observed=True).ngroup()
    arms_of = arm.groupby(rows["seed"]).nunique()
    return np.array(arms_of.index[arms_of == arm.nunique()])


def _left_out(rows: DataFrame, common: Collection[int], names: Sequence[str], factors: Sequence[str]) -> str:
    """Return a sentence on the combinations of the open factors that only some sides have."""
    varying = [factor for factor in factors if rows[factor].nunique() > 1]
    told = []
    for side, part in rows[~rows["combination"].isin(common)].groupby("side"):
        found = list(dict.fromkeys(", ".join(words) for words in zip(*(labels(part, f) for f in varying))))
        more = f" or {len(found) - _MOST_NAMED} others" if len(found) > _MOST_NAMED else ""
        told.append(f"{names[int(str(side))]} with {' or '.join(found[:_MOST_NAMED])}{more}")
    return f"left out, since not every side has it: {'; '.join(told)}" if told else ""


def sides_of(frame: DataFrame, arms: Sequence[PartialArm], factors: Sequence[str]) -> Sides:
    """Align the runs of some partial arms of a frame of `metric_values`. factors: of the sweep.

    A `UsageError` is as of `align`.
    """
    there = open_factors(arms, [factor for factor in factors if factor in frame])
    names = [name_of(arm) for arm in arms]
    if len(set(names)) < len(names):
        names = [arm_text(arm) for arm in arms]
    return align(frame, [fitting(frame, arm) for arm in arms], names, there)


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of the means of some sides, seed by seed: a difference has the weights 1 and −1.

    correct: gives the correctness of predictions by run, `(runs, images)`, for some ids of runs; None without them.
    overlap: where seeds draw splits of one data set, the number of test samples for each other one; then the test and
    all intervals are those of Nadeau and Bengio (2003), since sign flips need independent seeds.
    """

    sides: Sides
    weights: Sequence[float]
    correct: Callable[[Sequence[str]], Array] | None = None
    overlap: float = 0.0

    @cached_property
    def differences(self) -> Array:
        """The contrast of each seed, `(seeds,)`.

        An infinite value outweighs all finite ones, and infinite values of opposite sign in one combination cancel.
        """
        return self._summed[0]

    @cached_property
    def _summed(self) -> tuple[Array, Array]:
        """The contrast of each seed, and a mask of the seeds in which only infinite values met, and cancelled."""
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
        """The contrast of the seeds in which all values are finite."""
        kept: Array = self.differences[np.isfinite(self.sides.values[self._used]).all(axis=(0, 1))]
        return kept

    @property
    def _used(self) -> Array:
        """A mask of the sides that the contrast is about: those of weight 0 are of other pairs of an order."""
        return np.asarray(self.weights, np.float64).astype(bool)

    @property
    def effect(self) -> float:
        """Mean over the seeds in which all values are finite; NaN without any."""
        return float(self.finite.mean()) if len(self.finite) else float("nan")

    def beyond(self, margin: float, sign: int = 1) -> Array:
        """Return `sign · contrast − margin` of each seed; 0, without the margin, where infinities cancel."""
        differences, cancelled = self._summed
        return np.where(cancelled, 0.0, sign * differences - margin)

    def test(self, margin: float = 0.0, sign: int = 1) -> SignFlips:
        """Test `sign · contrast − margin` against 0."""
        if self.overlap:
            return SignFlips(*overlapping_splits_test(self.beyond(margin, sign), self.overlap), exact=False)
        return sign_flip_test(self.beyond(margin, sign), key=self.sides.key)

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

        It needs predictions, the data that they are of, and two seeds.
        """
        if self.correct is None or self.sides.n < 2:
            return None
        weights = np.asarray(self.weights, np.float64)[self.sides.rows["side"]] * self.sides.weights
        rows, weights = self.sides.rows[weights != 0], weights[weights != 0]
        runs, place = rows["run_id"].astype(str).to_numpy(), rows["place"].to_numpy()
        by_seed: Array | float = 0.0
        for block in np.array_split(np.arange(len(rows)), len(rows) // _BLOCK + 1):
            shares = np.zeros((self.sides.n, len(block)))
            shares[place[block], np.arange(len(block))] = weights[block]
            try:
                by_seed = by_seed + shares @ self.correct(list(runs[block]))
            except UsageError:  # several data sets, or data that is not there or has changed
                return None
        low, high = crossed_interval(by_seed, 1 - alpha)
        return None if np.isnan(low) else (float(low), float(high))


def correctness_of(results: Results, metric: Metric, at: int | None) -> Callable[[Sequence[str]], Array] | None:
    """Return the function that gives the correctness of predictions by run; None if an interval cannot have it.

    Predictions are of the final network on the test images, so they say nothing about other metrics; and where seeds
    draw their own test images, the seeds have none in common.
    """
    if metric.name != "final_test_accuracy" or at is not None or not has_predictions(results) or results.overlap:
        return None
    rows = results.runs.set_index("run_id", drop=False)
    return lambda runs: correctness(results, rows.loc[list(runs)])
