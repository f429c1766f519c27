"""A checked config: what a sweep is, with its arms and runs made lazily."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from itertools import product
from operator import and_, xor
from pathlib import Path
from typing import Any

from dlsweep.config.points import Part, Point
from dlsweep.config.resolved import flat
from dlsweep.config.rules import Rules
from dlsweep.config.runs import Arm, Evaluate, Run, Train
from dlsweep.config.words import FIELDS, numbers
from dlsweep.randomness import Seeds
from dlsweep.registry import Choice
from dlsweep.tasks import Task, task_of

# About how often a run is evaluated where the config does not say.
EVALUATIONS = 50


@dataclass(frozen=True, eq=False)
class Config:
    """A sweep: its name, its factors and their levels, its seeds, its plots; and the arms and runs that it expands to.

    name: also of its folder of results. file: None for a config given as a mapping. text: the bytes as they were given.
    seeds: of the replicates. factors: the columns of the tables that hold levels, in the order of the grid, and then
    those of the six standard factors that are not in it. plots: names from the registry of plots, with their settings.
    count: runs before folding, `exclude` and `only`: an upper bound, known without expanding the grid.
    """

    name: str
    file: Path | None
    text: bytes
    seeds: tuple[int, ...]
    factors: tuple[str, ...]
    plots: tuple[Choice, ...]
    evaluate: Evaluate
    count: int
    _grids: tuple[tuple[Part, ...], ...]
    _rules: Rules
    _resolved: Mapping[str, Any]
    _open: dict[tuple[Train, Choice], Evaluate] = field(default_factory=dict)

    @cached_property
    def _levels(self) -> dict[str, tuple[str, ...]]:
        labels: dict[str, dict[str, None]] = {factor: {} for factor in self.factors}
        for point in self._points():
            for factor, label in point.labels.items():
                labels[factor][label] = None
        return {factor: tuple(found) for factor, found in labels.items()}

    def levels(self, factor: str) -> tuple[str, ...]:
        """The labels of a factor's levels, in the order of the grid; "-" stands for arms that it does not concern."""
        return self._levels[factor]

    @cached_property
    def varying(self) -> tuple[str, ...]:
        """The factors with more than one level."""
        return tuple(factor for factor in self.factors if len(self.levels(factor)) > 1)

    @cached_property
    def settings(self) -> tuple[str, ...]:
        """The columns that hold numeric settings, "optimizer.lr", sorted; but for those that are factors already."""
        fields = ((f, point.fields[f]) for point in self._points() for f in FIELDS if f in point.fields)
        found = {column for field, value in fields for column in numbers(field, value)}
        return tuple(sorted(c for c in found - set(self.factors) if self.task.concerns(c)))

    @cached_property
    def task(self) -> Task:
        """The task of its models; they have one in common."""
        return task_of(next(point.fields["model"].name for point in self._points() if "model" in point.fields))

    @cached_property
    def _members(self) -> tuple[int, ...]:
        return tuple(sorted(self.seeds)) if self.evaluate.ensemble else ()

    def arms(self) -> Iterator[Arm]:
        """The arms, lazily, in the order of the grid; of arms that train the same network the first only."""
        seen: set[int] = set()
        for points in self._walk():
            key = _key(points)
            if self._may_fold:
                if key in seen:
                    continue
                seen.add(key)
            fields, labels = _merged(point.fields for point in points), _merged(point.labels for point in points)
            levels = {factor: labels[factor] for factor in self.factors}
            name, evaluate = self._arm_name(labels), self._evaluated(fields["train"], fields["data"])
            yield Arm(name=name, levels=levels, evaluate=evaluate, members=self._members, **fields)

    def _evaluated(self, train: Train, data: Choice) -> Evaluate:
        """Say when an arm is evaluated: where the config leaves it open, so that there are about `EVALUATIONS`."""
        if self.evaluate.every:
            return self.evaluate
        from dlsweep.datasets import open_dataset

        if (train, data) not in self._open:
            samples = open_dataset(data).sizes["train"] if train.epochs else 0
            every = max(1, round(train.steps(samples) / EVALUATIONS))
            self._open[train, data] = replace(self.evaluate, every=every)
        return self._open[train, data]

    def runs(self) -> Iterator[Run]:
        """Yield the runs, lazily: each arm with all its seeds."""
        return (Run(arm, Seeds(seed)) for arm in self.arms() for seed in self.seeds)

    def folds(self) -> list[tuple[str, str]]:
        """The arms left out because they train the same network as an earlier one: their names, and the earlier's."""
        first: dict[int, str] = {}
        folded = []
        for points in self._walk() if self._may_fold else ():
            key = _key(points)
            labels = _merged(point.labels for point in points)
            if key not in first:
                first[key] = self._arm_name(labels)
                continue
            name = self._arm_name(labels | _merged(point.asked for point in points))
            if name != first[key]:  # a union may name one arm twice, and that is no news
                folded.append((name, first[key]))
        return folded

    def resolved(self) -> dict[str, Any]:
        """Everything that decides what is trained, defaults filled in, as JSON can hold it.

        It is a config again, but for the `fingerprints` of the data: loading it gives the same runs. Plots are no part
        of it: another plot is not another question.
        """
        return copy.deepcopy(dict(self._resolved))

    def difference(self, other: Mapping[str, Any]) -> list[str]:
        """What this config asks otherwise than another, resolved, that was made earlier: a sentence each.

        Where the data lies is no difference; its content, by its fingerprint, is.
        """
        then, now = flat(other), flat(self._resolved)
        sentences: dict[tuple[str, ...], str] = {}
        for path in [*then, *(path for path in now if path not in then)]:
            if any(path[:n] in sentences for n in range(len(path))):
                continue  # said of the whole
            if path[0] == "fingerprints" and not (path in then and path in now):
                continue  # said by the settings of the data
            shown = ".".join(path)
            if path not in now:
                sentences[path] = f"{shown}: gone"
            elif path not in then:
                sentences[path] = f"{shown}: new" + (f", {now[path]}" if now[path] else "")
            elif then[path] != now[path]:
                sentences[path] = f"{shown}: {then[path]} there, {now[path]} now"
        return list(sentences.values())

    def _points(self) -> Iterator[Point]:
        return (point for parts in self._grids for part in parts for point in part)

    @cached_property
    def _may_fold(self) -> bool:
        """Whether two combinations can mean the same; else there is no need to remember what came before."""
        parts = [part for parts in self._grids for part in parts]
        return len(self._grids) > 1 or any(len({point.key for point in part}) < len(part) for part in parts)

    def _walk(self) -> Iterator[tuple[Point, ...]]:
        """The combinations that `exclude` and `only` leave, before folding; for each a point of every part."""
        for parts in self._grids:
            if not self._rules:
                yield from product(*parts)
                continue
            fitted = [[(point, self._rules.fitting(point.labels)) for point in part] for part in parts]
            for combination in product(*fitted):
                if self._rules.leave(reduce(and_, (fitting for _, fitting in combination))):
                    yield tuple(point for point, _ in combination)

    def _arm_name(self, labels: Mapping[str, str]) -> str:
        return ", ".join([labels[factor] for factor in self.varying]) or self.name


def _key(points: tuple[Point, ...]) -> int:
    return reduce(xor, (point.key for point in points))


def _merged(mappings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for mapping in mappings:
        merged |= mapping
    return merged
