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
    """Note the predictions of every evaluation that may be of a final network: the last, and all that may be restored.

    A run that goes on, and whose final network is of an earlier training, is evaluated again with the parameters that
    it has kept. endings, checkpoints: are told of an evaluation before this observer.
    """

    def __init__(self, stack: Stack, steps: int, samples: Samples, endings: Endings, checkpoints: Checkpoints | None):
        self.stack, self.steps, self.samples = stack, steps, samples
        self.endings, self.kept = endings, checkpoints.kept if checkpoints else []
        self.noted = np.zeros(len(stack), bool)  # in the order of the runs as given, as is `predicted`
        self.predicted = np.zeros((len(stack), stack.data.tested(stack.runs[0].seeds)), class_type(stack.data.classes))
        self.blocks: list[Array] = []
        self.positions = stack.positions  # of the runs in the blocks

    def watch(self, t: int, state: State) -> Watch | None:
        """Begin anew: runs may have left the stack."""
        self.blocks, self.positions = [], state.stack.positions
        return self._add if t == self.steps or self._may_be_final(state.stack.positions) else None

    def _may_be_final(self, positions: Array) -> bool:
        """Return True if a run may stop after this evaluation, or restore its network later."""
        endings = self.endings
        return bool((endings.restore | (endings.waited + 1 >= endings.patience))[positions].any())

    def _add(self, split: str, logits: Array, t: Array) -> None:
        if split == PREDICTED:
            self.blocks.append(logits.argmax(axis=1).astype(self.predicted.dtype))

    def evaluated(self, evaluation: Evaluation, state: State) -> None:
        """Note the predictions of the runs that have no better network to restore."""
        if self.blocks:
            positions = state.stack.positions
            final = ~self.endings.restore[positions] | self.endings.improved(evaluation.iteration, positions)
            self._note(positions[final])

    def _note(self, positions: Array) -> None:
        """Take the predictions of some runs from the blocks, in the order of the data."""
        rows = np.isin(self.positions, positions)  # both are in the order of the stack
        seeds = [run.seeds for run, position in zip(self.stack.runs, self.stack.positions) if position in positions]
        order = self.samples.order(PREDICTED, seeds)
        self.predicted[positions[:, None], order] = np.concatenate(self.blocks, axis=1)[rows]
        self.noted[positions] = True

    def results(self) -> dict[str, Any]:
        """Return `predictions`."""
        for row, position in enumerate(self.stack.positions):
            if not self.noted[position] and self.endings.status[position] != "diverged":
                self._again(self.stack.keep(np.array([row])), int(position))
        statuses = zip(self.predicted, self.endings.status, strict=True)
        return {"predictions": [None if status == "diverged" else own for own, status in statuses]}

    def _again(self, alone: Stack, position: int) -> None:
        """Evaluate the network that a run has kept."""
        kept = self.kept[position]
        assert kept is not None, "only a training that goes on ends without an evaluation, and its runs keep weights"
        self.blocks, self.positions = [], alone.positions
        evaluation(State.of(alone, kept), kept.iteration, 0.0, self.samples, {}, [self._add], on=[PREDICTED])
        self._note(alone.positions)
