"""Stores with made-up final values, and claims about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from bench import stores

from dlsweep.config.claims import Claim, PartialArm
from dlsweep.config.runs import Run
from dlsweep.storage.results import Results
from dlsweep.training.result import TrainingResult

Value = Callable[[Mapping[str, str], int], float]  # from the labels of an arm and a seed


def store(
    folder: Path,
    grid: Mapping[str, Any],
    value: Value,
    *claims: Claim,
    seeds: int = 6,
    ended: Callable[[Mapping[str, str], int], str] = lambda levels, seed: "done",
    late: Sequence[str] = (),
    removed: Sequence[str] = (),
    **config: Any,
) -> Results:
    """Return the results of a grid whose runs end with a test accuracy of `value`, and a loss of 1 − accuracy.

    ended: how a run ends; one that diverged has no value at the end.
    """

    def made_up(runs: Sequence[Run]) -> TrainingResult:
        status = [ended(run.arm.levels, run.seed) for run in runs]
        accuracy = np.array([[0.0, value(run.arm.levels, run.seed)] for run in runs])
        accuracy[[one in ("diverged", "failed") for one in status], 1] = np.nan
        return stores.result([0, 10], {"test": {"accuracy": accuracy, "loss": 1 - accuracy}}, status)

    asked = {
        "name": "made-up",
        "data": {"mnist": {"train": 300, "test": 200}},
        "train": {"iterations": 10},
        "evaluate": {"every": 10, "on": ["test"], "predictions": False},
        "grid": grid,
        "seeds": seeds,
    }
    results = stores.write(folder, {**asked, **config}, made_up)
    return replace(results, record=replace(results.record, claims=claims, late=late, removed=removed))


def arm(**levels: str) -> PartialArm:
    """Return a partial arm of labels."""
    return {factor: (label,) for factor, label in levels.items()}
