"""A checked config: what a sweep is, with its arms and runs made lazily."""

from __future__ import annotations

import copy
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from dlsweep.config.claims import Claim, Looks, arm_id
from dlsweep.config.expansion import arms
from dlsweep.config.resolved import differences
from dlsweep.config.runs import Arm, Evaluate, Run, Train
from dlsweep.config.seeds import Replicates
from dlsweep.config.sweep import Design
from dlsweep.config.tuning import grouped
from dlsweep.config.words import FIELDS, numbers
from dlsweep.datasets.division import by_seed
from dlsweep.factors import BY_NAME
from dlsweep.registry import Choice


@dataclass(frozen=True, kw_only=True, eq=False)
class Config(Design):
    """A sweep: its design, its factors and their levels, its plots; and the arms and runs that it expands to.

    file: None for a config given as a mapping. text: the bytes as they were given. factors: the columns of the tables
    that hold levels, in the order of the grid, and then those of the six standard factors that are not in it. plots:
    names from the registry of plots, with their settings. count: runs before folding, `exclude` and `only`: an upper
    bound, known without expanding the grid. notes: sentences for the user on what may not be meant. claims: on its
    arms. looks: at the claims, if they are planned.
    """

    file: Path | None
    text: bytes
    factors: tuple[str, ...]
    plots: tuple[Choice, ...]
    count: int
    notes: tuple[str, ...]
    _resolved: Mapping[str, Any]
    looks: Looks | None = None
    claims: tuple[Claim, ...] = ()

    @cached_property
    def _levels(self) -> dict[str, tuple[str, ...]]:
        every = [one.labels for one in self.combinations()]
        return {f: tuple(dict.fromkeys(labels[f] for labels in every if f in labels)) for f in self.factors}

    def levels(self, factor: str) -> tuple[str, ...]:
        """The labels of a factor's levels, in the order of the grid; "-" stands for arms that it does not concern."""
        return self._levels[factor]

    @cached_property
    def divided(self) -> bool:
        """True if the seeds of some arms draw their own test samples."""
        choices = (one.fields["data"] for one in self.combinations() if "data" in one.fields)
        return any(by_seed(choice.settings) for choice in choices)

    @cached_property
    def varying(self) -> tuple[str, ...]:
        """The factors with more than one level."""
        return tuple(factor for factor in self.factors if len(self.levels(factor)) > 1)

    @cached_property
    def settings(self) -> tuple[str, ...]:
        """The columns that hold numeric settings, "optimizer.lr", sorted, without those that are factors."""
        fields = ((f, one.fields[f]) for one in self.combinations() for f in FIELDS if f in one.fields)
        found = {column for field, value in fields for column in numbers(field, value)}
        return tuple(sorted(c for c in found - set(self.factors) if self.task.concerns(c)))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The numbers of the replicates, as in the column `seed`."""
        return tuple(self.replicates.numbers)

    def arms(self) -> Iterator[Arm]:
        """Yield the arms, lazily, in the order of the grid; of arms that train the same network the first only."""
        members = tuple(sorted(self.seeds)) if self.evaluate.ensemble else ()
        evaluated = cache(self._evaluated)
        for arm in (arm for arm, first in arms(self.blocks, self.rules) if arm is first):
            levels = {factor: arm.labels[factor] for factor in self.factors}
            evaluate = evaluated(arm.fields["train"], arm.fields["data"])
            choices = {factor: arm.fields[factor] for factor in BY_NAME}
            fingerprint, train = arm.fields["fingerprint"], arm.fields["train"]
            yield Arm(self._arm_name(arm.labels), levels, fingerprint, choices, train, evaluate, members)

    def _evaluated(self, train: Train, data: Choice) -> Evaluate:
        """Return the evaluations of an arm. The data is read only if their number depends on it."""
        if self.evaluate.every:
            return self.evaluate
        from dlsweep.datasets import open_dataset

        return self.evaluate.during(train, open_dataset(data).sizes["train"] if train.epochs else 0)

    def runs(self) -> Iterator[Run]:
        """Yield the runs, lazily: each arm with all its replicates."""
        return (Run(arm, seeds) for arm in self.arms() for seeds in self.replicates_of(arm))

    def replicates_of(self, arm: Arm) -> Replicates:
        """Return the replicates of an arm: those of the sweep, or as many as planned looks have asked for."""
        count = self.looks.seeds.get(arm_id(arm)) if self.looks else None
        return self.replicates if count is None else Replicates(range(count))

    @property
    def is_open(self) -> bool:
        """True if settings of its arms are still to be chosen: `dlsweep.tune` returns a config with the choice."""
        return self.tuning is not None and not self.tuning.arms

    def candidates(self, counts: Sequence[int] | None = None) -> list[list[Arm]]:
        """Return the candidates of each arm: the arms that differ in tuned settings only, those that are tried.

        counts: the numbers of those that are tried first, of each arm; None for all.
        """
        assert self.tuning
        groups = grouped(self.tuning, self.arms())
        drawn = [self.tuning.drawn(group, self.tuning.random) for group in groups]
        return [self.tuning.drawn(group, n) for group, n in zip(drawn, counts)] if counts else drawn

    def keeping(self, arms: Iterable[Arm], *, resolved: Mapping[str, Any] | None = None, **changes: Any) -> Config:
        """Return a config with these of its arms only. changes: of other fields; resolved: of the resolved form."""
        only = [{factor: [arm.levels[factor]] for factor in self.varying} for arm in arms]
        kept = tuple({factor: tuple(labels) for factor, labels in arm.items()} for arm in only)
        whole = {**self._resolved, "only": only, **(resolved or {})}
        return replace(self, rules=replace(self.rules, only=kept), _resolved=whole, **changes)

    def folds(self) -> list[tuple[str, str]]:
        """Return the names of arms that train the same network as an earlier one, each with the earlier name."""
        folded = ((arm, first) for arm, first in arms(self.blocks, self.rules) if arm is not first)
        asked = (({**arm.labels, **ChainMap(*(one.asked for one in arm.combinations))}, first) for arm, first in folded)
        names = ((self._arm_name(labels), self._arm_name(first.labels)) for labels, first in asked)
        return [(name, first) for name, first in names if name != first]  # a union may name one arm twice

    def resolved(self) -> dict[str, Any]:
        """Return everything that defines the training, with defaults filled in, as JSON can hold it.

        Without the `fingerprints` of the data it is a config again: loading it gives the same runs. Plots are no part
        of it: another plot is not another question.
        """
        return copy.deepcopy(dict(self._resolved))

    def difference(self, other: Mapping[str, Any]) -> list[str]:
        """Return the differences from another config, resolved, that was made earlier: a sentence each.

        The place of the data is no difference; its content, by its fingerprint, is.
        """
        return differences(other, self._resolved)

    def _arm_name(self, labels: Mapping[str, str]) -> str:
        return ", ".join([labels[factor] for factor in self.varying]) or self.name
