"""Claims of a sweep: sentences, each with a relation between arms that the results support or refute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Relation = Literal["beats", "equals", "above", "below", "order", "trend", "monotone"]
Expected = Literal["supported", "refuted", "undecided"]

PartialArm = Mapping[str, tuple[str, ...]]  # for each factor that it speaks of, the labels that fit

ALPHA = 0.05  # level of the tests, for all claims of a sweep together


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
    direction: Literal["up", "down"] = "up"
    metric: str = ""
    at: int | None = None
    better: Literal["", "more", "less"] = ""
    expect: Expected = "supported"

    @property
    def question(self) -> Claim:
        """The claim without the verdict that is expected: a change of `expect` is not another question."""
        return replace(self, expect="supported")
