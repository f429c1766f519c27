"""Predictions: the class that each run's final network gives each test image."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlsweep.training.evaluation import Evaluation, Watch, evaluation
from dlsweep.training.observers import Observer
from dlsweep.training.observers.endings import Checkpoints, Endings
from dlsweep.training.result import PREDICTED, class_type
from dlsweep.training.samples import Samples
from dlsweep.training.state import Stack, State
from dlsweep.types import Array


class Predictions(Observer):
    """Note the predictions of every evaluation that may be of a final network.

    A run whose final network is one from before its end, or of an earlier training, is evaluated again with the
    parameters that it has kept: noting the predictions at every improvement takes longer. endings, checkpoints: are
    told of an evaluation before this observer.
    """

    def __init__(self, stack: Stack, steps: int, samples: Samples, endings: Endings, checkpoints: Checkpoints | None):
        self.stack, self.steps, self.samples = stack, steps, samples
        self.endings, self.kept = endings, checkpoints.kept if checkpoints else []
        self.noted = np.full(len(stack), -1)  # the iteration, in the order of the runs as given, as is `predicted`
        self.predicted = np.zeros((len(stack), stack.data.tested(stack.runs[0].seeds)), class_type(stack.data.classes))
        self.blocks: list[Array] = []
        self.positions = stack.positions  # of the runs in the blocks

    def watch(self, t: int, state: State) -> Watch | None:
        """Begin anew: runs may have left the stack."""
        self.blocks, self.positions = [], state.stack.positions
        return self._add if t == self.steps or self._may_stop(state.stack.positions) else None

    def _may_stop(self, positions: Array) -> bool:
        """Return True if a run may stop after this evaluation, and keep its last network."""
        endings = self.endings
        return bool((~endings.restore & (endings.waited + 1 >= endings.patience))[positions].any())

    def _add(self, split: str, logits: Array, t: Array) -> None:
        if split == PREDICTED:
            self.blocks.append(logits.argmax(axis=1).astype(self.predicted.dtype))

    def evaluated(self, evaluation: Evaluation, state: State) -> None:
        """Note the predictions of the runs that have no better network to restore."""
        if self.blocks:
            positions = state.stack.positions
            final = ~self.endings.restore[positions] | self.endings.improved(evaluation.iteration, positions)
            self._note(evaluation.iteration, positions[final])

    def _note(self, t: int, positions: Array) -> None:
        """Take the predictions of some runs from the blocks, in the order of the data."""
        rows = np.isin(self.positions, positions)  # both are in the order of the stack
        seeds = [run.seeds for run, position in zip(self.stack.runs, self.stack.positions) if position in positions]
        order = self.samples.order(PREDICTED, seeds)
        self.predicted[positions[:, None], order] = np.concatenate(self.blocks, axis=1)[rows]
        self.noted[positions] = t

    def results(self) -> dict[str, Any]:
        """Return `predictions`."""
        finished = np.array([status != "diverged" for status in self.endings.status])
        again = (finished & (self.noted != self.endings.final))[self.stack.positions]
        final = np.where(again, self.endings.final[self.stack.positions], -1)
        for t in np.unique(final[again]):
            self._again(int(t), self.stack.keep(np.flatnonzero(final == t)))
        return {"predictions": [own if done else None for own, done in zip(self.predicted, finished, strict=True)]}

    def _again(self, t: int, stack: Stack) -> None:
        """Evaluate the networks that some runs have kept of an iteration."""
        kept = [one.parameters for position in stack.positions if (one := self.kept[position])]
        self.blocks, self.positions = [], stack.positions
        evaluation(State.of(stack, kept), t, 0.0, self.samples, {}, [self._add], on=[PREDICTED])
        self._note(t, stack.positions)
