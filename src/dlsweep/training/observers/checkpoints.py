"""Checkpoints: the parameters that are kept of each run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlsweep.config.runs import Run
from dlsweep.training.evaluation import Evaluation
from dlsweep.training.observers import Observer
from dlsweep.training.observers.early_stopping import EarlyStopping
from dlsweep.training.result import Checkpoint
from dlsweep.training.state import State
from dlsweep.types import Array


class Checkpoints(Observer):
    """Keep the parameters that the final metrics of each run were computed with, or those of its best evaluation."""

    def __init__(self, runs: Sequence[Run], stopping: EarlyStopping):
        self.stopping = stopping
        self.keep = runs[0].arm.evaluate.keep
        # Final metrics may be those of the best evaluation: then its parameters are kept.
        self.best: Array = stopping.restore | (self.keep == "best")
        self.kept: list[Checkpoint | None] = [None] * len(runs)

    def evaluated(self, evaluation: Evaluation, state: State) -> None:
        """Keep the parameters of the runs that have improved."""
        positions = state.stack.positions
        improved = self.best[positions] & self.stopping.improved(evaluation.iteration, positions)
        self._copy(evaluation.iteration, state, np.flatnonzero(improved))

    def leaving(self, t: int, state: State, rows: Array, status: str) -> None:
        """Keep the last parameters of the runs that ended without divergence."""
        positions = state.stack.positions[rows]
        if status != "diverged":
            self._copy(t, state, rows[~self.best[positions]])
        elif self.keep == "final":
            for position in positions:
                self.kept[position] = None

    def _copy(self, t: int, state: State, rows: Array) -> None:
        for row in rows:
            self.kept[state.stack.positions[row]] = state.copy(t, row)

    def results(self) -> dict[str, Any]:
        """Return `kept`."""
        return {"kept": self.kept}
