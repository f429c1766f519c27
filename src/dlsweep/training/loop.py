"""The one training loop: a stack of runs of one cohort, from initial weights to curves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np

from dlsweep.config.runs import Arm, Choice, Run
from dlsweep.datasets.base import Dataset
from dlsweep.nn.activations import activations
from dlsweep.nn.dense import Shared
from dlsweep.nn.initializers import initializers
from dlsweep.nn.layers import Layer, Parameters, size
from dlsweep.nn.losses import softmax_cross_entropy
from dlsweep.nn.networks import activation_layer, forward, networks
from dlsweep.nn.normalization import normalizations
from dlsweep.nn.optimizers import optimizers
from dlsweep.nn.regularizers import regularizers
from dlsweep.nn.schedules import schedules
from dlsweep.randomness import stream
from dlsweep.registry import Entry
from dlsweep.training.evaluation import Block, Blocks, Group, evaluate, labels
from dlsweep.training.minibatches import iterations, minibatches, steps_per_epoch, subset

Array = np.ndarray


@dataclass(frozen=True)
class Outcome:
    """What a stack's training leaves behind.

    curves: columns of equal length, one row per run, iteration and split: `run` (index into the runs as given),
    `iteration` (updates made), `epoch`, `split`, `loss` (mean, without penalty), `penalty`, `accuracy`.
    status: per run, "done" or "diverged". iterations: per run, the updates made, or the update at which the loss or
    its gradient was found not to be finite. parameters: trained numbers of one run. seconds: of the whole stack.
    """

    curves: dict[str, Array]
    status: list[str]
    iterations: list[int]
    parameters: int
    seconds: float


def build(arm: Arm, data: Dataset) -> list[Layer]:
    """The layers of an arm's network for samples and classes such as `data` has."""
    activation = partial(activation_layer, activations[arm.activation.name].function, arm.activation.settings)
    normalization = partial(normalizations[arm.normalization.name].function, **arm.normalization.settings)
    model = networks[arm.model.name].function
    layers: list[Layer] = model(data.shape, data.classes, activation, normalization, **arm.model.settings)
    return layers


def train(
    runs: Sequence[Run],
    data: Dataset,
    *,
    progress: Callable[[int], None] = lambda n: None,
    dtype: Any = np.float32,
) -> Outcome:
    """Train runs of one cohort as one stack and return their curves.

    progress is called at each evaluation with the run-iterations done since the last, and with 0 while the stack is
    set up; what it raises ends the training. A run whose loss or gradient is no longer finite leaves the stack as
    `diverged`; the others keep their bits, which are promised for one BLAS thread (the executors see to it).
    """
    start = time.perf_counter()
    arm = runs[0].arm  # whatever is code is the same in every arm of a cohort
    stack = _Stack(runs, data, np.dtype(dtype))
    batches = {s: minibatches(s, data.sizes["train"], arm.train) for s in stack.seeds}
    steps = iterations(arm.train, data.sizes["train"])
    per_epoch = steps_per_epoch(data.sizes["train"], arm.train.batch_size)

    with np.errstate(all="ignore"):
        batch = {s: stack.gather(s, next(batches[s])) for s in stack.seeds}
        progress(0)
        stack.evaluate(0, 0.0, batch)
        progress(0)
        reported = 0
        for t in range(1, steps + 1):
            if not stack.order:
                break
            if t > 1:
                batch = {s: stack.gather(s, next(batches[s])) for s in stack.seeds}
            stack.step(t, steps, batch)
            if t % arm.evaluate.every == 0 or t == steps:
                stack.evaluate(t, t / per_epoch, batch)
                progress(len(runs) * (t - reported))
                reported = t
        if reported < steps:
            progress(len(runs) * (steps - reported))

    return stack.outcome(steps, time.perf_counter() - start)


class _Stack:
    """The runs that still train, ordered by seed, with their parameters and slots; and the curves so far."""

    def __init__(self, runs: Sequence[Run], data: Dataset, dtype: np.dtype):
        arm = runs[0].arm
        self.given = runs
        self.order = sorted(range(len(runs)), key=lambda i: runs[i].seed)  # of the runs in the stack, in the given list
        self.dtype = dtype
        self.layers = build(arm, data)
        self.optimizer = optimizers[arm.optimizer.name]
        self.schedule = partial(schedules[arm.schedule.name].function, **arm.schedule.settings)
        self.parameters = [_initial(layer, self.runs, dtype) for layer in self.layers]
        self.slots = [
            {k: [np.zeros_like(w) for _ in self.optimizer.positional[3:]] for k, w in p.items()}
            for p in self.parameters
        ]
        self.status = ["done"] * len(runs)
        self.ended = [-1] * len(runs)
        self.rows: list[tuple[int, float, str, Array, Array, Array, Array]] = []

        arrays = data.arrays
        self.x, self.t, self.scale = arrays.x_train, arrays.t_train, dtype.type(arrays.scale)
        self.subsets = {s: subset(s, data.sizes["train"], len(self.t)) for s in self.seeds}
        self.splits: dict[str, Blocks | dict[int, Blocks] | None] = {}
        for split in arm.evaluate.on:
            x, t = (self.x, self.t) if split == "batch" else (getattr(arrays, f"{a}_{split}") for a in "xt")
            if split == "batch":
                self.splits[split] = None  # the minibatch at hand
            elif split == "train" and data.sizes["train"] < len(t):
                self.splits[split] = {s: self._blocks(x[rows], t[rows]) for s, rows in self.subsets.items()}
            else:
                self.splits[split] = self._blocks(x, t)
        self._arrange()

    @property
    def runs(self) -> list[Run]:
        return [self.given[i] for i in self.order]

    @property
    def seeds(self) -> list[int]:
        return sorted({self.given[i].seed for i in self.order})

    def _arrange(self) -> None:
        """What follows from which runs are in the stack: the slice of each seed, and the settings as columns."""
        self.slices: dict[int, slice] = {}
        at = 0
        for seed, members in groupby(self.runs, key=lambda run: run.seed):
            count = len(list(members))
            self.slices[seed] = slice(at, at + count)
            at += count
        self.settings = [
            {k: columns(self.optimizer, [r.arm.optimizer for r in self.runs], w) for k, w in p.items()}
            for p in self.parameters
        ]
        arms = [run.arm for run in self.runs]
        self.penalties = [
            (layer, k, regularizers[choice.name].function, columns(regularizers[choice.name], same, p[k]))
            for i, choice in enumerate(arms[0].regularizer if arms else ())
            for same in [[arm.regularizer[i] for arm in arms]]
            for layer, (description, p) in enumerate(zip(self.layers, self.parameters, strict=True))
            for k in p
            if description.parameters[k].kernel
        ]

    def gather(self, seed: int, indices: Array) -> Block:
        """A minibatch of a seed: `indices` count within the samples that the seed trains on."""
        rows = self.subsets[seed]
        indices = indices if rows is None else rows[indices]
        x = np.multiply(self.x[indices], self.scale, dtype=self.dtype)
        return Block(np.moveaxis(x.reshape(len(x), -1), 0, -1), self.t[indices])

    def _blocks(self, x: Array, t: Array) -> Blocks:
        return Blocks(x.reshape(len(x), -1), t, float(self.scale), self.dtype, reorder=bool(self.layers[0].reads))

    def step(self, t: int, steps: int, batch: dict[int, Block]) -> None:
        """One update of every run on its seed's minibatch."""
        groups = [Group(self.slices[s], [batch[s]]) for s in self.seeds]
        inputs = [Shared(batch[s].x, self.slices[s]) for s in self.seeds]
        logits, backward = forward(self.layers, self.parameters, inputs, training=True)
        _, back = softmax_cross_entropy(logits, labels([batch[s].t for s in self.seeds], groups))
        dlogits = back()
        gradients = backward(dlogits)
        for layer, k, regularizer, settings in self.penalties:
            gradients[layer][k] += regularizer(self.parameters[layer][k], **settings)[1]

        factor = self.dtype.type(self.schedule(t, steps))
        for p, g, slots, settings in zip(self.parameters, gradients, self.slots, self.settings, strict=True):
            for k in p:
                scheduled = settings[k] | {"lr": settings[k]["lr"] * factor}
                p[k], *slots[k] = self.optimizer.function(p[k], g[k], t, *slots[k], **scheduled)

        self._leave(t, ~np.isfinite(dlogits).all(axis=(1, 2)))

    def evaluate(self, t: int, epoch: float, batch: dict[int, Block]) -> None:
        """Add a row per run and split to the curves; runs with a loss that is not finite leave the stack."""
        if not self.order:
            return
        penalty = np.zeros(len(self.order))
        for layer, k, regularizer, settings in self.penalties:
            penalty += regularizer(self.parameters[layer][k], **settings)[0]
        rows = []
        for split, blocks in self.splits.items():
            if isinstance(blocks, Blocks):
                groups = [Group(slice(0, len(self.order)), blocks)]
            else:
                groups = [Group(self.slices[s], blocks[s] if blocks else [batch[s]]) for s in self.seeds]
            rows.append((split, *evaluate(self.layers, self.parameters, groups)))
        finite = np.all([np.isfinite(loss) for _, loss, _ in rows], axis=0)
        which = np.array(self.order)[finite]
        self.rows += [(t, epoch, split, which, loss[finite], penalty[finite], acc[finite]) for split, loss, acc in rows]
        self._leave(t, ~finite)

    def _leave(self, t: int, diverged: Array) -> None:
        """Take the diverged runs out of the stack."""
        if not diverged.any():
            return
        for i in np.flatnonzero(diverged):
            self.status[self.order[i]] = "diverged"
            self.ended[self.order[i]] = t
        stay = np.flatnonzero(~diverged)
        self.order = [self.order[i] for i in stay]

        self.parameters = [{k: w[stay] for k, w in p.items()} for p in self.parameters]
        self.slots = [{k: [slot[stay] for slot in slots] for k, slots in s.items()} for s in self.slots]
        self._arrange()

    def outcome(self, steps: int, seconds: float) -> Outcome:
        lengths = [len(which) for *_, which, _, _, _ in self.rows]
        iteration, epoch, split = (np.repeat([row[i] for row in self.rows], lengths) for i in range(3))
        run, loss, penalty, accuracy = (np.concatenate([row[i] for row in self.rows]) for i in range(3, 7))
        return Outcome(
            {
                "run": run,
                "iteration": iteration,
                "epoch": epoch,
                "split": split,
                "loss": loss,
                "penalty": penalty,
                "accuracy": accuracy,
            },
            self.status,
            [steps if at < 0 else at for at in self.ended],
            parameters=size(self.layers),
            seconds=seconds,
        )


def _initial(layer: Layer, runs: Sequence[Run], dtype: np.dtype) -> Parameters:
    """A layer's parameters before training: kernels by each run's initializer, from base draws that its seed names."""
    parameters: Parameters = {}
    for name, parameter in layer.parameters.items():
        w = np.zeros((len(runs), *parameter.shape), dtype)
        if parameter.kernel:
            for i, run in enumerate(runs):
                init, draw = run.arm.init, stream(run.seed, f"init/{layer.name}")
                w[i] = initializers[init.name].function(
                    draw, parameter.shape, parameter.fan_in, parameter.fan_out, **init.settings
                )
        parameters[name] = w
    return parameters


def columns(entry: Entry, choices: Sequence[Choice], w: Array) -> dict[str, Any]:
    """The settings of every run as arrays that broadcast against `w`: numbers stack, the rest is the same for all.

    Where all runs agree the array has one element: then the elementwise loops over `w` are long ones.
    """
    arrays: dict[str, Any] = {}
    for name, setting in entry.settings.items():
        values = [choice.settings[name] for choice in choices]
        if setting.stacks:
            values = values[:1] if len(set(values)) == 1 else values
            arrays[name] = np.array(values, w.dtype).reshape(-1, *[1] * (w.ndim - 1))
        else:
            arrays[name] = values[0]
    return arrays
