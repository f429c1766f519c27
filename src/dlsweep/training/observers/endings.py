"""Ends of runs: status and iteration, early stopping, and the parameters that are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from dlsweep.config.runs import Arm, Monitor, Run, Stopping
from dlsweep.training.evaluation import Evaluation
from dlsweep.training.observers import Observer
from dlsweep.training.result import Checkpoint, TrainingResult, named
from dlsweep.training.state import State
from dlsweep.types import Array

NEVER = 1 << 62  # more evaluations than there will be


class Endings(Observer):
    """Status, last iteration and patience of every run; arrays are `(R,)`, in the order of the runs as given.

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
        self.status, self.iterations = [""] * len(runs), np.zeros(len(runs), int)

    def evaluated(self, evaluation: Evaluation, state: State) -> None:
        """Count the evaluations without an improvement."""
        positions = state.stack.positions
        for split, metric in self.monitored:
            self._count(evaluation.iteration, split, metric, positions, getattr(evaluation.splits[split], metric))

    def _count(self, t: int, split: str, metric: str, runs: Array, value: Array) -> None:
        mine = self.monitored[split, metric][runs]
        runs, value = runs[mine], (-value if metric == "accuracy" else value)[mine]
        better = value < self.best[runs] - self.min_delta[runs]
        self.waited[runs] = np.where(better, 0, self.waited[runs] + 1)
        self.best[runs[better]] = value[better]
        self.best_at[runs[better]] = t

    def resume(self, before: TrainingResult) -> None:
        """Count the evaluations so far again, and take over the ends of the runs that have ended early."""
        curves = before.curves
        for t in np.unique(curves["iteration"]):
            for split, metric in self.monitored:
                rows = (curves["iteration"] == t) & (curves["split"] == split)
                self._count(int(t), split, metric, curves["run"][rows], curves[metric][rows])
        for position, status in enumerate(before.status):
            if status != "done":
                self.status[position], self.iterations[position] = status, before.iterations[position]

    @property
    def final(self) -> Array:
        """The iteration that each run's final metrics are of."""
        return np.where(self.restore, self.best_at, self.iterations)

    def improved(self, t: int, positions: Array) -> Array:
        """Return a mask of the runs that have improved at iteration t."""
        return self.best_at[positions] == t

    def exhausted(self, state: State) -> Array:
        """Return a mask of the rows that have waited long enough."""
        return (self.waited >= self.patience)[state.stack.positions]

    def leaving(self, t: int, state: State, rows: Array, status: str) -> None:
        """Note how and when runs end."""
        for position in state.stack.positions[rows]:
            self.status[position], self.iterations[position] = status, t

    def results(self) -> dict[str, Any]:
        """Return `status`, `iterations` and `final`."""
        return {"status": self.status, "iterations": self.iterations.tolist(), "final": self.final.tolist()}


def _rule(arm: Arm) -> Stopping | None:
    """Return the metric that defines a run's best evaluation, and its patience; None if unused."""
    if arm.train.stopping or arm.evaluate.keep != "best":
        return arm.train.stopping
    on = arm.evaluate.on
    split = "validation" if "validation" in on else on[-1]
    return Stopping(NEVER, cast(Monitor, f"{split}_accuracy"), min_delta=0.0, restore_best=False)


class Checkpoints(Observer):
    """Keep the parameters that the final metrics of each run were computed with, or those of its best evaluation.

    If no weights are kept (`keep` is None), only those of runs that restore their best network, until training ends.
    """

    def __init__(self, runs: Sequence[Run], endings: Endings):
        self.endings = endings
        self.keep = runs[0].arm.evaluate.keep
        # Final metrics may be those of the best evaluation: then its parameters are kept.
        self.best: Array = endings.restore | (self.keep == "best")
        self.kept: list[Checkpoint | None] = [None] * len(runs)
        self.every = runs[0].arm.evaluate.every
        self.regular = self.kept  # those of evaluations that a longer training has too
        self.last: list[dict[str, Array]] = [{} for _ in runs]

    def evaluated(self, evaluation: Evaluation, state: State) -> None:
        """Keep the parameters of the runs that have improved."""
        positions = state.stack.positions
        if evaluation.iteration % self.every:
            self.regular = self.kept.copy()
        improved = self.best[positions] & self.endings.improved(evaluation.iteration, positions)
        self._copy(evaluation.iteration, state, np.flatnonzero(improved))

    def leaving(self, t: int, state: State, rows: Array, status: str) -> None:
        """Keep the last parameters of the runs that ended without divergence."""
        positions = state.stack.positions[rows]
        if self.keep is None:
            return
        if status != "diverged":
            self._copy(t, state, rows[~self.best[positions]])
            if status == "done" and self.keep == "final":
                for row in rows:
                    self.last[state.stack.positions[row]] = self._last(t, state, row)
        elif self.keep == "final":
            for position in positions:
                self.kept[position] = None

    def _copy(self, t: int, state: State, rows: Array) -> None:
        for row in rows:
            self.kept[state.stack.positions[row]] = state.copy(t, row)

    def _last(self, t: int, state: State, row: int) -> dict[str, Array]:
        """Return copies of a row's slots, and of the last and the best parameters if other ones are kept."""
        layers, (optimizer, _) = state.stack.network.layers, state.stack.optimizer
        last = {
            f"slots/{layer.name}/{k}/{name}": slot[row].copy()
            for layer, slots in zip(layers, state.slots, strict=True)
            for k, own in slots.items()
            for name, slot in zip(optimizer.rest, own, strict=True)
        }
        kept, regular = (found[state.stack.positions[row]] for found in (self.kept, self.regular))
        if kept is not None and kept.iteration < t:
            last |= {f"last/{name}": w for name, w in state.copy(t, row).parameters.items()}
        if self.best[state.stack.positions[row]] and regular is not None and regular is not kept:
            last |= {f"best/{name}": w for name, w in regular.parameters.items()}
        return last

    def resume(self, before: TrainingResult) -> None:
        """Take over what ended runs have kept, and the best parameters so far; `endings` has resumed."""
        for position, kept in enumerate(before.kept):
            if kept is not None and (before.status[position] != "done" or self.best[position]):
                best = {**kept.parameters, **named("best", before.states[position])}
                self.kept[position] = Checkpoint(int(self.endings.final[position]), best)

    def states(self) -> Sequence[Mapping[str, Array]]:
        """Return the slots of each run, and further parameters."""
        return self.last if self.keep else ()

    def results(self) -> dict[str, Any]:
        """Return `kept`."""
        return {"kept": self.kept} if self.keep else {}
