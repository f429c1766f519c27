"""The numbers that a line stands for: the seeds of an arm on one split, their mean and its interval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dlsweep.analysis.statistics import interval
from dlsweep.errors import UsageError
from dlsweep.plots.base import DataFrame
from dlsweep.plots.factors import Placed, factors, labels

# Of a bootstrap for each point of a band, from 20 seeds on: fewer than for a number that somebody reads off a table.
_RESAMPLES = 1000


@dataclass(frozen=True)
class Line:
    """The curves of some runs, all of one arm, on one split.

    x: `(P,)`; each: `(runs, P)`, NaN from where a run ended; status: per run. chance: the accuracy at which a diverged
    run counts, NaN if unknown or if this is no accuracy.
    """

    row: str
    column: str
    level: str
    split: str
    x: np.ndarray
    each: np.ndarray
    status: np.ndarray
    chance: float

    @cached_property
    def counted(self) -> np.ndarray:
        """The curves as the mean takes them, `(runs, P)`: after its end, a diverged run counts at chance accuracy (as a
        loss it has no value), and a run that was stopped early keeps its last value."""
        filled = self.each.copy()
        for curve, status in zip(filled, self.status):
            last = np.flatnonzero(np.isfinite(curve))[-1:]
            after = slice(last[0] + 1 if len(last) else 0, None)
            if status == "diverged":
                curve[after] = self.chance
            elif status == "stopped" and len(last):
                curve[after] = curve[last[0]]
        return filled

    @cached_property
    def mean(self) -> np.ndarray:
        """Mean over the runs, `(P,)`; NaN where a run has no value."""
        mean: np.ndarray = self.counted.mean(axis=0)
        return mean

    @cached_property
    def band(self) -> tuple[np.ndarray, np.ndarray]:
        """The 95 % interval of the mean, low and high, `(P,)`; NaN where there is no mean, and with one run."""
        low, high = np.full((2, len(self.x)), np.nan)
        whole = np.isfinite(self.mean)
        low[whole], high[whole] = interval(self.counted[:, whole].T, resamples=_RESAMPLES)
        return low, high

    @cached_property
    def ends(self) -> np.ndarray:
        """Last point of each run that diverged, `(diverged, 2)`."""
        diverged = self.each[(self.status == "diverged") & np.isfinite(self.each).any(axis=1)]
        last = [np.flatnonzero(np.isfinite(curve))[-1] for curve in diverged]
        return np.array([(self.x[i], curve[i]) for i, curve in zip(last, diverged)]).reshape(-1, 2)


def lines(frame: DataFrame, placed: Placed, x: str, y: str) -> Iterator[Line]:
    """The lines of every panel. A `UsageError` names the factors that a line would average over."""
    curves = frame[frame[x].notna()]
    places = (placed.rows, placed.columns, placed.lines)
    keys = [labels(curves, place) if place else np.full(len(curves), "") for place in places]
    for (row, column, level, split), group in curves.groupby([*keys, "split"], sort=False, observed=True):
        if "seed" not in places and "arm" in group and group["arm"].nunique() > 1:
            mixed = [f for f in factors(group) if group[f].nunique() > 1]
            raise UsageError(f"a line would be the mean over {' and '.join(mixed)}; show it as rows, columns or lines")
        run, runs = group["run_id"].factorize()
        points, at = np.unique(group[x].to_numpy(dtype=np.float64), return_inverse=True)
        each = np.full((len(runs), len(points)), np.nan)
        each[run, at] = group[y].to_numpy(dtype=np.float64, na_value=np.nan)
        first = group.drop_duplicates("run_id")
        status = first["status"].to_numpy(dtype=str) if "status" in first else np.full(len(runs), "done")
        known = y == "accuracy" and "classes" in first
        chance = 1 / float(first["classes"].iloc[0]) if known else float("nan")
        yield Line(str(row), str(column), str(level), str(split), points, each, status, chance)
