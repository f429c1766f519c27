"""Verdicts on the claims of a sweep: supported, refuted or undecided, with effect, interval and p.

Each claim has two p-values, of the tests that would support and refute it. The smaller one takes part in Holm's
procedure over the claims of the sweep. Claims that cannot be decided for another reason take part with p = 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import nan
from typing import Literal

import numpy as np

from dlsweep.analysis.contrasts import Contrast, Interval
from dlsweep.analysis.outlook import FEWEST
from dlsweep.analysis.questions import Question, Questions
from dlsweep.analysis.statistics import Needed, detectable, fewest_seeds, holm, seeds_to_decide
from dlsweep.analysis.testing import Tested, examined
from dlsweep.config.claims import Claim
from dlsweep.metrics import Metric
from dlsweep.storage.results import Results

Word = Literal["supported", "refuted", "undecided"]

UNKNOWN = Needed(None, None)
OPPOSITE = {"supported": "refuted", "refuted": "supported"}


@dataclass(frozen=True)
class Step:
    """A contrast of a claim, such as first − second, over the seeds with finite values.

    interval: on these test images; it agrees with the test. interval_new_images: None if it is not available. p: of the
    two-sided test; NaN where nothing is tested, and at planned looks, which it would not count.
    """

    first: str
    second: str
    effect: float
    interval: Interval
    interval_new_images: Interval | None
    p: float


@dataclass(frozen=True)
class Verdict:
    """Verdict on a claim of a sweep.

    steps: one, or one for each neighbouring pair of `order` and `monotone`; deciding: the index of the one that the
    verdict rests on. sign: 1 if more is claimed, −1 if less. level: of the intervals. p, adjusted: before and after
    Holm's correction for the number of `claims` of the sweep; NaN where nothing is tested. n: seeds, of the `trained`
    ones that some arm has; finite: those whose values are all finite. diverged, stopped,
    infinite: the runs that diverged, stopped early, have an infinite value. reason: why the claim is undecided, "" if p
    alone is. needed: seeds to decide it, if the effect is as seen; detectable: the smallest effect that n seeds detect
    four times of five. late: stated after the results. exact: no run depends on its seed, and nothing is tested.
    overlap: where seeds draw their own test samples, their number for each other one; else 0.
    planned: the seeds at the last of the looks that were planned for it, 0 without looks; seen: those before the plan.
    """

    claim: Claim
    verdict: Word
    sweep: str
    folder: str
    metric: Metric | None = None
    sign: int = 1
    sides: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    deciding: int = 0
    level: float = 0.95
    p: float = nan
    adjusted: float = nan
    claims: int = 1
    n: int = 0
    finite: int = 0
    trained: int = 0
    diverged: int = 0
    stopped: int = 0
    infinite: int = 0
    reason: str = ""
    needed: Needed = UNKNOWN
    detectable: float = nan
    left_out: str = ""
    late: bool = False
    exact: bool = False
    overlap: float = 0.0
    planned: int = 0
    seen: int = 0

    @property
    def step(self) -> Step:
        """The contrast that the verdict rests on."""
        return self.steps[self.deciding] if self.steps else Step("", "", nan, (nan, nan), None, nan)

    @property
    def told(self) -> tuple[Step, ...]:
        """The contrasts that a sentence gives the numbers of: where one pair refutes an order, this one."""
        return (self.step,) if self.verdict == "refuted" else self.steps

    @property
    def effect(self) -> float:
        """Mean of the deciding contrast."""
        return self.step.effect

    @property
    def interval(self) -> Interval:
        """Interval of the effect, on these test images."""
        return self.step.interval

    @property
    def signed(self) -> bool:
        """True if its effects are differences, which have a sign."""
        return self.claim.relation not in ("above", "below")

    @property
    def as_expected(self) -> bool:
        """True if the verdict is the one that the claim expects."""
        return self.verdict == self.claim.expect

    @property
    def opposite(self) -> bool:
        """True if the verdict is the opposite of the one that the claim expects."""
        return OPPOSITE.get(self.verdict) == self.claim.expect

    @property
    def margins(self) -> tuple[float, ...]:
        """The effects at which the verdict turns: of `equals` two, else one."""
        margin = self.claim.margin
        margins = {"equals": (-margin, margin), "above": (margin,), "below": (margin,)}
        return margins.get(self.claim.relation, (self.sign * margin,))

    @property
    def open_on_new_images(self) -> bool:
        """True if the verdict holds on these test images only: the interval on new ones has a margin inside."""
        steps = self.steps if self.verdict == "supported" else [self.step] if self.verdict == "refuted" else ()
        there = [step.interval_new_images for step in steps if step.interval_new_images]
        return any(low <= at <= high for low, high in there for at in self.margins)

    @property
    def sentence(self) -> str:
        """The verdict as a person reads it out."""
        from dlsweep.analysis.sentences import of_verdict

        return of_verdict(self)


def verdicts_of(results: Results) -> list[Verdict]:
    """Return the verdicts on the claims of a sweep, in their order."""
    record, questions = results.record, Questions(results)
    found = [examined(questions, claim, record.looks) for claim in record.claims]
    counted = [i for i, one in enumerate(found) if not (one.exact or one.decision)]
    adjusted = np.full(len(found), nan)
    adjusted[counted] = holm([found[i].p for i in counted])
    left = sum(not adjusted[i] <= record.alpha for i in counted)  # Holm's step for those that are undecided
    return [
        _verdict(results, one, float(own), len(counted), record.alpha, max(1, left))
        for one, own in zip(found, adjusted)
    ]


def _verdict(results: Results, test: Tested, adjusted: float, claims: int, alpha: float, left: int) -> Verdict:
    """Return the verdict on a tested claim. left: the number of claims at the step of Holm that it did not pass."""
    claim, question = test.claim, test.question
    begun = Verdict(
        claim, "undecided", results.name, str(results.folder), claims=claims, late=claim.name in results.record.late
    )
    if question is None:
        return replace(begun, reason=test.reason)
    word, reason, looks = _word(test, adjusted, alpha), test.reason, results.record.looks
    if word == "undecided" and not reason and test.p <= alpha:
        reason = f"only the correction for {claims} claims (Holm) prevents a verdict"
    decision = test.decision
    level = 1 - 2 * alpha if claim.relation == "equals" and word == "supported" and not decision else 1 - alpha
    deciding = _deciding(word, test)
    sides, contrast = question.sides, question.contrasts[deciding]
    return replace(
        begun,
        verdict=word,
        metric=question.metric,
        sign=question.sign,
        sides=sides.names,
        steps=tuple(_steps(question, 1 - level, test)),
        deciding=deciding,
        level=level,
        p=nan if test.exact or decision else min(test.support, test.refute),
        adjusted=nan if test.reason or decision else adjusted,
        n=1 if test.exact else sides.n,
        finite=min(len(contrast.finite) for contrast in question.contrasts),
        trained=sides.trained,
        diverged=sum(sides.count("diverged")),
        stopped=sum(sides.count("stopped")),
        infinite=question.infinite,
        reason=reason,
        needed=_needed(question, contrast, alpha / left) if word == "undecided" and not decision else UNKNOWN,
        detectable=nan if test.exact or question.obstacle else _detectable(contrast, left, alpha),
        left_out=sides.left_out,
        exact=test.exact,
        overlap=contrast.overlap,
        planned=looks.most if looks and decision else 0,
        seen=looks.seen if looks and decision else 0,
    )


def _word(test: Tested, adjusted: float, alpha: float) -> Word:
    """Return the verdict on a tested claim."""
    if test.decision:
        return ("undecided", "supported", "refuted")[test.decision.sign]
    passed = not test.reason and (test.p if test.exact else adjusted) <= alpha
    return "undecided" if not passed else "supported" if test.support <= test.refute else "refuted"


def _deciding(word: Word, test: Tested) -> int:
    """Return the index of the contrast that a verdict rests on: the weakest one, or the one that refutes."""
    if not test.toward:
        return 0
    return int(np.argmin(test.away) if word == "refuted" else np.argmax(test.toward))


def _steps(question: Question, alpha: float, test: Tested) -> Iterator[Step]:
    """Yield the contrasts of a claim with their intervals."""
    names = question.sides.names
    for i, contrast in enumerate(question.contrasts):
        p = min(test.toward[i], test.away[i]) if test.toward and not (test.exact or test.decision) else nan
        first, second = (names[0], names[-1]) if len(question.contrasts) == 1 else names[i : i + 2]
        if test.exact:
            value = float(contrast.differences[0])
            yield Step(first, second, value, (value, value), None, p)
        else:
            by_t = question.infinite or question.sides.n < FEWEST or test.decision
            interval = contrast.interval(alpha) if by_t else contrast.interval_exact(alpha)
            if len(names) == 1:  # the mean of a metric, which may have bounds
                interval = _clipped(interval, question.metric.bounds)
            yield Step(first, second, contrast.effect, interval, contrast.interval_new_images(alpha), p)


def _clipped(interval: Interval, bounds: Interval) -> Interval:
    low, high = np.clip(interval, *bounds)
    return float(low), float(high)


def _needed(question: Question, contrast: Contrast, alpha: float) -> Needed:
    """Return the seeds that would decide a claim if its effect is as seen."""
    if question.exact or question.obstacle:
        return UNKNOWN
    margin = question.margin
    if question.claim.relation == "equals" and contrast.effect < 0:
        margin = -margin
    if len(question.contrasts) > 1 and question.sign * contrast.effect < 0:
        alpha /= len(question.contrasts)  # a reversal, which one of several pairs would show
    fewest = max(FEWEST, fewest_seeds(1, alpha))
    half, eighty = seeds_to_decide(question.sign * contrast.finite, margin, alpha, contrast.overlap)
    return Needed(half and max(half, fewest), eighty and max(eighty, fewest))


def _detectable(contrast: Contrast, claims: int, alpha: float) -> float:
    """Return the smallest effect that as many seeds detect four times of five."""
    values = contrast.finite
    if len(values) < 2:
        return nan
    return detectable(len(values), claims, alpha, overlap=contrast.overlap) * float(values.std(ddof=1))
