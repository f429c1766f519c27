"""Tests of claims: the p-values that would support and refute each, or the reason why there are none."""

from __future__ import annotations

from math import nan
from typing import NamedTuple

from dlsweep.analysis.outlook import FEWEST
from dlsweep.analysis.planned import look
from dlsweep.analysis.questions import Question, Questions
from dlsweep.analysis.sequential import Decision
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
    def p(self) -> float:
        """p-value that takes part in Holm's procedure."""
        return 1.0 if self.reason else min(self.support, self.refute)


def examined(questions: Questions, claim: Claim, looks: Looks | None = None) -> Tested:
    """Return a claim with its p-values, or with the reason why there are none.

    looks: those that were planned for some claims, if any.
    """
    if looks and looks.covers(claim):
        return _looked(questions, claim, looks)
    try:
        question = questions.of(claim)
    except UsageError as error:
        return Tested(claim, None, reason=str(error))
    if reason := question.obstacle:
        return Tested(claim, question, reason=reason)
    if question.exact:
        return Tested(claim, question, *_compared(question))
    n = question.sides.n
    reason = f"no claim is decided with fewer than {FEWEST} seeds" if n < FEWEST else ""
    return Tested(claim, question, *p_values(question), reason)


def _looked(questions: Questions, claim: Claim, looks: Looks) -> Tested:
    """Return a claim as the looks that were planned for it decide it."""
    found = look(questions, claim, looks)
    question, decision, reason = found.question, found.decision, found.reason
    if question is None or reason:
        return Tested(claim, question, reason=reason, planned=True)
    if question.exact:
        return examined(questions, claim)
    if not decision.seeds:
        reason = f"the first of the planned looks is at {looks.at[0]} seeds"
    elif not decision.sign:
        after = "last" if decision.seeds == looks.most else "latest"
        reason = f"the {after} of the planned looks, at {decision.seeds} seeds, did not decide it"
    return Tested(claim, question, *p_values(question), reason, planned=True, decision=decision)


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
