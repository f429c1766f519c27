"""Cohorts and chunks: the runs that train together as one stack.

Code splits cohorts, numbers stack: another activation, optimizer or shape is another cohort; the initializer, a
learning rate and the seed are columns of one. A cohort is cut into chunks only to bound memory and to give every worker
something to do; a run's curve is the same in any chunk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from dlsweep.config import Config
from dlsweep.config.runs import Arm, Run
from dlsweep.datasets import open_dataset
from dlsweep.datasets.base import Dataset
from dlsweep.factors import FACTORS
from dlsweep.registry import imported
from dlsweep.tasks import task_of
from dlsweep.training import costs
from dlsweep.training.costs import FLOAT, Cost
from dlsweep.training.result import Begun, TrainingResult

T = TypeVar("T")
Chunk = tuple[Run, ...]

WIDE_ENOUGH = 8 << 20  # bytes of weights in a stack: a wider one gains nothing, and loses more when it is killed
MOST_RUNS = 512  # in a chunk, however small the network


@dataclass(frozen=True, kw_only=True)
class Cohort(Cost):
    """Runs whose arrays have the same shapes and whose code is the same, with the costs of each.

    arm: one of its arms; dataset: of all of them; arms, runs: their numbers; labels: of each varying factor those that
    its arms have; patient: some of them may stop early; together: the runs of an arm that must train in one chunk,
    else 1.
    """

    arm: Arm
    dataset: Dataset
    arms: int
    runs: int
    labels: Mapping[str, Collection[str]]
    patient: bool
    together: int = 1


@dataclass(frozen=True)
class Plan:
    """The work of a sweep: the cohorts of a config, in the order of its arms.

    owns: tells if a run of the config is part of the plan; every run, unless the plan is a shard's.
    """

    config: Config
    cohorts: tuple[Cohort, ...]
    owns: Callable[[Run], bool] | None = None

    @property
    def runs(self) -> int:
        """Number of networks that the plan trains."""
        return sum(c.runs for c in self.cohorts)

    def missing(self, done: Collection[str]) -> Iterator[Run]:
        """Yield the runs whose id is not in `done`, lazily, arm by arm."""
        runs = filter(self.owns, self.config.runs()) if self.owns else self.config.runs()
        return (run for run in runs if run.id not in done) if done else iter(runs)

    def iterations(self, done: Collection[str]) -> int:
        """Return the number of run-iterations of the missing runs."""
        if not done:
            return sum(c.runs * c.steps for c in self.cohorts)
        number = self.numbering()
        return sum(self.cohorts[number(run.arm)].steps for run in self.missing(done))

    def numbering(self) -> Callable[[Arm], int]:
        """Return a function that gives the position of an arm's cohort, fast for runs that come arm by arm."""
        numbers = {code(cohort.arm): i for i, cohort in enumerate(self.cohorts)}
        return last_kept(lambda arm: numbers[code(arm)])

    def chunks(self, done: Collection[str], workers: int, memory: int, apart: Collection[str] = ()) -> Iterator[Chunk]:
        """Yield the missing runs, lazily, in chunks for `workers` that may use `memory` bytes each.

        apart: runs that train in other chunks than the rest.
        """
        number, divided = self.numbering(), any(cohort.dataset.division for cohort in self.cohorts)

        def key(run: Run) -> tuple[int, bool, int]:
            i = number(run.arm)
            # An id is a hash, made only where it is needed. The folds of a cross-validation may differ by a sample.
            return i, bool(apart) and run.id in apart, self.cohorts[i].dataset.tested(run.seeds)

        if done or apart or divided:
            missing: Mapping[tuple[int, bool, int], int] = Counter(map(key, self.missing(done)))
        else:
            missing = {(i, False, cohort.dataset.sizes["test"]): cohort.runs for i, cohort in enumerate(self.cohorts)}
        sizes = _sizes([(self.cohorts[i], count) for (i, *_), count in missing.items()], workers, memory)
        pieces = {
            own: [c.together * piece for c in [self.cohorts[own[0]]] for piece in _pieces(count // c.together, size)]
            for (own, count), size in zip(missing.items(), sizes, strict=True)
        }
        filling: dict[tuple[int, bool, int], list[Run]] = {own: [] for own in missing}
        for run in self.missing(done):
            own = key(run)
            filling[own].append(run)
            if len(filling[own]) == pieces[own][-1]:
                pieces[own].pop()
                yield tuple(filling[own])
                filling[own].clear()


def plan(config: Config) -> Plan:
    """Sort the arms of a config into cohorts. Builds one network per cohort, reads no data, trains nothing.

    >>> from dlsweep import load
    >>> made = plan(load({"name": "x", "grid": {"activation": ["relu", "tanh"], "init": ["he", "xavier"]}, "seeds": 3}))
    >>> made.runs, [cohort.arms for cohort in made.cohorts]
    (12, [2, 2])
    """
    first: dict[Hashable, Arm] = {}
    labels: dict[Hashable, dict[str, dict[str, None]]] = {}
    arms, runs, patient = Counter[Hashable](), Counter[Hashable](), set[Hashable]()
    varying = tuple(config.varying)
    for arm in config.arms():
        key = code(arm)
        first.setdefault(key, arm)
        arms[key] += 1
        runs[key] += len(config.replicates_of(arm))
        for factor, seen in labels.setdefault(key, {factor: {} for factor in varying}).items():
            seen[arm.levels[factor]] = None
        if arm.train.stopping:
            patient.add(key)
    cohorts = []
    for key, arm in first.items():
        about: dict[str, Any] = {"labels": labels[key], "patient": key in patient, "together": max(1, len(arm.members))}
        about |= {"arms": arms[key], "runs": runs[key], "dataset": open_dataset(arm.data)}
        cohorts.append(Cohort(arm=arm, **about, **vars(costs.of(arm))))
    return Plan(config, tuple(cohorts))


def train(
    runs: Sequence[Run],
    data: Dataset,
    *,
    progress: Callable[[int], None] = lambda n: None,
    begun: Begun | None = None,
) -> TrainingResult:
    """Train runs of one cohort as one stack and return their curves, see `loop.train` and `descent.descend`."""
    goes_on = {"begun": begun} if begun else {}
    return imported(task_of(runs[0].arm.model.name).trainer)(runs, data, progress=progress, **goes_on)


def code(arm: Arm) -> Hashable:
    """Return a key that arms share if they can train as one stack: all but the numbers and the initializer."""
    split = [factor.code(arm.chosen(factor.name)) for factor in FACTORS]
    train = replace(arm.train, stopping=None) if arm.train.stopping else arm.train
    return arm.fingerprint, *split, train, arm.evaluate


def last_kept(function: Callable[[Arm], T]) -> Callable[[Arm], T]:
    """Return a function that is computed once for each arm, of runs that come arm by arm: it keeps the last value."""
    last: tuple[Arm, T] | None = None

    def of(arm: Arm) -> T:
        nonlocal last
        if last is None or last[0] is not arm:
            last = arm, function(arm)
        return last[1]

    return of


def _sizes(cohorts: list[tuple[Cohort, int]], workers: int, memory: int) -> list[int]:
    """Return the largest number of runs, or of ensembles, in a chunk of each cohort.

    Chunks are as wide as memory and cache allow, and such that the workers end at about the same time. One to four
    chunks a worker are tried, the longest first, with the cost of starting a chunk (about half a run of its cohort).
    """
    most = [min(MOST_RUNS, memory // c.memory, WIDE_ENOUGH // (FLOAT * max(1, c.parameters))) for c, _ in cohorts]
    widest = [max(1, runs // c.together) for runs, (c, _) in zip(most, cohorts, strict=True)]
    total = sum(c.work * runs for c, runs in cohorts)

    def attempt(per_worker: int) -> tuple[float, list[int]]:
        share = total / (workers * per_worker)
        sizes = [min(w, max(1, round(share / (c.work * c.together)))) for w, (c, _) in zip(widest, cohorts)]
        some = slice(16 * workers)  # enough to tell; a long tail balances itself
        work = [
            c.work * (piece * c.together + 0.5)
            for (c, runs), size in zip(cohorts, sizes)
            for piece in _pieces(runs // c.together, size)[some]
        ]
        ends = [0.0] * workers
        for cost in sorted(work, reverse=True):
            ends[ends.index(min(ends))] += cost
        return max(ends), sizes

    return min(attempt(k) for k in (1, 2, 3, 4))[1]


def _pieces(runs: int, size: int) -> list[int]:
    """Cut `runs` into as few pieces of at most `size` as possible, of nearly equal size."""
    count = -(-runs // size)
    return [runs // count + (i < runs % count) for i in range(count)]
