"""Training of a cohort, by its task."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dlsweep.config.runs import Run
from dlsweep.datasets.base import Dataset
from dlsweep.registry import imported
from dlsweep.tasks import task_of
from dlsweep.training.result import TrainingResult


def train(runs: Sequence[Run], data: Dataset, *, progress: Callable[[int], None] = lambda n: None) -> TrainingResult:
    """Train runs of one cohort as one stack and return their curves, see `loop.train` and `descent.descend`."""
    result: TrainingResult = imported(task_of(runs[0].arm.model.name).trainer)(runs, data, progress=progress)
    return result
