"""A config that has been read: as written, then with its task, its labels and its combinations."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from itertools import product
from operator import and_
from typing import Any

from dlsweep.config.claims import ALPHA, Stated
from dlsweep.config.document import Node, Place, Reading
from dlsweep.config.grid import Axis, Grid
from dlsweep.config.levels import Level, LevelSpec, default_level
from dlsweep.config.rules import PartialArm, Rules, fits
from dlsweep.config.runs import Evaluate
from dlsweep.config.seeds import Replicates
from dlsweep.config.tuning import Tuning
from dlsweep.config.words import Factor, data_files, entry
from dlsweep.datasets.base import Dataset
from dlsweep.errors import DlsweepError, Mistake
from dlsweep.registry import Choice
from dlsweep.tasks import CLASSIFICATION, Task, task_of
from dlsweep.text import value_text


@dataclass(frozen=True, slots=True)
class Combination:
    """One combination of levels of some factors.

    fields: the values of an arm's fields; labels: by factor; asked: the labels asked for where an arm has no such
    setting ("0.9" for "-"); key: a hash of what the fields mean, to be combined by exclusive or (Zobrist
    1970), so that arms that mean the same have the same key.
    """

    fields: dict[str, Any]
    labels: dict[str, str]
    asked: dict[str, str]
    key: int
    places: Mapping[str, Place] = field(default_factory=dict)  # of levels ("model") and settings ("train.batch_size")


@dataclass(frozen=True, eq=False)
class Combined:
    """Combinations of several blocks: an arm, if there is one of each block."""

    combinations: Collection[Combination]

    @cached_property
    def labels(self) -> dict[str, str]:
        """The labels of the levels, by factor."""
        return {factor: label for one in self.combinations for factor, label in one.labels.items()}

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The values of the fields."""
        return {name: value for one in self.combinations for name, value in one.fields.items()}

    def fits(self, partial: PartialArm) -> bool:
        """Return True if it has levels that a partial arm names."""
        return fits(self.labels, partial)


Block = tuple[Combination, ...]
Grids = Sequence[Sequence[Block]]  # of each grid its blocks


class Datasets:
    """Data sets by choice, None for those that cannot be used; and the mistakes that tell why."""

    def __init__(self) -> None:
        self.opened: dict[Choice, Dataset | None] = {}
        self.mistakes: list[Mistake] = []

    def open(self, choice: Choice, places: Mapping[str, Place], place: Place) -> Dataset | None:
        """Return the data set; None if it cannot be used.

        places: of the settings that were given; place: of the name.
        """
        from dlsweep.datasets import open_dataset

        if choice not in self.opened:
            try:
                self.opened[choice] = open_dataset(choice)
            except DlsweepError as error:
                self.opened[choice] = None
                for sentence in str(error).splitlines():
                    # The place of the setting that the sentence names, and else of the file.
                    named = [n for n in places if f"{n}: " in sentence] or [n for n in ("path",) if n in places]
                    self.mistakes.append((places[named[0]] if named else place).mistake(sentence))
        return self.opened[choice]

    def fingerprints(self) -> dict[str, str]:
        """Return the content of each data set, by its name and settings, wherever its file lies."""
        files = data_files()
        found: dict[str, list[str]] = {}
        for choice, dataset in self.opened.items():
            told = entry("data", choice.name).told(choice.settings)
            settings = (f"{n}={value_text(v)}" for n, v in told.items() if (choice.name, n) not in files)
            if dataset is not None:
                found.setdefault(" ".join([choice.name, *settings]), []).append(dataset.fingerprint)
        return {data: ", ".join(fingerprints) for data, fingerprints in found.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Design:
    """The design of a sweep: its arms, as combinations of levels, and their replicates.

    name: of the sweep, and of its folder of results. replicates: of each arm, with their seeds. task: of its models,
    which have one in common. blocks: of each grid, whose product its arms are; none until they are made. rules: leave
    some arms out. alpha: of the tests of all claims together. tuning: the settings that are chosen for each arm; None
    if none.
    """

    name: str
    replicates: Replicates
    evaluate: Evaluate
    task: Task = CLASSIFICATION
    blocks: Grids = ()
    rules: Rules = field(default_factory=Rules)
    alpha: float = ALPHA
    tuning: Tuning | None = None

    def combinations(self) -> Iterator[Combination]:
        """Yield the combinations of every block."""
        return (one for blocks in self.blocks for block in blocks for one in block)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sweep(Design):
    """A config that has been read.

    top: the nodes under its keys; place: of the whole; evaluate_nodes: the settings of `evaluate` that are given;
    plots: each with its node; base: the level of each field outside the grid; faulty: the fields with a mistake;
    datasets: that its arms use.
    """

    top: Mapping[Any, Node]
    place: Place
    title: str | None
    evaluate_nodes: Mapping[str, Node]
    base: Mapping[str, Level]
    grids: Sequence[Grid]
    plots: Sequence[tuple[Node, Choice]]
    faulty: frozenset[str]
    factors: tuple[Factor, ...] = ()
    labels: Mapping[Level, str] = field(default_factory=dict)
    datasets: Datasets = field(default_factory=Datasets)
    claims: Sequence[Stated] = ()

    @property
    def count(self) -> int:
        """The number of runs before folding, `exclude` and `only`."""
        return sum(grid.count for grid in self.grids) * len(self.replicates)

    @property
    def columns(self) -> list[str]:
        """The names of the factors."""
        return [factor.name for factor in self.factors]

    @property
    def ensemble(self) -> Node | None:
        """The node that asks for ensembles, if the config does."""
        return self.evaluate_nodes.get("ensemble") if self.evaluate.ensemble else None

    @property
    def every_fault(self) -> frozenset[str]:
        """The fields with a mistake, in some grid or outside."""
        return self.faulty.union(*(grid.faulty for grid in self.grids))

    @property
    def is_read(self) -> bool:
        """True if the levels of all grids are known."""
        return not self.every_fault and bool(self.blocks) and all(self.blocks)

    @property
    def axes(self) -> Iterator[Axis]:
        """The axes of all grids."""
        return (axis for grid in self.grids for axis in grid.axes)

    def place_of(self, *keys: str) -> Place:
        """Return the place of the first of some keys that the config has; of the whole if it has none."""
        return next((own.place for own in self.top if own in keys), self.place)

    def specs(self, field: str) -> list[LevelSpec]:
        """Return the levels of a field as written, in all grids."""
        found: list[LevelSpec] = []
        for grid in self.grids:
            own = [spec for axis in grid.axes for spec in axis.specs(field)]
            found += own or [self.base[field].spec]
        return found

    def all(self, field: str) -> Iterator[Combination]:
        """Yield every combination that says something of a field."""
        return (one for one in self.combinations() if field in one.fields)

    def parts(self, *names: str) -> Iterator[ArmPart]:
        """Yield the combinations of some fields of an arm, in every grid."""
        for blocks in self.blocks:
            concerned = [block for block in blocks if block[0].fields.keys() & set(names)]
            if set(names) <= {name for block in concerned for name in block[0].fields}:
                for combinations in product(*concerned):
                    yield ArmPart(combinations, blocks, self)


@dataclass(frozen=True, eq=False)
class ArmPart(Combined):
    """Some fields of arms, with the places of their settings."""

    blocks: Sequence[Block]
    sweep: Sweep

    @cached_property
    def places(self) -> dict[str, Place]:
        """The places of levels ("model") and settings ("train.batch_size")."""
        return {name: place for one in self.combinations for name, place in one.places.items()}

    @property
    def dataset(self) -> Dataset | None:
        """The data set; None if it cannot be used."""
        return self.sweep.datasets.opened[self.fields["data"]]

    @property
    def is_kept(self) -> bool:
        """True if `exclude` and `only` leave an arm with these fields."""
        rules = self.sweep.rules
        known = {frozenset(one.fields): one for one in self.combinations}
        choices = [(known[fields],) if (fields := frozenset(b[0].fields)) in known else b for b in self.blocks]
        masks = [[rules.fitting(one.labels) for one in block] for block in choices]
        return any(rules.leave(reduce(and_, fitting, -1)) for fitting in product(*masks))


def adapted(sweep: Sweep) -> Reading[Sweep]:
    """Return a sweep with its task, and with the task's defaults."""
    task = yield from _task(sweep)
    if task.concerns("data"):
        return replace(sweep, task=task)
    evaluate = sweep.evaluate
    return replace(
        sweep,
        task=task,
        replicates=(yield from _replicates(sweep, task)),
        base={**sweep.base, "data": default_level("data", sweep.place, "none")},
        evaluate=replace(evaluate, every=evaluate.every or 1, on=task.splits),
        evaluate_nodes={},
    )


def _task(sweep: Sweep) -> Reading[Task]:
    """Return the task of all models. Those that learn from data do not mix with others, and must have data."""
    if any("model" in grid.faulty for grid in sweep.grids):
        return CLASSIFICATION
    models = sweep.specs("model")
    tasks = [task_of(model.name) for model in models]
    without_data = [model for model, task in zip(models, tasks) if not task.concerns("data")]
    if without_data and len(without_data) < len(models):
        names = ", ".join(dict.fromkeys(model.name for model in models))
        yield without_data[0].place.mistake(
            f"networks learn from data and landscapes do not, so they are not compared in one sweep; got {names}"
        )
    for data in () if without_data else sweep.specs("data"):
        if data.name == "none":
            yield data.place.mistake(f"data must not be none, since {models[0].name} learns from data")
    return tasks[0] if len(set(tasks)) == 1 else CLASSIFICATION


def _replicates(sweep: Sweep, task: Task) -> Reading[Replicates]:
    """Return the seeds: without chance (noise) a descent is the same for every seed, and one is enough."""
    models = sweep.specs("model")
    noises = [value for model in models for value in model.values(task.chance)]
    noises += [level.value for axis in sweep.axes for level in axis.setting_levels("model", task.chance)]
    node = sweep.top.get("seeds")
    if node is not None and sweep.replicates.crossed:
        yield node.place.mistake(
            f"a {task.noun} has no sources of chance to cross, got {node}; write a number of seeds"
        )
        return sweep.replicates
    if any(noises):
        return sweep.replicates
    if node is None:
        return Replicates(range(1))
    if len(sweep.replicates) > 1:
        yield node.place.mistake(
            f"without {task.chance} a descent is the same for every seed, got {node}; take seeds out, or add "
            f"{task.chance}, as in model: {{{models[0].name}: {{{task.chance}: 0.1}}}}"
        )
    return sweep.replicates
