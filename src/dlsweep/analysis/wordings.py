"""Wordings of claims: the proposition of each relation, and its opposite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from dlsweep.analysis.sides import name_of

if TYPE_CHECKING:
    from dlsweep.analysis.verdicts import Verdict

_MOST_LEVELS = 8  # that a sentence lists


class Wording(NamedTuple):
    """Proposition of a claim, its opposite, and the quantity that was measured, which `evidence` goes on from."""

    claimed: str
    opposite: str
    measured: str


def _beats(verdict: Verdict, words: str) -> Wording:
    claim, step = verdict.claim, verdict.step
    better, worse = ("lower", "higher") if verdict.sign < 0 else ("higher", "lower")
    sides, subject = (step.first, step.second), words
    if claim.more:
        subject = "the difference in {} between {} and {}".format(words.removeprefix("the "), *map(name_of, claim.arms))
        sides = name_of(claim.more), name_of(claim.than)
    with_sides = "with {} than with {}".format(*sides)
    by, at_most = f"more than {claim.margin:g} ", f"less than {claim.margin:g} {better}"
    opposite = at_most if claim.margin else worse
    measured = "it differs by" if claim.more else "the difference is"
    claimed = f"{subject} is {by * bool(claim.margin)}{better} {with_sides}"
    return Wording(claimed, f"{subject} is {opposite} {with_sides}", measured)


def _equals(verdict: Verdict, words: str) -> Wording:
    step, margin = verdict.step, verdict.claim.margin
    same = f"{words} with {step.first} is the same as with {step.second}, to within {margin:g}"
    apart = f"{words} with {step.first} is more than {margin:g} away from the one with {step.second}"
    return Wording(same, apart, "the difference is")


def _level(verdict: Verdict, words: str) -> Wording:
    claim = verdict.claim
    begin, other = f"{words} with {verdict.step.first} is", "below" if claim.relation == "above" else "above"
    return Wording(f"{begin} {claim.relation} {claim.margin:g}", f"{begin} {other} {claim.margin:g}", "its mean is")


def _order(verdict: Verdict, words: str) -> Wording:
    better, worse = ("lower", "higher") if verdict.sign < 0 else ("higher", "lower")
    pairs = ", and ".join(f"with {step.first} than with {step.second}" for step in verdict.steps)
    reversed_pair = f"with {verdict.step.first} than with {verdict.step.second}"
    measured = "the difference is" if len(verdict.told) == 1 else "the differences are"
    return Wording(f"{words} is {better} {pairs}", f"{words} is {worse} {reversed_pair}", measured)


def _along(verdict: Verdict) -> str:
    """Return the setting of a trend with its levels."""
    levels = verdict.sides
    few = ", ".join(levels) if len(levels) <= _MOST_LEVELS else f"{len(levels)} levels from {levels[0]} to {levels[-1]}"
    return f"{verdict.claim.along} ({few})"


def _trend(verdict: Verdict, words: str) -> Wording:
    moves, opposite = ("rises", "falls") if verdict.sign > 0 else ("falls", "rises")
    along, measured = f"with {_along(verdict)}", "from one level to the next it changes by"
    return Wording(f"{words} {moves} {along}", f"{words} {opposite} {along}", measured)


def _monotone(verdict: Verdict, words: str) -> Wording:
    moves, opposite = ("rises", "falls") if verdict.sign > 0 else ("falls", "rises")
    steps, along = f"at each step of {_along(verdict)}", verdict.claim.along
    measured = "the step is" if len(verdict.told) == 1 else "the steps are"
    reversed_step = f"from {verdict.step.first} to {verdict.step.second} of {along}"
    return Wording(f"{words} {moves} {steps}", f"{words} {opposite} {reversed_step}", measured)


WORDINGS: Mapping[str, Callable[[Verdict, str], Wording]] = {
    "beats": _beats,
    "equals": _equals,
    "above": _level,
    "below": _level,
    "order": _order,
    "trend": _trend,
    "monotone": _monotone,
}
