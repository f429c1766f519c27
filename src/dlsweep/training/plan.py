"""Cohorts and chunks: which runs train together as one stack.

Code splits cohorts, numbers stack: another activation, optimizer or shape is another cohort; the initializer, a
learning rate and the seed are columns of one. A cohort is cut into chunks only to bound memory and to give every worker
something to do; a run's curve is the same in any chunk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Protocol

from dlsweep.config.runs import Arm, Run
from dlsweep.datasets import open_dataset
from dlsweep.datasets.base import Dataset
from dlsweep.errors import DlsweepError, UsageError
from dlsweep.nn.activations import activations
from dlsweep.nn.landscapes import landscapes
from dlsweep.nn.layers import Layer, in_tiles, multiplications, size
from dlsweep.nn.normalization import normalizations
from dlsweep.nn.optimizers import optimizers
from dlsweep.nn.regularizers import regularizers
from dlsweep.nn.schedules import schedules
from dlsweep.registry import Choice, Registry
from dlsweep.training.minibatches import evaluations, iterations
from dlsweep.training.network import Network, build
from dlsweep.training.samples import block_size

Chunk = tuple[Run, ...]

FLOAT = 4  # bytes of a float32
POINT = 100  # bytes of a point on a path
WIDE_ENOUGH = 8 << 20  # bytes of weights in a stack: a wider one gains nothing, and loses more when it is killed
MOST_RUNS = 512  # in a chunk, however small the network


class Question(Protocol):
    """A config, as far as a plan needs it: its runs, lazily, arm by arm."""

    def runs(self) -> Iterator[Run]: ...


@dataclass(frozen=True)
class Cohort:
    """Runs whose arrays have the same shapes and whose code is the same.

    arm: one of its arms; arms, runs: their numbers; parameters: of one run; memory: bytes that one more run in a stack
    takes; work: multiplications of one run, to weigh chunks against each other; together: the runs of an arm that must
    train in one chunk, else 1; kernels: the layers of a run that have one.
    """

    arm: Arm
    arms: int
    runs: int
    parameters: int
    memory: int
    work: float
    together: int = 1
    kernels: int = 0


@dataclass(frozen=True)
class Plan:
    """What there is to train: the cohorts of a config, in the order in which its arms name them."""

    config: Question
    cohorts: tuple[Cohort, ...]

    @property
    def runs(self) -> int:
        """Number of networks that the whole sweep trains."""
        return sum(c.runs for c in self.cohorts)

    def missing(self, done: Container[str]) -> Iterator[Run]:
        """Yield the runs whose id is not in `done`, lazily, arm by arm."""
        return (run for run in self.config.runs() if run.id not in done)

    def chunks(self, done: Container[str], workers: int, memory: int) -> Iterator[Chunk]:
        """The missing runs, expanded as they are taken, in chunks for `workers` that may take `memory` bytes each."""
        cohorts = {code(c.arm): c for c in self.cohorts}
        missing = dict.fromkeys(cohorts, 0)
        for run in self.missing(done):
            missing[code(run.arm)] += 1
        sizes = _sizes([(c, missing[key]) for key, c in cohorts.items()], workers, memory)
        pieces = {
            key: [c.together * piece for piece in _pieces(missing[key] // c.together, size)]
            for (key, c), size in zip(cohorts.items(), sizes, strict=True)
        }
        filling: dict[Hashable, list[Run]] = {key: [] for key in cohorts}
        for run in self.missing(done):
            key = code(run.arm)
            filling[key].append(run)
            if len(filling[key]) == pieces[key][-1]:
                pieces[key].pop()
                yield tuple(filling[key])
                filling[key] = []


def plan(config: Question) -> Plan:
    """Sort the arms of a config into cohorts. Builds one network per cohort, reads no data, trains nothing.

    >>> from dlsweep import load
    >>> made = plan(load({"name": "x", "grid": {"activation": ["relu", "tanh"], "init": ["he", "xavier"]}, "seeds": 3}))
    >>> made.runs, [cohort.arms for cohort in made.cohorts]
    (12, [2, 2])
    """
    first: dict[Hashable, Arm] = {}
    arms, runs = Counter[Hashable](), Counter[Hashable]()
    last: Arm | None = None
    for run in config.runs():
        if run.arm is not last:
            last, key = run.arm, code(run.arm)
            first.setdefault(key, last)
            arms[key] += 1
        runs[key] += 1
    return Plan(config, tuple(_cohort(arm, arms[key], runs[key]) for key, arm in first.items()))


def code(arm: Arm) -> Hashable:
    """What two arms must have in common to train as one stack: everything but the numbers and the initializer."""
    return (
        arm.fingerprint,
        arm.model.canonical,
        _code(activations, arm.activation),
        _code(normalizations, arm.normalization),
        _code(optimizers, arm.optimizer),
        _code(schedules, arm.schedule),
        *(_code(regularizers, c) for c in arm.regularizer),
        replace(arm.train, stopping=None),
        arm.evaluate,
    )


def _code(registry: Registry, choice: Choice) -> Hashable:
    settings = registry[choice.name].settings
    return choice.name, *(repr(value) for name, value in choice.settings.items() if not settings[name].stacks)


def _cohort(arm: Arm, arms: int, runs: int) -> Cohort:
    if arm.model.name in landscapes:
        points = evaluations(arm.evaluate, iterations(arm.train, 0))
        return Cohort(arm, arms, runs, parameters=2, memory=POINT * points, work=float(iterations(arm.train, 0)))
    data = open_dataset(arm.data)
    network = _built(arm, data)
    layers = network.layers
    parameters = size(layers)
    slots = len(optimizers[arm.optimizer.name].rest)
    kernels = [p for layer in layers for p in layer.parameters.values() if p.kernel]
    columns = max((regularizer.columns for regularizer in network.regularizers), default=1) * block_size(layers)
    activations = _activations(network, data.shape, columns, arm.train.batch_size, arm.evaluate.layers)
    steps = iterations(arm.train, data.sizes["train"])
    evaluated = sum(arm.train.batch_size if split == "batch" else data.sizes[split] for split in arm.evaluate.on)
    work = max(1, multiplications(layers)) * (
        3 * steps * arm.train.batch_size + evaluated * evaluations(arm.evaluate, steps)
    )
    # A seed that trains on a subset of its own is evaluated on a copy of it.
    own = "train" in arm.evaluate.on and arm.data.settings.get("train") is not None
    samples = data.sizes["train"] * prod(data.shape) if own else 0
    # Of every parameter: itself, its gradient and slots, what an update and an evaluation make of it, what is kept, and
    # what probes look at.
    copies = 4 + slots + bool(arm.evaluate.keep) + 3 * arm.evaluate.layers
    memory = FLOAT * (parameters * copies + activations + samples)
    return Cohort(arm, arms, runs, parameters, memory, float(work), max(1, len(arm.members)), len(kernels))


def _activations(network: Network, shape: tuple[int, ...], evaluated: int, trained: int, observed: bool) -> int:
    """How many numbers a run's passes hold at most: an evaluation of so many samples, or training on so many.

    observed: whether probes see every output, which takes a pass of its own, over the layers as they are written.
    """
    kept, working = _passed(network.fused, shape, in_tiles(network.fused))
    passes = [working * evaluated, (kept + working) * trained]
    if observed:
        passes.append(sum(_passed(network.layers, shape, [False] * len(network.layers))) * trained)
    return max(passes)


def _passed(layers: Sequence[Layer], shape: tuple[int, ...], in_tiles: Sequence[bool]) -> tuple[int, int]:
    """How many numbers of a sample training keeps for the way back, and how many a layer at work holds at most.

    That is what it reads and makes, each with copies, and what a convolution lays out: its input, once
    for each column of a kernel; the first reads what the runs share. A layer that leaves the shape as it is, as
    activations and normalizations do, keeps more than others.
    """
    kept, working, before = 0, prod(shape), 0
    for layer, pieces in zip(layers, in_tiles, strict=True):
        laid = sum(p.shape[-1] for p in layer.parameters.values() if p.kernel and len(p.shape) == 4) * prod(shape)
        after = 0 if pieces else prod(layer.shape)
        kept += (3 if layer.shape == shape else 2) * after + laid
        working = max(working, 3 * (before + after) + laid)
        before, shape = after, layer.shape
    return kept, working


def _built(arm: Arm, data: Dataset) -> Network:
    try:
        return build([arm], data)
    except Exception as error:  # whatever somebody's own layer or regularizer raises
        what = str(error) if isinstance(error, DlsweepError) else f"{type(error).__name__}: {error}"
        raise UsageError(f"the network of the arm {arm.name!r} cannot be built: {what}") from error


def _sizes(cohorts: list[tuple[Cohort, int]], workers: int, memory: int) -> list[int]:
    """How many runs a chunk of each cohort holds at most, or how many ensembles.

    As wide as memory and cache allow, and so that the workers end at about the same time: one to four chunks a worker
    are tried, longest first, against the cost of starting a chunk (about half a run of its cohort).
    """
    most = [min(MOST_RUNS, memory // c.memory, WIDE_ENOUGH // (FLOAT * max(1, c.parameters))) for c, _ in cohorts]
    widest = [max(1, runs // c.together) for runs, (c, _) in zip(most, cohorts, strict=True)]
    total = sum(c.work * runs for c, runs in cohorts)

    def attempt(per_worker: int) -> tuple[float, list[int]]:
        share = total / (workers * per_worker)
        sizes = [
            min(w, max(1, round(share / (c.work * c.together)))) for w, (c, _) in zip(widest, cohorts, strict=True)
        ]
        costs = [
            c.work * (piece * c.together + 0.5)
            for (c, runs), size in zip(cohorts, sizes, strict=True)
            for piece in _pieces(runs // c.together, size)[
                : 16 * workers
            ]  # enough to tell; a long tail balances itself
        ]
        ends = [0.0] * workers
        for cost in sorted(costs, reverse=True):
            ends[ends.index(min(ends))] += cost
        return max(ends), sizes

    return min(attempt(k) for k in (1, 2, 3, 4))[1]


def _pieces(runs: int, size: int) -> list[int]:
    """`runs` cut into as few pieces of at most `size` as it takes, as equal as can be."""
    count = -(-runs // size)
    return [runs // count + (i < runs % count) for i in range(count)]
