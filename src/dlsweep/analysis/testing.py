"""Tests of claims: the p-values that would support and refute each, or the reason why there are none; and its numbers.

A claim of planned looks was tested at planned numbers of seeds until it was decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan
from typing import NamedTuple

import numpy as np

from dlsweep.analysis.outlook import FEWEST
from dlsweep.analysis.questions import Contrast, Interval, Question, Questions
from dlsweep.analysis.sequential import Decision, Plan, sequential_equals, sequential_order, sequential_test
from dlsweep.analysis.statistics import Needed, detectable, fewest_seeds, hull, seeds_to_decide
from dlsweep.config.claims import Claim, Looks
from dlsweep.errors import UsageError


class Tested(NamedTuple):
    """Claim before the correction for the number of claims.

    question: None where its runs are lacking. planned: True if it is tested at planned looks. decision: theirs; None
    for other claims, and if no seeds can decide it.
    support, refute: p of the tests that would support and refute it; of deterministic arms 0 or 1. toward, away: p of
    each contrast for its direction and for the opposite one. reason: why it cannot be decided.
    """

    claim: Claim
    question: Question | None
    support: float = nan
    refute: float = nan
    toward: tuple[float, ...] = ()
    away: tuple[float, ...] = ()
    reason: str = ""
    planned: bool = False
    decision: Decision | None = None

    @property
    def exact(self) -> bool:
        """True if it needs no test."""
        return self.question is not None and self.question.exact

    @property
    def is_open(self) -> bool:
        """True if more seeds may decide it, at a later look."""
        return self.decision is not None and not self.decision.sign

    @property
    def p(self) -> float:
        """p-value that takes part in Holm's procedure."""
        return 1.0 if self.reason else min(self.support, self.refute)


def examined(questions: Questions, claim: Claim, looks: Looks | None = None) -> Tested:
    """Return a claim with its p-values, or with the reason why there are none.

    looks: those that were planned for some claims, if any. Of a planned claim, every look is made whose seeds are
    there.
    """
    planned = looks is not None and looks.covers(claim)
    plan = Plan(looks.alpha, len(looks.claims), looks.most, looks.at, looks.key) if looks and planned else None
    try:
        question = questions.of(claim)
        if reason := question.obstacle:
            before = _decided_before(questions, claim, plan) if plan else None
            return before or Tested(claim, question, reason=reason, planned=planned)
        if question.exact:
            return Tested(claim, question, *_compared(question))
        if plan:
            return _looked(questions, claim, question, plan)
    except UsageError as error:
        return Tested(claim, None, reason=str(error), planned=planned)
    reason = f"no claim is decided with fewer than {FEWEST} seeds" if question.sides.n < FEWEST else ""
    return Tested(claim, question, *p_values(question), reason)


def _looked(questions: Questions, claim: Claim, question: Question, plan: Plan) -> Tested:
    """Return a claim as planned looks decide it, at the seeds where it was decided, or at the last look."""
    decision, reason = _decision(question, plan), ""
    if not decision.seeds:
        reason = f"the first of the planned looks is at {plan.looks[0]} seeds"
    else:
        question = questions.of(claim, first=decision.seeds)
        if not decision.sign:
            after = "last" if decision.seeds == plan.most else "latest"
            reason = f"the {after} of the planned looks, at {decision.seeds} seeds, did not decide it"
    return Tested(claim, question, *p_values(question), reason, planned=True, decision=decision)


def _decided_before(questions: Questions, claim: Claim, plan: Plan) -> Tested | None:
    """Return a claim that was decided at an earlier look, before it had runs that no test can use; None if it was not.

    Other claims may add seeds to its arms, and such runs do not change a verdict that was read.
    """
    for n in plan.looks:
        question = questions.of(claim, first=n)
        if question.obstacle or question.exact or question.sides.n < n:
            return None
        if (decision := _decision(question, plan)).sign:
            return Tested(claim, question, *p_values(question), planned=True, decision=decision)
    return None


def _decision(question: Question, plan: Plan) -> Decision:
    """Test a question at the looks of a plan. The sign is 1 if the claim is supported, -1 if it is refuted."""
    if question.claim.relation == "equals":
        return sequential_equals(question.contrasts[0].differences, question.margin, plan)
    beyond = [contrast.beyond(question.margin, question.sign) for contrast in question.contrasts]
    return sequential_test(beyond[0], plan) if len(beyond) == 1 else sequential_order(beyond, plan)


PValues = tuple[float, float, tuple[float, ...], tuple[float, ...]]  # support, refute, toward, away


def p_values(question: Question) -> PValues:
    """Return p of support and of refutation, and p of each contrast for its direction and for the opposite one.

    equals: two one-sided tests (Schuirmann 1987), and for the opposite twice the smaller one. order, monotone: the
    largest p of all pairs, where a pair that points the other way has 1; one reversed pair refutes them.
    """
    if question.claim.relation == "equals":
        contrast, margin = question.contrasts[0], question.margin
        low, high = contrast.test(-margin), contrast.test(margin)
        support, refute = max(low.greater, high.less), min(1.0, 2 * min(low.less, high.greater))
        return support, refute, (support,), (refute,)
    tests = [contrast.test(question.margin, question.sign) for contrast in question.contrasts]
    toward = tuple(test.two_sided if test.greater < test.less else 1.0 for test in tests)
    away = tuple(test.two_sided if test.less < test.greater else 1.0 for test in tests)
    return max(toward), min(1.0, len(away) * min(away)), toward, away


def _compared(question: Question) -> PValues:
    """Return, for deterministic arms, 0 for what holds exactly and 1 for what does not, in place of p-values."""
    if question.claim.relation == "equals":
        inside = bool(abs(question.contrasts[0].differences[0]) <= question.margin)
        return float(not inside), float(inside), (float(not inside),), (float(inside),)
    values = [contrast.beyond(question.margin, question.sign)[0] for contrast in question.contrasts]
    toward, away = ([float(not sign * value > 0) for value in values] for sign in (1, -1))
    return max(toward), min(away), tuple(toward), tuple(away)


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
            # two infinite losses differ by no 0
            value = float(contrast.differences[0]) if len(contrast.finite) else nan
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
