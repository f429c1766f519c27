"""Comparison of two partial arms: the difference of a metric with its intervals, paired by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from dlsweep.analysis.contrasts import Contrast, Interval, correctness_of
from dlsweep.analysis.metrics import metric_of, metric_values
from dlsweep.analysis.sentences import of_comparison, subject, within
from dlsweep.analysis.sides import Sides, fitting, refuse_crossed, sides_of
from dlsweep.analysis.statistics import pairing
from dlsweep.analysis.untrained import untrained, with_untrained
from dlsweep.config.claims import ALPHA, PartialArm
from dlsweep.errors import UsageError
from dlsweep.metrics import OPTIMISTIC, SHARED
from dlsweep.storage.results import Results
from dlsweep.types import Array

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Comparison:
    """Difference of a metric between two partial arms, first − second, paired by seed.

    interval: the paired t interval at 95 %, on these test images. interval_new_images: the interval on new images like
    these, from the kept predictions; None without them, and for any metric but the final test accuracy. interval_exact:
    the interval that agrees with the sign-flip test. p: of the two-sided sign-flip test of the difference against `by`,
    in the direction that is better for the metric, if it has one. n: the number of seeds. pairing: the variance of
    paired differences over the one of unpaired differences, NaN if one of the two does not vary. diverged: the runs of
    each that diverged; their accuracy is chance, their loss infinite. The difference and its intervals are over the
    seeds with finite values, p is over all. failed: runs without a value; with any, p is NaN. left_out: a sentence on
    the combinations that only one of them has, or that are not trained yet. limits: sentences on the metric, such as a
    best value that is chosen on the test images. overlap: where seeds draw their own test samples, the number of test
    samples per other sample; then p and all intervals are those of Nadeau and Bengio (2003). differences: of each of
    the `seeds`.
    """

    first: str
    second: str
    metric: str
    difference: float
    interval: Interval
    interval_new_images: Interval | None
    interval_exact: Interval
    p: float
    n: int
    pairing: float
    diverged: tuple[int, ...]
    by: float = 0.0
    failed: int = 0
    left_out: str = ""
    limits: tuple[str, ...] = ()
    words: str = ""
    overlap: float = 0.0
    seeds: Array = field(default_factory=lambda: np.empty(0, np.int64), repr=False, compare=False)
    differences: Array = field(default_factory=lambda: np.empty(0), repr=False, compare=False)

    def __str__(self) -> str:
        return of_comparison(self)

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>"


def compare(
    results: Results,
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    *,
    metric: str | None = None,
    by: float = 0.0,
    where: Mapping[str, Any] | None = None,
    at: int | None = None,
) -> Comparison:
    """Compare two partial arms of a sweep; levels are given by labels or names, several as a list.

    metric: by default the final accuracy on the split furthest from training; by: the margin of the test; where: the
    part of the grid that is compared; at: an iteration. Both are averaged, seed by seed, over the combinations of the
    other factors that both have. A `UsageError` names an unknown word, or says that they have no seed in common.

    >>> import dlsweep
    >>> config = {"name": "start", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 50}}
    >>> grid = {"init": ["he", {"normal": {"std": 1e-9}}], "activation": ["relu", "tanh"]}
    >>> results = dlsweep.run({**config, "seeds": 6, "grid": grid}, executor="inline")
    >>> found = compare(results, {"init": "he"}, {"init": "normal"}, metric="best_test_accuracy")
    >>> found.n, found.difference > 0, found.interval[0] < found.difference < found.interval[1]
    (6, True, True)
    """
    refuse_crossed(results)
    chosen, part = metric_of(results, metric), results.partial_arm(where or {})
    frame = with_untrained(metric_values(results, chosen, at), untrained(results))
    arms = [results.partial_arm(one) for one in (first, second)]
    sides = _apart(frame[fitting(frame, part)], arms, results.record.aligning)
    contrast = Contrast(sides, (1, -1), correctness_of(results, chosen, at), results.overlap)
    return Comparison(
        first=sides.names[0],
        second=sides.names[1],
        metric=chosen.name,
        difference=contrast.effect,
        interval=contrast.interval(ALPHA) if chosen.repeated else (nan, nan),
        interval_new_images=contrast.interval_new_images(ALPHA),
        interval_exact=contrast.interval_exact(ALPHA) if chosen.repeated else (nan, nan),
        p=contrast.test(by, -1 if chosen.less_is_better else 1).two_sided if chosen.repeated else nan,
        n=sides.n,
        pairing=pairing(*sides.values.mean(axis=1)) if chosen.repeated else nan,
        diverged=sides.count("diverged"),
        by=by,
        failed=sum(sides.reasons.values()),
        left_out="; ".join(filter(None, [sides.left_out, sides.untrained])),
        limits=tuple([SHARED] * (not chosen.repeated) + [OPTIMISTIC] * chosen.optimistic),
        words=within(chosen, part, results.overlap) + subject(chosen, at),
        overlap=results.overlap,
        seeds=sides.seeds,
        differences=contrast.differences,
    )


def _apart(frame: DataFrame, arms: Sequence[PartialArm], factors: Sequence[str]) -> Sides:
    """Align two sides. A `UsageError` names an arm that is on both."""
    if (twice := frame[fitting(frame, arms[0]) & fitting(frame, arms[1])]).size:
        raise UsageError(f"the arm {twice['arm'].iloc[0]} is on both sides of the comparison")
    return sides_of(frame, arms, factors)
