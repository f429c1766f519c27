"""The one training loop: a stack of runs of one cohort, from initial weights to curves."""

from __future__ import annotations

import time
from collections import ChainMap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlsweep.config.runs import Run
from dlsweep.datasets.base import Dataset
from dlsweep.nn.layers import size
from dlsweep.training.divergence import Limits
from dlsweep.training.evaluation import Evaluation, evaluation
from dlsweep.training.initial import first_state
from dlsweep.training.observers import Observer
from dlsweep.training.observers.curves import Curves, Ensembles
from dlsweep.training.observers.endings import Checkpoints, Endings
from dlsweep.training.observers.predictions import Predictions
from dlsweep.training.observers.probes import Probes
from dlsweep.training.result import Begun, TrainingResult
from dlsweep.training.samples import Samples
from dlsweep.training.state import Stack, State
from dlsweep.training.step import Gradients, differentiate, update
from dlsweep.types import Array

REPORT = 100  # iterations after which progress is reported, so that a stop is obeyed soon


def train(
    runs: Sequence[Run],
    data: Dataset,
    *,
    progress: Callable[[int], None] = lambda n: None,
    dtype: Any = np.float32,
    begun: Begun | None = None,
) -> TrainingResult:
    """Train runs of one cohort as one stack and return their curves.

    begun: a shorter training of the same runs that goes on; the result is the one of a training in one go.

    progress: called with the run-iterations since its last call, at each evaluation and at least every 100 iterations,
    and with 0 during the set-up; an exception that it raises ends the training. Runs that diverge
    (`dlsweep.training.divergence`) or stop early leave the stack. The others keep their bits, as long as BLAS uses one
    thread, which the executors ensure.
    """
    _ = data.arrays  # read before the clock starts, so that the first run of a process takes no longer than others
    start = time.perf_counter()
    with np.errstate(all="ignore"):
        training = Training(runs, data, np.dtype(dtype), begun)
        progress(0)
        steps, every, reported = training.steps, training.every, begun.steps if begun else 0
        if not begun:
            training.evaluate(0)
        elif reported % every == 0:
            training.stop(reported)  # it would have stopped here, had this not been its last iteration
        progress(0)
        for t in range(reported + 1, steps + 1):
            if not training.state:
                break
            training.step(t)
            evaluated = t % every == 0 or t == steps
            if evaluated:
                training.evaluate(t)
            training.next_batch(t)
            if evaluated:
                training.stop(t)
            if evaluated or t - reported == REPORT:
                progress(len(runs) * (t - reported))
                reported = t
        if reported < steps:
            progress(len(runs) * (steps - reported))
        return training.result(time.perf_counter() - start + (begun.result.seconds if begun else 0))


class Training:
    """A stack in training: its state, its samples with the current minibatches, and its observers."""

    def __init__(self, runs: Sequence[Run], data: Dataset, dtype: np.dtype, begun: Begun | None = None):
        stack = Stack.of(runs, data, dtype)
        arm = stack.arm
        self.every, samples = arm.evaluate.every, data.sizes["train"]
        self.steps, self.per_epoch = arm.train.steps(samples), arm.train.per_epoch(samples)
        self.samples = Samples(stack, begun.steps if begun else 0)
        self.batch = self.samples.next(stack.slices)
        self.state = State.resumed(stack, begun.result) if begun else first_state(stack, self.batch)
        self.parameters = size(stack.network.layers)
        self.limits = Limits(len(runs), data.classes)
        endings = Endings(runs)
        self.observers: list[Observer] = [Curves(), endings]
        restored = arm.evaluate.predicts and endings.restore.any()
        checkpoints = Checkpoints(runs, endings) if arm.evaluate.keep or restored else None
        if checkpoints:
            self.observers.append(checkpoints)
        if arm.evaluate.predicts:
            self.observers.append(Predictions(stack, self.steps, self.samples, endings, checkpoints))
        self.ensembles = arm.evaluate.ensemble
        if self.ensembles:
            self.observers.append(Ensembles())
        if arm.evaluate.layers and stack.kernels:
            self.observers.append(Probes(stack, self.steps))
        if begun:
            before = begun.regular(self.every)
            self.limits.resume(before.curves)
            for observer in self.observers:
                observer.resume(before)

    def step(self, t: int) -> None:
        """Update every run on the minibatch of its seed. Runs whose gradient is not finite leave the stack."""
        gradients = self._differentiate(t)
        update(self.state, t, self.steps, gradients)
        for observer in self.observers:
            observer.updated(t, self.state)
        self._leave(t, ~gradients.finite, "diverged")

    def _differentiate(self, t: int) -> Gradients:
        gradients = differentiate(self.state, t, self.batch, observed=self._pending)
        for observer in self.observers:
            observer.differentiated(t, self.state, gradients)
        return gradients

    def evaluate(self, t: int) -> None:
        """Evaluate every run. Runs that have diverged leave the stack.

        Without them the evaluation starts over if there are ensembles, which have no diverged members.
        """
        if not self.state:
            return
        found = self._evaluation(t)
        positions = self.state.stack.positions
        diverged = ~np.all([self.limits.within(k, m.loss, positions) for k, m in found.splits.items()], axis=0)
        if diverged.any():
            self._leave(t, diverged, "diverged")
            found = self._evaluation(t) if self.ensembles and self.state else found.keep(~diverged)
        if self.state:
            for observer in self.observers:
                observer.evaluated(found, self.state)

    def _evaluation(self, t: int) -> Evaluation:
        watches = [watch for observer in self.observers if (watch := observer.watch(t, self.state))]
        return evaluation(self.state, t, t / self.per_epoch, self.samples, self.batch, watches)

    def next_batch(self, t: int) -> None:
        """Draw the minibatches of step t + 1, also after the last step if an observer waits for their gradients."""
        if self.state and (t < self.steps or self._pending):
            self.batch = self.samples.next(self.state.stack.slices)

    def stop(self, t: int) -> None:
        """Take the runs out of the stack that are done, or that have waited long enough for an improvement."""
        done = t == self.steps
        gone = np.any([observer.exhausted(self.state) for observer in self.observers], axis=0) & (not done)
        if self.state and (done or gone.any()) and self._pending:
            self._differentiate(t + 1)
        self._leave(t, gone, "stopped")

    @property
    def _pending(self) -> bool:
        return any(observer.pending for observer in self.observers)

    def _leave(self, t: int, gone: Array, status: str) -> None:
        if gone.any():
            for observer in self.observers:
                observer.leaving(t, self.state, np.flatnonzero(gone), status)
            self.state = self.state.keep(np.flatnonzero(~gone))

    def result(self, seconds: float) -> TrainingResult:
        """Return what the observers have noted. Call it once, at the end."""
        for observer in self.observers:
            observer.leaving(self.steps, self.state, np.arange(len(self.state)), "done")
        noted = {name: value for observer in self.observers for name, value in observer.results().items()}
        noted_states = [observer.states() for observer in self.observers]
        states = [ChainMap(*map(dict, own)) for own in zip(*filter(None, noted_states))]
        return TrainingResult(parameters=self.parameters, seconds=seconds, states=states, **noted)
