"""How a cohort trains: a network learns from data, a point descends on a landscape."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dlsweep.config.runs import Run
from dlsweep.datasets.base import Dataset
from dlsweep.nn.landscapes import landscapes
from dlsweep.training import descent, loop
from dlsweep.training.result import TrainingResult


def train(runs: Sequence[Run], data: Dataset, *, progress: Callable[[int], None] = lambda n: None) -> TrainingResult:
    """Train runs of one cohort as one stack and return their curves, see `loop.train` and `descent.descend`."""
    way = descent.descend if runs[0].arm.model.name in landscapes else loop.train
    return way(runs, data, progress=progress)
