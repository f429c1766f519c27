"""Shards: the part of a sweep that one of several machines trains, with no word between them.

Every machine derives all shards from the config alone. The units are the runs of a cohort with one seed, or a whole
ensemble; they keep the order of the config, and are cut where the predicted work is shared equally. So a shard has few
cohorts, and their stacks stay wide.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, replace

from dlsweep.config.runs import Run
from dlsweep.errors import UsageError
from dlsweep.training.plan import Plan

_WRITTEN = re.compile(r"([0-9]+)/([0-9]+)")


@dataclass(frozen=True)
class Shard:
    """Shard number `index` of `shards`, from 0 to shards − 1; written as `0/4`. Others raise a `UsageError`."""

    index: int
    shards: int

    def __str__(self) -> str:
        return f"{self.index}/{self.shards}"

    @property
    def suffix(self) -> str:
        """End of the name of its folder, whose beginning is the name of the sweep."""
        return f".shard-{self.index}-of-{self.shards}"

    def __post_init__(self) -> None:
        if self.shards < 1:
            raise UsageError(f"a sweep is divided into one or more shards, got {self}")
        if not 0 <= self.index < self.shards:
            last = f"{self.shards - 1}/{self.shards}"
            known = f"0/{self.shards} to {last}" if self.shards > 1 else last
            raise UsageError(
                f"there is no shard {self}, only {known}; if it is a task of a SLURM array that was submitted again "
                "without the others, write the number of all shards in place of SLURM_ARRAY_TASK_COUNT"
            )

    def of(self, plan: Plan) -> Plan:
        """Return the part of a plan that this shard trains.

        >>> from dlsweep import load, plan
        >>> grid = {"activation": ["relu", "tanh"], "init": ["he", "xavier"]}
        >>> whole = plan(load({"name": "x", "grid": grid, "seeds": 3}))
        >>> [Shard(i, 2).of(whole).runs for i in range(2)]
        [6, 6]
        """
        number = plan.numbering()
        counted = [Counter[Hashable]() for _ in plan.cohorts]
        for run in plan.config.runs():
            counted[number(run.arm)][unit_of(run)] += 1
        whole = sum(cohort.work * cohort.runs for cohort in plan.cohorts)
        own: list[set[Hashable]] = [set() for _ in plan.cohorts]
        before = 0.0
        for cohort, units, mine in zip(plan.cohorts, counted, own, strict=True):
            for unit, count in units.items():
                middle = before + cohort.work * count / 2
                before += cohort.work * count
                if int(self.shards * middle / whole) == self.index:
                    mine.add(unit)
        runs = [sum(units[unit] for unit in mine) for units, mine in zip(counted, own, strict=True)]
        cohorts = tuple(replace(c, runs=count) for c, count in zip(plan.cohorts, runs, strict=True) if count)
        return replace(plan, cohorts=cohorts, owns=lambda run: unit_of(run) in own[number(run.arm)])


def unit_of(run: Run) -> Hashable:
    """Return a key that runs of a cohort share if they train in the same shard."""
    return run.arm.name if run.arm.members else run.seeds


def parse_shard(text: str) -> Shard:
    """Return the shard that a text such as `0/4` names.

    >>> parse_shard("0/4")
    Shard(index=0, shards=4)
    """
    found = _WRITTEN.fullmatch(text.strip())
    if not found:
        raise UsageError(f"a shard is written i/n, such as 0/4 for the first of four, got {text!r}")
    return Shard(*map(int, found.groups()))
