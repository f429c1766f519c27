"""Claims of a sweep: sentences, each with a relation between arms that the results support or refute.

Looks at the claims may be planned: seeds are then added to the arms of undecided claims only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, NamedTuple

from annotated_types import Ge, MinLen

from dlsweep.config.document import Key, Node
from dlsweep.config.rules import PartialArm as PartialArm
from dlsweep.config.rules import fits
from dlsweep.config.runs import Arm, Run
from dlsweep.config.words import ALPHA as ALPHA
from dlsweep.config.words import Section
from dlsweep.randomness import Seeds
from dlsweep.registry import NonNegative, Positive

Relation = Literal["beats", "equals", "above", "below", "order", "trend", "monotone"]
Expected = Literal["supported", "refuted", "undecided"]
Direction = Literal["up", "down"]
Better = Literal["more", "less"]

LONGEST_CLAIM = 200  # characters of its name
MOST = 1000  # seeds of a plan; those from 1000 on are for tuning


@dataclass(frozen=True)
class Claim:
    """A sentence, and the relation by which it is tested.

    arms: the sides of the relation: two of `beats` and `equals`, one of `above` and `below`, two or more of `order`,
    none of `trend` and `monotone`. margin: `by` of beats, `within` of equals, the level of above and below. more, than:
    the parts of the grid whose differences are compared; empty if not given. where: the part of the grid that the claim
    is about. along: the factor or numeric setting of trend and monotone, direction: of its metric along it. metric: its
    whole name, see `dlsweep.metrics`. at: an iteration; None for the metric's own. better: "" if the metric says it.
    """

    name: str
    relation: Relation
    arms: tuple[PartialArm, ...] = ()
    margin: float = 0.0
    more: PartialArm = field(default_factory=dict)
    than: PartialArm = field(default_factory=dict)
    where: PartialArm = field(default_factory=dict)
    along: str = ""
    direction: Direction = "up"
    metric: str = ""
    at: int | None = None
    better: Better | Literal[""] = ""
    expect: Expected = "supported"

    @property
    def question(self) -> Claim:
        """The claim without the verdict that is expected: a change of `expect` is not another question."""
        return replace(self, expect="supported")


OF_EVERY = ("where", "metric", "at", "expect")


class Form(NamedTuple):
    """Meaning of a relation, the number of its arms, and its settings, besides those of every claim."""

    meaning: str
    arms: int
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def settings(self) -> tuple[str, ...]:
        """All settings that a claim with this relation can have."""
        return (*self.required, *self.optional, *OF_EVERY)


RELATIONS: Mapping[Relation, Form] = {
    "beats": Form("One arm is better than another.", 2, ("arm", "beats"), ("by", "more", "than", "better")),
    "equals": Form("Two arms differ by less than a margin.", 2, ("arm", "equals", "within")),
    "above": Form("The mean of an arm lies above a value.", 1, ("arm", "above")),
    "below": Form("The mean of an arm lies below a value.", 1, ("arm", "below")),
    "order": Form("Each arm is better than the next one.", 2, ("order",), ("better",)),
    "trend": Form("The metric tends up or down along a numeric setting.", 0, ("trend",), ("direction",)),
    "monotone": Form("The metric goes up or down at each step of a numeric setting.", 0, ("monotone",), ("direction",)),
}
PARTS = ("arm", "beats", "equals", "more", "than", "where")  # settings that are a partial arm

_Part = Annotated[dict[str, Any], MinLen(1)]


def claim(
    *,
    arm: _Part,
    beats: _Part,
    equals: _Part,
    above: float,
    below: float,
    order: Annotated[list[_Part], MinLen(2)],
    trend: str,
    monotone: str,
    by: NonNegative = 0.0,
    within: Positive,
    more: _Part,
    than: _Part,
    where: _Part,
    direction: Direction = "up",
    metric: str,
    at: Annotated[int, Ge(0)],
    better: Better,
    expect: Expected = "supported",
) -> None:
    """Settings of claims; `RELATIONS` says which of them a relation has, and which it needs.

    arm, beats: the first is better than the second, by more than `by`; more, than: its lead is larger in the first part
    of the grid than in the second. equals: they differ by less than `within`. above, below: the mean lies there. order:
    each is better than the next. trend, monotone: the metric goes up or down (direction) along a numeric setting: in
    tendency, or from each level to the next. where: the part of the grid that the claim is about. metric: by default
    the final accuracy. at: an iteration, 0 before training. better: more or less, for a metric that does not say it.
    expect: the verdict that is expected.
    """


CLAIM = Section("part of a config", "claim", claim)


class Stated(NamedTuple):
    """A claim with the places of its name and its settings."""

    claim: Claim
    name: Key
    nodes: Mapping[str, Node]


@dataclass(frozen=True)
class Looks:
    """A plan that was made before its first look, and how far it has come.

    claims: as they were stated then; alpha: of their tests together. at: the numbers of seeds at which they are tested,
    most: the last one. seen: seeds at which verdicts were read before the plan. key: names the random sign patterns.
    seeds: the number of seeds of each arm that a claim is about, by `arm_id`.
    """

    claims: tuple[Claim, ...]
    alpha: float
    most: int
    at: tuple[int, ...]
    seen: int = 0
    key: str = ""
    seeds: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        """True for looks that `--until-decided` can have planned."""
        ascending = sorted(set(self.at)) == list(self.at) and len(self.at) >= 1
        counts = (*self.at, self.seen, *self.seeds.values())
        return ascending and self.at[-1] == self.most <= MOST and all(0 <= n <= self.most for n in counts)

    def covers(self, claim: Claim) -> bool:
        """Return True if a claim is part of the plan: its question has not changed since."""
        return any(claim.question == planned.question for planned in self.claims)


def arm_id(arm: Arm) -> str:
    """Return the id of an arm, whatever its labels: the id of its run with seed 0."""
    return Run(arm, Seeds(0)).id


def arms_of(claims: Iterable[Claim], arms: Iterable[Arm]) -> list[str]:
    """Return the ids of the arms that some claims are about."""
    claims = list(claims)
    return [arm_id(arm) for arm in arms if any(_concerns(claim, arm.levels) for claim in claims)]


def _concerns(claim: Claim, levels: Mapping[str, str]) -> bool:
    parts = [part for part in (claim.more, claim.than) if part]
    sides = (one for one in ((claim.where,), claim.arms, parts) if one)
    return all(any(fits(levels, partial) for partial in side) for side in sides)
