"""Sides of a claim: the arms that fit each partial arm, over the combinations of the open factors that all sides have.

Arms are those of a config, or those of results, see `dlsweep.analysis.sides`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import compress
from operator import and_
from typing import Generic, Protocol, TypeVar

from dlsweep.config.claims import Claim, PartialArm
from dlsweep.text import without_setting

ABSENT = "-"  # level of a factor that an arm does not have
NONE = "none"  # level at which a setting along a trend counts as 0


class Labelled(Protocol):
    """Arm with the labels of its levels, by factor."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels by factor."""


A = TypeVar("A", bound=Labelled)
Key = tuple[str, ...]  # levels of the open factors
Rows = Mapping[Key, list[A]]  # arms by their levels of the open factors


def partial_arms(claim: Claim) -> Sequence[PartialArm]:
    """Return the partial arms of the sides of a claim: two, four with `more` and `than`, none along a setting."""
    parts = [claim.more, claim.than] if claim.more else [{}]
    return [{**arm, **part} for part in parts for arm in claim.arms]


def open_factors(partial: Sequence[PartialArm], factors: Iterable[str]) -> list[str]:
    """Return the factors that some partial arms leave open: all but those that each of them gives levels of its own.

    A factor that only one side names stays open: the other sides are then restricted to its levels.

    >>> open_factors([{"init": ("he",), "optimizer": ("adam",)}, {"init": ("normal",)}], ["init", "optimizer"])
    ['optimizer']
    """

    def told_apart(factor: str) -> bool:
        given = [arm.get(factor) for arm in partial]
        return None not in given and any(sorted(one or ()) != sorted(given[0] or ()) for one in given)

    return [factor for factor in factors if not told_apart(factor)]


@dataclass(frozen=True)
class Alignment(Generic[A]):
    """The arms of some sides by their levels of the open factors. common: the combinations that all sides have."""

    factors: Sequence[str]
    sides: Sequence[Rows[A]]

    @cached_property
    def common(self) -> list[Key]:
        return in_all(self.sides)

    @property
    def disjoint(self) -> list[str]:
        """The open factors of which no level is common to all sides; all that vary if there is none alone."""
        levels = [[{key[i] for key in rows} for rows in self.sides] for i in range(len(self.factors))]
        alone = [factor for factor, sides in zip(self.factors, levels) if not reduce(and_, sides)]
        return alone or [f for f, sides in zip(self.factors, levels) if len(set().union(*sides)) > 1]

    def shared(self, one: int, other: int) -> A | None:
        """Return an arm that two sides have in common, if there is one."""
        both = (arm for key in self.common for arm in self.sides[one][key] if arm in self.sides[other][key])
        return next(both, None)


def aligned(sides: Sequence[Sequence[A]], factors: Iterable[str]) -> Alignment[A]:
    """Align the arms of some sides by the open factors. A factor that no arm of some sides has is not open."""

    def lacking(factor: str) -> int:
        return sum(all(arm.labels[factor] == ABSENT for arm in side) for side in sides)

    kept = [factor for factor in factors if lacking(factor) in (0, len(sides))]
    return Alignment(kept, [_rows((tuple(arm.labels[f] for f in kept), arm) for arm in side) for side in sides])


def in_all(sides: Sequence[Rows[A]]) -> list[Key]:
    """Return the combinations that all sides have, in the order of the first."""
    return [key for key in sides[0] if all(key in rows for rows in sides[1:])]


def _rows(pairs: Iterable[tuple[Key, A]]) -> Rows[A]:
    found: dict[Key, list[A]] = {}
    for key, arm in pairs:
        found.setdefault(key, []).append(arm)
    return found


def along(values: Mapping[A, float | None], setting: str, factors: Iterable[str]) -> dict[float, Rows[A]]:
    """Return the arms at each value of a numeric setting, by their levels of the other factors. values: of each arm.

    A factor whose levels name the setting loses that part: "sgd lr=0.1" becomes "sgd". An arm with the level `none`
    counts as one with the value 0 of every other level.
    """
    owner, name = setting.partition(".")[0], setting.rpartition(".")[2]
    others = [factor for factor in factors if factor != setting]
    own = [factor.partition(".")[0] == owner for factor in others]
    keys: dict[A, Key] = {}
    for arm in values:
        keys[arm] = tuple(without_setting(arm.labels[f], name) if f == owner else arm.labels[f] for f in others)
    levels = dict.fromkeys(tuple(compress(keys[arm], own)) for arm in keys if values[arm] is not None)
    pairs: dict[float, list[tuple[Key, A]]] = {}
    for arm, value in values.items():
        if value is not None:
            pairs.setdefault(value, []).append((keys[arm], arm))
        elif arm.labels.get(owner) == NONE:
            for level in map(iter, levels):
                key = tuple(next(level) if of_owner else label for label, of_owner in zip(keys[arm], own))
                pairs.setdefault(0.0, []).append((key, arm))
    return {value: _rows(pairs[value]) for value in sorted(pairs)}
