"""Comparison of two partial arms: the difference of a metric with its intervals, paired by seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from math import nan
from typing import Any

import numpy as np

from dlsweep.analysis.metrics import metric_of
from dlsweep.analysis.questions import Interval, Questions
from dlsweep.analysis.sentences import OVERLAP, subject, within
from dlsweep.analysis.sides import Sides
from dlsweep.analysis.statistics import pairing
from dlsweep.config.claims import ALPHA, Claim
from dlsweep.errors import UsageError
from dlsweep.metrics import OPTIMISTIC, SHARED
from dlsweep.storage.results import Results
from dlsweep.text import half_width, interval_text, measured, p_text, plural, sentence
from dlsweep.types import Array


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
        return _sentence(self)

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
    chosen, part = metric_of(results, metric), results.partial_arm(where or {})
    arms = results.partial_arm(first), results.partial_arm(second)
    claim = Claim("", "beats", arms, by, where=part, metric=chosen.name, at=at)
    question = Questions(results).of(replace(claim, better="less" if chosen.less_is_better else "more"))
    contrast, sides = question.contrasts[0], _apart(question.sides)
    return Comparison(
        first=sides.names[0],
        second=sides.names[1],
        metric=chosen.name,
        difference=contrast.effect,
        interval=contrast.interval(ALPHA) if chosen.repeated else (nan, nan),
        interval_new_images=contrast.interval_new_images(ALPHA),
        interval_exact=contrast.interval_exact(ALPHA) if chosen.repeated else (nan, nan),
        p=contrast.test(by, question.sign).two_sided if chosen.repeated else nan,
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


def _apart(sides: Sides) -> Sides:
    """Return two sides. A `UsageError` names an arm that is on both."""
    if (twice := sides.rows[sides.rows.duplicated(["arm", "seed"])]).size:
        raise UsageError(f"the arm {twice['arm'].iloc[0]} is on both sides of the comparison")
    return sides


def _sentence(found: Comparison) -> str:
    """Return the sentence on a comparison, followed by all that limits it."""
    if found.difference != found.difference:
        comparison = f"has no finite difference between {found.first} and {found.second} in any seed"
    elif found.difference == 0:
        comparison = f"is the same on average with {found.first} and with {found.second}"
    else:
        direction = "higher" if found.difference > 0 else "lower"
        size = measured(abs(found.difference), half_width(*found.interval))
        comparison = f"is {size} {direction} with {found.first} than with {found.second}"
    told = [plural(found.n, "seed")]
    if found.n > 1:
        told = [f"95 % interval {interval_text(*found.interval, sign=True)}", *told]
        told.append(f"p = {p_text(found.p)}" + f" for a margin of {found.by:g}" * bool(found.by))
    notes = [sentence(f"{found.words} {comparison} ({'; '.join(told)})")]
    if found.interval_new_images:
        ends = interval_text(*found.interval_new_images, sign=True)
        notes.append(f"On new images like these, the interval is {ends}.")
    if found.overlap:
        notes.append(sentence(OVERLAP))
    if found.pairing == found.pairing:
        notes.append(_pairing(found.pairing))
    for count, side in zip(found.diverged, (found.first, found.second)):
        notes += [f"{plural(count, 'run')} with {side} diverged."] * bool(count)
    if found.failed:
        notes.append(f"{plural(found.failed, 'run')} without a value, so nothing was tested.")
    notes += map(sentence, filter(None, (found.left_out, *found.limits)))
    return " ".join(notes)


def _pairing(ratio: float) -> str:
    if ratio < 1e-9:
        return "The paired differences are the same in every seed."
    share = f"The variance of paired differences is {ratio:.2g} times the unpaired one"
    return share + (f": shared seeds do the work of {1 / ratio:.2g} times as many." if 1e-9 < ratio < 0.9 else ".")
