"""Verdicts on the claims of a sweep: supported, refuted or undecided, with effect, interval and p.

A verdict is made in five steps.

1. `questions`: a claim becomes contrasts, such as first − second seed by seed; an order has one for each pair.
2. `testing`: a claim has two p-values, of the tests that would support and refute it, or a reason why it has none.
3. Here: the smaller p takes part in Holm's procedure over the claims of the sweep. A claim that cannot be decided for
   another reason takes part with p = 1. Deterministic claims, and those of planned looks, do not take part.
4. Here: a claim is decided if its adjusted p is at most alpha, in the direction of its smaller p.
5. `testing`: the effect of each contrast, with intervals that agree with the tests; `sentences` tells all of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from math import nan
from typing import Literal

import numpy as np

from dlsweep.analysis.outlook import FEWEST
from dlsweep.analysis.questions import Interval, Question, Questions
from dlsweep.analysis.statistics import Needed, holm
from dlsweep.analysis.testing import NO_STEP, UNKNOWN, Step, Tested, detected, examined, needed, steps_of
from dlsweep.config.claims import Claim
from dlsweep.metrics import Metric
from dlsweep.storage.results import Results

Word = Literal["supported", "refuted", "undecided"]

OPPOSITE = {"supported": "refuted", "refuted": "supported"}


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
    overlap: where seeds draw their own test samples, the number of test samples per other sample; else 0.
    planned: the seeds at the last of the looks that were planned for it, 0 without looks; seen: those before the plan.
    unplanned: True if looks were planned for other claims of the sweep. alpha: the error rate of the tests.
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
    unplanned: bool = False
    alpha: float = 0.05

    def __str__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.sentence)}</p>"

    @property
    def step(self) -> Step:
        """Contrast that the verdict rests on."""
        return self.steps[self.deciding] if self.steps else NO_STEP

    @property
    def told(self) -> tuple[Step, ...]:
        """Contrasts that a sentence gives the numbers of: where one pair refutes an order, this one."""
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
    def by_t(self) -> bool:
        """True if its intervals are Student's t, since none agrees with its test."""
        return bool(self.infinite or self.n < FEWEST or self.planned)

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
        """Effects at which the verdict turns: of `equals` two, else one."""
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
        """Verdict as a person reads it out."""
        from dlsweep.analysis.sentences import of_verdict

        return of_verdict(self)


def verdicts_of(results: Results) -> list[Verdict]:
    """Return the verdicts on the claims of a sweep, in their order.

    Deterministic claims and those of planned looks take no part in Holm's procedure. The claims that do not pass it
    share alpha at the step that one of them has to pass next.
    """
    record, questions = results.record, Questions(results)
    tests = [examined(questions, claim, record.looks) for claim in record.claims]
    part = np.array([not (one.exact or one.planned) for one in tests], bool)
    adjusted = np.full(len(tests), nan)
    adjusted[part] = holm([one.p for one, counts in zip(tests, part) if counts])
    left = max(1, int((part & ~(adjusted <= record.alpha)).sum()))
    return [_verdict(results, test, float(p), int(part.sum()), left) for test, p in zip(tests, adjusted)]


def _verdict(results: Results, test: Tested, adjusted: float, claims: int, left: int) -> Verdict:
    """Return the verdict on a claim after Holm's procedure over some claims, of which some are left."""
    claim, record = test.claim, results.record
    begun = Verdict(
        claim,
        "undecided",
        results.name,
        str(results.folder),
        claims=claims,
        reason=test.reason,
        late=claim.name in record.late,
        exact=test.exact,
        planned=record.looks.most if record.looks and test.planned else 0,
        seen=record.looks.seen if record.looks and test.planned else 0,
        unplanned=bool(record.looks) and not (test.planned or test.exact),
        alpha=record.alpha,
    )
    if test.question is None:
        return begun
    word = _word(test, adjusted, record.alpha)
    reason = test.reason or ("" if word != "undecided" else _nearly(test, claims, record.alpha))
    decided = replace(begun, verdict=word, reason=reason, deciding=_deciding(word, test))
    return _with_numbers(decided, test, test.question, adjusted, left)


def _word(test: Tested, adjusted: float, alpha: float) -> Word:
    """Return the verdict on a tested claim. adjusted: its p after Holm's procedure."""
    if test.planned:
        return ("undecided", "supported", "refuted")[test.decision.sign if test.decision else 0]
    passed = not test.reason and (test.p if test.exact else adjusted) <= alpha
    return "undecided" if not passed else "supported" if test.support <= test.refute else "refuted"


def _nearly(test: Tested, claims: int, alpha: float) -> str:
    """Return the reason why a claim is undecided although an interval says otherwise; "" if none does."""
    if test.planned or test.exact:
        return ""
    if test.p <= alpha:
        return f"only the correction for {claims} claims (Holm) prevents a verdict"
    if len(test.away) > 1 and min(test.away) <= alpha:
        pairs, least = len(test.away), alpha / len(test.away)
        return f"a pair points the other way, but one of {pairs} pairs refutes the claim at p ≤ {least:.2g} only"
    return ""


def _deciding(word: Word, test: Tested) -> int:
    """Return the index of the contrast that a verdict rests on: the weakest one, or the one that refutes."""
    if not test.toward:
        return 0
    return int(np.argmin(test.away) if word == "refuted" else np.argmax(test.toward))


def _with_numbers(verdict: Verdict, test: Tested, question: Question, adjusted: float, left: int) -> Verdict:
    """Return a verdict with effects, intervals, p-values, counts of seeds and runs, and the seeds that it needs."""
    alpha, sides = verdict.alpha, question.sides
    contrast, is_open = question.contrasts[verdict.deciding], verdict.verdict == "undecided" and not test.planned
    one_sided = question.claim.relation == "equals" and verdict.verdict == "supported" and not test.planned
    level = 1 - 2 * alpha if one_sided else 1 - alpha
    return replace(
        verdict,
        metric=question.metric,
        sign=question.sign,
        sides=sides.names,
        steps=tuple(steps_of(test, question, 1 - level)),
        level=level,
        p=nan if test.exact or test.planned else min(test.support, test.refute),
        adjusted=nan if test.reason else adjusted,
        n=1 if test.exact else sides.n,
        finite=min(len(one.finite) for one in question.contrasts),
        trained=sides.trained,
        diverged=sum(sides.count("diverged")),
        stopped=sum(sides.count("stopped")),
        infinite=question.infinite,
        overlap=contrast.overlap,
        needed=needed(question, contrast, alpha / left) if is_open else UNKNOWN,
        detectable=nan if test.exact or question.obstacle else detected(contrast, left, alpha),
        left_out="; ".join(filter(None, [sides.left_out, "" if sides.uneven else sides.untrained])),
    )
