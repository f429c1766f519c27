"""The runs of one cohort that train together: every array has one row for each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from dlsweep.config.runs import Run
from dlsweep.datasets.base import Dataset
from dlsweep.nn.forward import Forward, forward
from dlsweep.nn.fusion import fuse_for_evaluation
from dlsweep.nn.layers import Context, Output, Parameters, SharedInput, broadcast, column, size
from dlsweep.nn.losses import label_smoothing, softmax_cross_entropy
from dlsweep.nn.optimizers import optimizers
from dlsweep.nn.schedules import schedules
from dlsweep.training import divergence
from dlsweep.training.draws import Draws
from dlsweep.training.ensembles import Ensembles
from dlsweep.training.evaluation import Block, Blocks, Group, block_size, evaluate, labels, split_blocks
from dlsweep.training.initial import initial
from dlsweep.training.minibatches import evaluations, iterations, subset
from dlsweep.training.network import build
from dlsweep.training.outcome import Kept, Outcome
from dlsweep.training.probes import Probes
from dlsweep.training.stopping import Patience
from dlsweep.types import Array

_SAME = ("validation", "test")  # splits with the same samples for every seed

Batch = dict[int, Block]  # the minibatch of each seed


class Stack:
    """The runs that still train, ordered by seed, with their parameters and slots; and the curves so far."""

    def __init__(self, runs: Sequence[Run], data: Dataset, dtype: np.dtype):
        arm = runs[0].arm
        self.given = runs
        self.order = sorted(range(len(runs)), key=lambda i: runs[i].seed)  # of the runs in the stack, in the given list
        self.data, self.dtype = data, dtype
        self.optimizer, self.schedule = optimizers[arm.optimizer.name], schedules[arm.schedule.name]
        self.clip_norm = arm.train.clip_norm
        self.status = ["done"] * len(runs)
        self.ended = [-1] * len(runs)
        self.patience = Patience(runs)
        self.kept: list[Kept | None] = [None] * len(runs)
        # Whether the weights to keep are those of the best evaluation: they are where the final metrics are its.
        self.keeps_best = self.patience.restore | (arm.evaluate.keep == "best")
        self.rows: list[tuple[int, float, str, Array, Array, Array, Array]] = []
        self.averages: list[tuple[int, float, str, Array, Array, Array, Array]] = []
        self.probes: Probes | None = None
        self.limits: dict[str, Array] = {}  # by split: the loss above which each of the given runs has diverged
        self.parameters: list[Parameters] = []
        self.slots: list[dict[str, list[Array]]] = []
        self._arrange()

        arrays = data.arrays
        self.x, self.t = arrays.x_train, arrays.t_train
        self.subsets = {s: subset(s, data.sizes["train"], len(self.t)) for s in self.slices}
        self.seen = {s: arrays.seen_by(rows) for s, rows in self.subsets.items()}
        self.splits: dict[str, Blocks | dict[int, Blocks] | None] = {}
        subsets = data.sizes["train"] < len(self.t)
        reorder = bool(self.network.layers[0].facts.reorders) and not arrays.standardized
        size = block_size(self.network.layers)
        for split in arm.evaluate.on:
            if split == "batch":
                self.splits[split] = None  # the minibatch at hand
            elif split == "train" and subsets:
                self.splits[split] = {
                    s: Blocks(self.x[rows], self.t[rows], self.seen[s].floats, dtype, reorder=reorder, size=size)
                    for s, rows in self.subsets.items()
                }
            elif arrays.standardized and subsets:  # every seed sees the same samples with moments of its own
                whole = split_blocks(data, split, dtype, reorder, size, keep=False)
                self.splits[split] = {s: whole.seen(own.floats) for s, own in self.seen.items()}
            else:
                self.splits[split] = split_blocks(data, split, dtype, reorder, size)

    def _arrange(self) -> None:
        """What follows from which runs are in the stack: the slice of each seed, and every setting as a column."""
        runs = [self.given[i] for i in self.order]
        self.slices: dict[int, slice] = {}
        at = 0
        for seed, members in groupby(runs, key=lambda run: run.seed):
            count = len(list(members))
            self.slices[seed] = slice(at, at + count)
            at += count
        ensembles: dict[str, list[int]] = {}
        for row, run in enumerate(runs):
            if run.arm.evaluate.ensemble:
                ensembles.setdefault(run.arm.identity, []).append(row)
        self.ensembles = list(ensembles.values())
        if runs:
            arms = [run.arm for run in runs]
            self.network = build(arms, self.data, self.dtype)
            self.settings = self.optimizer.columns([arm.optimizer for arm in arms], self.dtype)
            self.scheduled = self.schedule.columns([arm.schedule for arm in arms], np.float64)
            self.kernels = [
                (i, name)
                for i, layer in enumerate(self.network.layers)
                for name, parameter in layer.parameters.items()
                if parameter.kernel
            ]
            if self.probes:
                self.probes.arrange(self.network.layers)

    def gather(self, seed: int, indices: Array) -> Block:
        """A minibatch of a seed: `indices` count within the samples that the seed trains on."""
        rows = self.subsets[seed]
        indices = indices if rows is None else rows[indices]
        x = self.seen[seed].floats(self.x[indices], self.dtype)
        return Block(np.moveaxis(x, 0, -1), self.t[indices])

    def begin(self, batch: Batch) -> None:
        """Initial parameters, empty slots, and probes; batch: the first one, that initializers may look at."""
        runs = [self.given[i] for i in self.order]
        samples = {seed: block.x for seed, block in batch.items()}
        self.parameters = initial(self.network.layers, runs, samples, self.data, self.dtype)
        self.slots = [
            {k: [np.zeros_like(p[k]) for _ in self.optimizer.rest] for k in p if layer.parameters[k].trained}
            for layer, p in zip(self.network.layers, self.parameters, strict=True)
        ]
        arm = runs[0].arm
        if arm.evaluate.layers and self.kernels:
            steps = iterations(arm.train, self.data.sizes["train"])
            self.probes = Probes(self.network.layers, evaluations(arm.evaluate, steps), len(self.given))

    def _shared(self, batch: Batch) -> list[SharedInput]:
        return [SharedInput(batch[s].x, runs) for s, runs in self.slices.items()]

    def step(self, t: int, steps: int, batch: Batch, *, evaluated: bool = False) -> None:
        """Update every run on its seed's minibatch; evaluated: an evaluation follows, so the probes note the update."""
        gradients, passed, finite = self._gradients(t, batch)
        for p, state in zip(self.parameters, passed.states, strict=True):
            p.update(state)
        noted = self.probes if evaluated else None
        if noted:
            noted.before_update(self.parameters)
        self._update(t, steps, gradients)
        if noted:
            noted.updated(np.array(self.order), self.parameters)
        self._leave(t, ~finite, "diverged")

    def measure(self, t: int, batch: Batch) -> None:
        """Let the probes measure what is due in step t, without the update."""
        if self.probes and self.probes.due is not None and self.order:
            self._gradients(t, batch)

    def _gradients(self, t: int, batch: Batch) -> tuple[list[Parameters], Forward, Array]:
        """Return the gradients of step t with those of the penalties, their pass, and a mask of the finite runs.

        The probes measure here if a row is due.
        """
        context = Context(True, Draws(self.slices, t))
        measured = self.probes if self.probes and self.probes.due is not None else None
        if measured:  # a pass of its own, over the layers as they are written, so that no bit depends on it
            outputs: list[Output] = []
            forward(self.network.layers, self.parameters, self._shared(batch), context, outputs)
            measured.measure(np.array(self.order), self.parameters, outputs)
            outputs.clear()
        passed = forward(self.network.fused, self.parameters, self._shared(batch), context)
        groups = [Group(runs, [batch[s]]) for s, runs in self.slices.items()]
        t_batch = labels([batch[s].t for s in self.slices], groups)
        dlogits = softmax_cross_entropy(passed.logits, t_batch).back()
        if self.network.smoothing is not None:
            dlogits += column(self.network.smoothing, dlogits) * label_smoothing(passed.logits, t_batch)[1]()
        gradients = passed.back(dlogits)
        for regularizer in self.network.regularizers:
            if regularizer.penalty:
                for i, k in self.kernels:
                    gradients[i][k] += regularizer.penalty.gradient(self.parameters[i][k])
        finite: Array = np.isfinite(dlogits).all(axis=(1, 2))
        if measured:
            measured.differentiated(gradients)
        return gradients, passed, finite

    def _clip(self, gradients: list[Parameters]) -> None:
        """Shorten a gradient whose norm over all parameters is above the limit."""
        squares = [(g * g).reshape(len(g), -1).sum(axis=1) for gs in gradients for g in gs.values()]
        norm = np.sqrt(sum(squares))  # one after the other: np.sum may add in another order when it is one run
        limit = self.dtype.type(self.clip_norm)
        for gs in gradients:
            for k in gs:
                gs[k] *= column(limit / np.maximum(norm, limit), gs[k])

    def _update(self, t: int, steps: int, gradients: list[Parameters]) -> None:
        if self.clip_norm is not None:
            self._clip(gradients)
        factor = np.asarray(self.schedule(t, steps, **self.scheduled), self.dtype)
        settings = self.settings | {"lr": self.settings["lr"] * factor}
        for p, gs, slots in zip(self.parameters, gradients, self.slots, strict=True):
            for k, g in gs.items():
                p[k], *slots[k] = self.optimizer.function(p[k], g, t, *slots[k], **broadcast(settings, g))
        for regularizer in self.network.regularizers:
            if regularizer.project:
                for i, k in self.kernels:
                    self.parameters[i][k] = regularizer.project(self.parameters[i][k])

    def evaluate(self, t: int, epoch: float, batch: Batch) -> None:
        """Add a row per run and split to the curves; runs that have diverged leave the stack.

        Where there are ensembles it starts over without such runs, so that none of them is a member.
        """
        if not self.order:
            return
        penalty = np.zeros(len(self.order))
        for regularizer in self.network.regularizers:
            if regularizer.penalty:
                for i, k in self.kernels:
                    penalty += regularizer.penalty.value(self.parameters[i][k])
        draws = Draws(self.slices, t)
        layers, parameters = fuse_for_evaluation(self.network.layers, self.parameters, Context(False, draws))
        network = self.network._replace(layers=layers)
        rows, averages = [], []
        for split, blocks in self.splits.items():
            if isinstance(blocks, Blocks):
                groups = [Group(slice(0, len(self.order)), blocks)]
            else:
                groups = [Group(runs, blocks[s] if blocks else [batch[s]]) for s, runs in self.slices.items()]
            averaged = Ensembles(self.ensembles)
            seen = averaged.add if self.ensembles and (split in _SAME or isinstance(blocks, Blocks)) else None
            rows.append((split, evaluate(network, parameters, groups, draws, seen)))
            if seen:
                averages.append((split, averaged))
        finite = np.all([self._converges(split, metrics.loss) for split, metrics in rows], axis=0)
        which = np.array(self.order)[finite]
        if self.ensembles and not finite.all():
            self._leave(t, ~finite, "diverged")
            self.evaluate(t, epoch, batch)
            return
        for split, metrics in rows:
            added = penalty + metrics.penalty
            self.rows.append((t, epoch, split, which, metrics.loss[finite], added[finite], metrics.accuracy[finite]))
        first = np.array([self.order[rows[0]] for rows in self.ensembles], int)
        members = np.array([len(rows) for rows in self.ensembles], int)
        for split, averaged in averages:
            self.averages.append((t, epoch, split, first, members, averaged.loss, averaged.accuracy))
        monitored = {(split, name): getattr(m, name)[finite] for split, m in rows for name in ("loss", "accuracy")}
        self.patience.look(t, which, monitored)
        self._keep(t, np.flatnonzero(finite)[self.keeps_best[which] & self.patience.improved(t, which)])
        if self.probes:
            self.probes.due = t
        self._leave(t, ~finite, "diverged")

    def _converges(self, split: str, loss: Array) -> Array:
        """Return a mask of the runs in the stack whose loss on a split is below the limit of divergence."""
        if split not in self.limits:  # of iteration 0, when all runs are in the stack
            self.limits[split] = np.empty(len(self.given))
            self.limits[split][self.order] = divergence.limit(loss, np.log(self.data.classes))
        within: Array = np.isfinite(loss) & (loss <= self.limits[split][self.order])
        return within

    def stop(self, t: int, following: Batch) -> None:
        """Take runs out of the stack that have waited long enough for an improvement.

        following: the next minibatch, on which the probes measure runs before they leave.
        """
        exhausted = self.patience.exhausted[self.order]
        if exhausted.any():
            self.measure(t + 1, following)
        self._keep_final(t, np.flatnonzero(exhausted))
        self._leave(t, exhausted, "stopped")

    def _keep_final(self, t: int, rows: Array) -> None:
        """Keep the parameters that rows of the stack end with, where these are the ones to keep."""
        self._keep(t, rows[~self.keeps_best[np.array(self.order, int)[rows]]])

    def _keep(self, t: int, rows: Array) -> None:
        """Keep the parameters of some rows of the stack, if any are to be kept, in place of earlier ones."""
        for row in rows if self.given[0].arm.evaluate.keep else ():
            self.kept[self.order[row]] = self.copied(t, row)

    def copied(self, t: int, row: int) -> Kept:
        """The parameters, at iteration t, of a row of the stack."""
        named = zip(self.network.layers, self.parameters, strict=True)
        return Kept(t, {f"{layer.name}/{k}": w[row].copy() for layer, p in named for k, w in p.items()})

    def _leave(self, t: int, gone: Array, status: str) -> None:
        """Take runs out of the stack."""
        if not gone.any():
            return
        for i in np.flatnonzero(gone):
            self.status[self.order[i]] = status
            self.ended[self.order[i]] = t
            if status == "diverged" and self.given[0].arm.evaluate.keep == "final":
                self.kept[self.order[i]] = None
        stay = np.flatnonzero(~gone)
        self.order = [self.order[i] for i in stay]
        self.parameters = [{k: w[stay] for k, w in p.items()} for p in self.parameters]
        self.slots = [{k: [slot[stay] for slot in slots] for k, slots in s.items()} for s in self.slots]
        self._arrange()

    def outcome(self, steps: int, seconds: float) -> Outcome:
        """The curves so far, and how every run ended that was given."""
        ended = [steps if at < 0 else at for at in self.ended]
        self._keep_final(steps, np.arange(len(self.order)))
        return Outcome(
            _columns(self.rows, ("run", "loss", "penalty", "accuracy")),
            self.status,
            ended,
            self.patience.final(ended),
            parameters=size(self.network.layers),
            seconds=seconds,
            ensembles=_columns(self.averages, ("run", "members", "loss", "accuracy")),
            layers=self.probes.columns() if self.probes else {},
            kept=self.kept,
        )


def _columns(rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> dict[str, Array]:
    """Rows of an iteration, an epoch and a split, each with arrays of equal length, as long columns."""
    names = ("iteration", "epoch", "split", *names)
    if not rows:
        return {name: np.empty(0, str if name == "split" else int) for name in names}
    lengths = [len(row[3]) for row in rows]
    when = [np.repeat(given, lengths) for given in list(zip(*rows, strict=True))[:3]]
    arrays = [np.concatenate(given) for given in list(zip(*rows, strict=True))[3:]]
    return dict(zip(names, [*when, *arrays], strict=True))
