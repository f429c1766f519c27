"""Curves: the metrics of every run at every evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlsweep.training.evaluation import Evaluation
from dlsweep.training.observers import Observer
from dlsweep.training.state import State
from dlsweep.types import Array

Row = tuple[Any, ...]  # iteration, epoch, split, then arrays of equal length


class Curves(Observer):
    """Collect a row for every run, iteration and split."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def evaluated(self, evaluation: Evaluation, state: State) -> None:
        """Add the metrics of an evaluation."""
        for split, m in evaluation.splits.items():
            when = (evaluation.iteration, evaluation.epoch, split)
            self.rows.append((*when, state.stack.positions, m.loss, m.penalty, m.accuracy))

    def results(self) -> dict[str, Any]:
        """Return `curves`."""
        return {"curves": long_columns(self.rows, ("run", "loss", "penalty", "accuracy"))}


def long_columns(rows: Sequence[Row], names: Sequence[str]) -> dict[str, Array]:
    """Return rows of an iteration, an epoch, a split and arrays of equal length as long columns."""
    names = ("iteration", "epoch", "split", *names)
    if not rows:
        return {name: np.empty(0, str if name == "split" else int) for name in names}
    lengths = [len(row[3]) for row in rows]
    when = [np.repeat(given, lengths) for given in list(zip(*rows, strict=True))[:3]]
    arrays = [np.concatenate(given) for given in list(zip(*rows, strict=True))[3:]]
    return dict(zip(names, [*when, *arrays], strict=True))
