"""Scores: one metric of whole runs, with the mean and the interval of each arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from dlsweep.analysis.board import Compared
from dlsweep.analysis.facets import Cell, Facets, arms, factors, labels, levels, refuse_mixed
from dlsweep.analysis.frames import counted, metric_columns, replication
from dlsweep.analysis.sides import fitting
from dlsweep.analysis.statistics import INDEPENDENT, Replication, bounds_of, interval
from dlsweep.errors import UsageError
from dlsweep.metrics import Metric
from dlsweep.storage.choosing import partial_arm
from dlsweep.storage.tables import Moment
from dlsweep.text import nearest, value_text
from dlsweep.types import DataFrame, Series, Split


def metric_in(runs: DataFrame, y: str, split: Split | None, moment: Moment) -> Metric:
    """Return the metric of a table of runs on a split; on the one furthest from training if none is given.

    A `UsageError` says that there are no runs, or that the split was not evaluated.
    """
    if runs.empty:
        raise UsageError("there is nothing to show: no run is done yet")
    evaluated = [c.split("_")[1] for c in metric_columns(runs) if c.startswith(moment) and c.endswith(y)]
    if split is not None and split not in evaluated:
        raise UsageError(f"there is nothing to show: {split} was not evaluated; there is {', '.join(evaluated)}")
    return Metric(moment, split or evaluated[-1], y)


@dataclass(frozen=True)
class Scores:
    """Metric of the runs of one arm, as a figure shows them: a diverged run at chance accuracy, its loss as NaN.

    values, diverged, seeds: `(runs,)`. failed: the number of further runs, without a value. metric: its name.
    replication: how the runs depend on each other.
    """

    values: np.ndarray
    diverged: np.ndarray
    seeds: np.ndarray
    failed: int
    metric: str
    replication: Replication = INDEPENDENT

    @staticmethod
    def of(runs: DataFrame, metric: Metric) -> Scores:
        """Scores of some runs, all of one arm.

        >>> import pandas as pd
        >>> runs = pd.DataFrame({"status": ["done"] * 2, "seed": [0, 1], "final_test_loss": [0.5, 0.25]})
        >>> Scores.of(runs, Metric("final", "test", "loss")).mean
        0.375
        """
        status = runs["status"].to_numpy(dtype=str)
        kept = status != "failed"
        values = counted(runs, [metric.name])[kept, 0]
        diverged, seeds = status[kept] == "diverged", runs["seed"].to_numpy()[kept]
        return Scores(values, diverged, seeds, int((~kept).sum()), metric.name, replication(runs))

    @property
    def n(self) -> int:
        """Number of runs that count."""
        return len(self.values)

    @cached_property
    def mean(self) -> float:
        """Mean over the runs; NaN without any, or where one has no value."""
        return float(self.values.mean()) if self.n else float("nan")

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the mean."""
        if not self.n:
            return np.nan, np.nan
        low, high = interval(self.values, bounds=bounds_of(self.metric), replication=self.replication)
        return float(low), float(high)

    def minus(self, other: Scores) -> Scores:
        """Differences to another arm, of the seeds that both have."""
        seeds, mine, theirs = np.intersect1d(self.seeds, other.seeds, return_indices=True)
        values, diverged = self.values[mine] - other.values[theirs], self.diverged[mine] | other.diverged[theirs]
        return Scores(values, diverged, seeds, self.failed, f"{self.metric}_difference", self.replication)

    def record(self) -> dict[str, float]:
        """Numbers of a row of `Chart.data`."""
        low, high = self.interval
        ended = {"n": self.n, "diverged": int(self.diverged.sum()), "failed": self.failed}
        return {self.metric: self.mean, "low": low, "high": high, **ended}


def chance(runs: DataFrame, y: str) -> float:
    """Return the accuracy of guessing; NaN for another metric, or where it is unknown or differs between runs."""
    known = y == "accuracy" and "classes" in runs and runs["classes"].nunique() == 1
    return 1 / float(runs["classes"].iloc[0]) if known else float("nan")


@dataclass(frozen=True)
class Rows:
    """Scores of arms, by panel, by row and level of `lines`.

    metric: of all, or the first of several splits; name: of the rows, "arm" or a factor; names: of each row; row: of
    each run; facets: without rows of panels.
    """

    metric: Metric
    name: str
    names: list[str]
    row: Series[str]
    facets: Facets
    dots: dict[Cell, dict[tuple[str, str], Scores]]

    @staticmethod
    def of(facets: Facets, rows: str, metrics: Sequence[Metric], *, best_first: bool = False) -> Rows:
        """Scores with a row for each level of `rows`: a factor, or "arm" for all factors without another place.

        metrics: one, or one for each of several splits, which then are the levels within a row.
        """
        import pandas as pd

        by_split = {metric.split: metric for metric in metrics} if len(metrics) > 1 else {}
        if by_split:
            facets = replace(facets.on(pd.concat([facets.frame.assign(split=s) for s in by_split])), lines="split")
        runs, grid = facets.frame, replace(facets, rows=None)
        row, name = arms(runs, (facets.columns, facets.lines)) if rows == "arm" else (labels(runs, rows), rows)
        frame = runs.assign(row=row, level=labels(runs, facets.lines) if facets.lines else "")
        dots: dict[Cell, dict[tuple[str, str], Scores]] = {}
        for cell, part in grid.parts(frame):
            dots[cell] = {}
            for (own, level), group in part.groupby(["row", "level"], sort=False, observed=True):
                refuse_mixed(group, "row")
                scores = Scores.of(group, by_split.get(str(level), metrics[0]))
                scores = replace(scores, metric=f"{metrics[0].kind}_{metrics[0].y}") if by_split else scores
                dots[cell][str(own), str(level)] = scores
        names = list(dict.fromkeys(row)) if rows == "arm" else levels(runs, rows)

        found = Rows(metrics[0], name, names, row, grid, dots)
        return replace(found, names=sorted(names, key=found.rank)) if best_first else found

    def rank(self, name: str) -> float:
        """Return a number by which rows are in order, the best one first."""
        means = [one.mean for part in self.dots.values() for (row, _), one in part.items() if row == name]
        mean = float(np.mean([mean for mean in means if np.isfinite(mean)] or [np.inf]))
        return mean if self.metric.less_is_better or np.isinf(mean) else -mean

    def named(self, row: str | Mapping[str, Any]) -> str:
        """Return the row with a name, with some levels such as `{init: he}`, or the best row for "best".

        A `UsageError` says that there is none, or that several have these levels.
        """
        if isinstance(row, str):
            if row not in (*self.names, "best"):
                raise UsageError(f"there is no row {row!r} to compare with{nearest(row, [*self.names, 'best'])}")
            return row if row in self.names else min(self.names, key=self.rank)
        frame = self.facets.frame
        known = {factor: levels(frame, factor) for factor in factors(frame)}
        there = fitting(frame, partial_arm(known, row, "to compare with"))
        of = list(dict.fromkeys(self.row[there]))
        if len(of) != 1:
            apart = [factor for factor in known if frame.loc[there, factor].nunique() > 1]
            more = f"; add the level of {', '.join(apart)}" * bool(of)
            raise UsageError(f"a reference must be one row, and {len(of)} are {value_text(dict(row))}{more}")
        return of[0]

    def minus(self, name: str) -> Rows:
        """Differences of all rows to one of them, paired by seed."""
        dots = {
            cell: {(row, level): one.minus(part[name, level]) for (row, level), one in part.items() if row != name}
            for cell, part in self.dots.items()
        }
        return replace(self, names=[row for row in self.names if row != name], dots=dots)

    def alike(self, cell: Cell) -> set[tuple[str, str]]:
        """Return the rows of a panel that cannot be distinguished from its best row, which is not one of them.

        By the tests of `Compared.marked`. Rows without a mean take no part.
        """
        import pandas as pd

        part = {name: one for name, one in self.dots[cell].items() if np.isfinite(one.mean)}
        if any(one.n < 2 for one in part.values()):
            return set()
        frame = pd.DataFrame({name: pd.Series(one.values, one.seeds) for name, one in part.items()})
        every = np.ones(len(part), bool)
        found = Compared(self.metric, frame.to_numpy().T, every, replication=replication(self.facets.frame))
        return {name for i, name in enumerate(part) if found.marked[i] and i != found.best}

    @cached_property
    def every(self) -> list[Scores]:
        """Scores of all panels."""
        return [one for part in self.dots.values() for one in part.values()]

    def table(self) -> DataFrame:
        """One row per arm."""
        arms = ((cell, *arm) for cell, part in self.dots.items() for arm in part.items())
        rows = ((cell, level, {self.name: row, **one.record()}) for cell, (row, level), one in arms)
        table = self.facets.tidy(rows, [self.name])
        return table[[self.name, *table.columns.drop(self.name)]]


def cell_scores(facets: Facets, metric: Metric) -> tuple[dict[Cell, Scores], np.ndarray]:
    """Return the scores of each cell that has runs, and the means of all cells as a matrix, NaN without runs.

    A `UsageError` names factors that a cell would average over.
    """
    scores, means = dict[Cell, Scores](), np.full(facets.shape, np.nan)
    for cell, part in facets:
        refuse_mixed(part, "cell", ("rows", "columns"))
        if len(part):
            scores[cell] = Scores.of(part, metric)
            means[cell] = scores[cell].mean
    return scores, means
