"""Planned looks at the claims of a sweep: seeds are added to the arms of undecided claims only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dlsweep.config.claims import Claim
from dlsweep.config.rules import fits
from dlsweep.config.runs import Arm, Run
from dlsweep.randomness import Seeds

MOST = 1000  # seeds of a plan; those from 1000 on are for tuning


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
