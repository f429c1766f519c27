"""Early stopping: which runs of a stack have waited long enough for an improvement, and when each was at its best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from dlsweep.config.runs import Arm, Monitor, Run, Stopping
from dlsweep.types import Array

NEVER = 1 << 62  # more evaluations than there will be


class Patience:
    """What the runs of a stack wait for, and how long they have waited; `(R,)` each, in the order of the runs as given.

    A run improves where its monitored loss falls, or its accuracy rises, by more than `min_delta` beyond its best; the
    first evaluation does. It stops once `patience` evaluations in a row do not (Goodfellow et al. 2016, Algorithm 7.1).
    """

    def __init__(self, runs: Sequence[Run]):
        rules = [_rule(run.arm) for run in runs]
        self.monitored: dict[tuple[str, str], Array] = {}
        for key in dict.fromkeys((rule.split, rule.metric) for rule in rules if rule):
            self.monitored[key] = np.array([rule is not None and (rule.split, rule.metric) == key for rule in rules])
        self.patience = np.array([rule.patience if rule else np.inf for rule in rules])
        self.min_delta = np.array([rule.min_delta if rule else 0.0 for rule in rules])
        self.restore = np.array([rule is not None and rule.restore_best for rule in rules])
        self.best = np.full(len(runs), np.inf)  # of an accuracy its negative: less is better
        self.best_at = np.zeros(len(runs), int)
        self.waited = np.zeros(len(runs), int)

    def look(self, t: int, which: Array, metrics: Mapping[tuple[str, str], Array]) -> None:
        """Take in an evaluation at iteration t of some of the runs; metrics: theirs, by split and name."""
        for (split, metric), mine in self.monitored.items():
            value = metrics[split, metric][mine[which]]
            runs = which[mine[which]]
            value = -value if metric == "accuracy" else value
            better = value < self.best[runs] - self.min_delta[runs]
            self.waited[runs] = np.where(better, 0, self.waited[runs] + 1)
            self.best[runs[better]] = value[better]
            self.best_at[runs[better]] = t

    def improved(self, t: int, which: Array) -> Array:
        """Whether each of some runs has just improved, at iteration t."""
        now: Array = self.best_at[which] == t
        return now

    @property
    def exhausted(self) -> Array:
        """Whether each run has waited long enough."""
        over: Array = self.waited >= self.patience
        return over

    def final(self, last: Sequence[int]) -> list[int]:
        """The iterations whose metrics are the runs' final ones; last: those of their last evaluations."""
        return [int(at) for at in np.where(self.restore, self.best_at, last)]


def _rule(arm: Arm) -> Stopping | None:
    """By what a run's best evaluation is known, and when it stops; None where nobody asks for either."""
    if arm.train.stopping or arm.evaluate.keep != "best":
        return arm.train.stopping
    on = arm.evaluate.on
    split = "validation" if "validation" in on else on[-1]
    return Stopping(NEVER, cast(Monitor, f"{split}_accuracy"), min_delta=0.0, restore_best=False)
