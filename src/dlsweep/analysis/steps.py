"""Steps of a claim: each of its contrasts in numbers, and the seeds that would decide it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan

import numpy as np

from dlsweep.analysis.contrasts import Contrast, Interval
from dlsweep.analysis.outlook import FEWEST
from dlsweep.analysis.questions import Question
from dlsweep.analysis.statistics import Needed, detectable, fewest_seeds, hull, seeds_to_decide
from dlsweep.analysis.testing import Tested

UNKNOWN = Needed(None, None)


@dataclass(frozen=True)
class Step:
    """Contrast of a claim, such as first − second, over the seeds with finite values.

    interval: on these test images; it agrees with the test. interval_new_images: at least as wide; None if it is not
    available. p: of the two-sided test; NaN where nothing is tested, and at planned looks, which it would not count.
    """

    first: str
    second: str
    effect: float
    interval: Interval
    interval_new_images: Interval | None
    p: float


NO_STEP = Step("", "", nan, (nan, nan), None, nan)


def steps_of(test: Tested, question: Question, alpha: float) -> Iterator[Step]:
    """Yield the contrasts of a tested claim, with intervals at 1 − alpha."""
    names = question.sides.names
    for i, contrast in enumerate(question.contrasts):
        p = min(test.toward[i], test.away[i]) if test.toward and not (test.exact or test.planned) else nan
        first, second = (names[0], names[-1]) if len(question.contrasts) == 1 else names[i : i + 2]
        if test.exact:
            value = (
                float(contrast.differences[0]) if len(contrast.finite) else nan
            )  # two infinite losses differ by no 0
            yield Step(first, second, value, (value, value), None, p)
        else:
            yield Step(first, second, contrast.effect, *_intervals(test, question, contrast, alpha), p)


def _intervals(test: Tested, question: Question, contrast: Contrast, alpha: float) -> tuple[Interval, Interval | None]:
    """Return the interval on these test images, and the one on new images, which includes it.

    The first inverts the test. Student's t takes its place where no interval does: with infinite values, with few
    seeds, and at planned looks.
    """
    by_t = question.infinite or question.sides.n < FEWEST or test.planned
    interval = contrast.interval(alpha) if by_t else contrast.interval_exact(alpha)
    new_images = contrast.interval_new_images(alpha)
    if len(question.sides.names) == 1:  # the mean of a metric, which may have bounds
        interval = _clipped(interval, question.metric.bounds)
        new_images = new_images and _clipped(new_images, question.metric.bounds)
    return interval, new_images and hull(interval, new_images)


def _clipped(interval: Interval, bounds: Interval) -> Interval:
    low, high = np.clip(interval, *bounds)
    return float(low), float(high)


def needed(question: Question, contrast: Contrast, alpha: float) -> Needed:
    """Return the seeds that would decide a claim if its effect is as seen.

    Equality is supported by one-sided tests at alpha each, and one reversed pair of several refutes an order at alpha
    divided by their number.
    """
    if question.exact or question.obstacle:
        return UNKNOWN
    margin = question.margin
    if question.claim.relation == "equals":
        alpha *= 2 if abs(contrast.effect) < margin else 1
        margin = -margin if contrast.effect < 0 else margin
    if len(question.contrasts) > 1 and question.sign * contrast.effect < 0:
        alpha /= len(question.contrasts)
    fewest = max(FEWEST, fewest_seeds(1, alpha))
    half, eighty = seeds_to_decide(question.sign * contrast.finite, margin, alpha, contrast.overlap)
    return Needed(half and max(half, fewest), eighty and max(eighty, fewest))


def detected(contrast: Contrast, claims: int, alpha: float) -> float:
    """Return the smallest effect that as many seeds detect four times of five, for one of several claims."""
    values = contrast.finite
    if len(values) < 2:
        return nan
    return detectable(len(values), claims, alpha, overlap=contrast.overlap) * float(values.std(ddof=1))
