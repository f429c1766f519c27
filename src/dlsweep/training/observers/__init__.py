"""Observers of training: each notes one thing, and none has an effect on the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlsweep.training.evaluation import Evaluation, Watch
from dlsweep.training.result import TrainingResult
from dlsweep.training.state import State
from dlsweep.training.step import Gradients
from dlsweep.types import Array


class Observer:
    """Hooks that the training loop calls. Each does nothing unless an observer overrides it."""

    @property
    def pending(self) -> bool:
        """True while the observer waits for the gradients of the next step, and for the outputs of the layers."""
        return False

    def differentiated(self, t: int, state: State, gradients: Gradients) -> None:
        """Note the gradients of step t, before its update; `state` is the one after t − 1 updates."""

    def updated(self, t: int, state: State) -> None:
        """Note the update of step t."""

    def watch(self, t: int, state: State) -> Watch | None:
        """Return a function that is given the blocks of the evaluation that begins after t updates, or None."""
        return None

    def evaluated(self, evaluation: Evaluation, state: State) -> None:
        """Note an evaluation. All runs of the stack have converged so far."""

    def exhausted(self, state: State) -> Array:
        """Return a mask of the rows that need no more training."""
        return np.zeros(len(state), bool)

    def leaving(self, t: int, state: State, rows: Array, status: str) -> None:
        """Note that rows leave the stack after t updates, as `done`, `stopped` or `diverged`."""

    def resume(self, before: TrainingResult) -> None:
        """Take over the notes on the same runs from the training that goes on."""

    def states(self) -> Sequence[Mapping[str, Array]]:
        """Return arrays of each run that `resume` will need besides the rows of the tables; () for none."""
        return ()

    def results(self) -> dict[str, Any]:
        """Return fields of the `TrainingResult`."""
        return {}
