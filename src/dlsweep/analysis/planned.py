"""Verdicts of planned looks: claims that were tested at planned numbers of seeds until they were decided."""

from __future__ import annotations

from typing import NamedTuple

from dlsweep.analysis.questions import Question, Questions
from dlsweep.analysis.sequential import Decision, Plan, sequential_equals, sequential_order, sequential_test
from dlsweep.config.claims import Claim, Looks
from dlsweep.errors import UsageError


class Looked(NamedTuple):
    """Claim of a plan after the looks so far.

    decision: of its test, at the seeds where it was decided, or at the last look. question: over these seeds, None
    where its runs are lacking. reason: why no seeds can decide it; "" if seeds can.
    """

    claim: Claim
    decision: Decision
    question: Question | None = None
    reason: str = ""

    @property
    def is_open(self) -> bool:
        """True if more seeds may decide it."""
        return not (self.decision.sign or self.reason or (self.question and self.question.exact))


def look(questions: Questions, claim: Claim, looks: Looks) -> Looked:
    """Test a claim at every look whose seeds are there."""
    plan, none = plan_of(looks), Decision(0, 0, 0.0)
    try:
        question = questions.of(claim)
        if reason := question.obstacle:
            return _decided_before(questions, claim, plan) or Looked(claim, none, question, reason)
        if question.exact:
            return Looked(claim, none, question)
        decision = _decision(question, plan)
        return Looked(claim, decision, questions.of(claim, first=decision.seeds) if decision.seeds else question)
    except UsageError as error:
        return Looked(claim, none, reason=str(error))


def _decided_before(questions: Questions, claim: Claim, plan: Plan) -> Looked | None:
    """Return a claim that was decided at an earlier look, before it had runs that no test can use; None if it was not.

    Other claims may add seeds to its arms, and such runs do not change a verdict that was read.
    """
    for n in plan.looks:
        question = questions.of(claim, first=n)
        if question.obstacle or question.sides.n < n:
            return None
        decision = _decision(question, plan)
        if decision.sign:
            return Looked(claim, decision, question)
    return None


def plan_of(looks: Looks) -> Plan:
    """Return the plan of some looks."""
    return Plan(looks.alpha, len(looks.claims), looks.most, looks.at, looks.seen, looks.key)


def _decision(question: Question, plan: Plan) -> Decision:
    """Test a question at the looks of a plan. The sign is 1 if the claim is supported, -1 if it is refuted."""
    if question.claim.relation == "equals":
        return sequential_equals(question.contrasts[0].differences, question.margin, plan)
    beyond = [contrast.beyond(question.margin, question.sign) for contrast in question.contrasts]
    return sequential_test(beyond[0], plan) if len(beyond) == 1 else sequential_order(beyond, plan)
