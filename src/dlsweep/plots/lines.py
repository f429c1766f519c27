"""The numbers that a line stands for: the seeds of an arm on one split, their mean and its interval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from dlsweep.analysis.statistics import BOOTSTRAP_FROM, interval
from dlsweep.plots.base import DataFrame
from dlsweep.plots.factors import Placed, labels, panel, panel_levels, refuse_mixed

# Of a bootstrap for each point of a band, from 20 seeds on: fewer than for a number that somebody reads off a table.
_RESAMPLES = 1000


@dataclass(frozen=True)
class Line:
    """The curves of some runs, all of one arm, on one split.

    x: `(P,)`; each: `(runs, P)`, NaN from where a run ended; status: per run. chance: the accuracy at which a diverged
    run counts, NaN if unknown or if this is no accuracy. ends: where runs diverged, `(diverged, 2)`; stops: where runs
    stopped early, `(stopped, 2)`. ensemble: of the runs' averaged predictions, `(P,)`, if there is one.
    """

    level: str
    split: str
    x: np.ndarray
    each: np.ndarray
    status: np.ndarray
    chance: float
    ends: np.ndarray
    stops: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    ensemble: np.ndarray | None = None

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

    def band(self, *, log: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """The 95 % interval of the mean, low and high, `(P,)`; NaN where there is no mean, and with one run.

        log: for an axis of logarithms. mean ± h, a t interval, becomes mean · exp(± h / mean), that of the mean's
        logarithm by the delta method: it holds the mean as well, and never reaches 0. A bootstrap never does anyway.
        """
        low, high = self._interval
        if not log:
            return low, high
        mean, half = np.where(self.mean > 0, self.mean, np.nan), (high - low) / 2
        few = len(self.each) < BOOTSTRAP_FROM
        return (mean * np.exp(-half / mean), mean * np.exp(half / mean)) if few else (low, high)

    @cached_property
    def _interval(self) -> tuple[np.ndarray, np.ndarray]:
        low, high = np.full((2, len(self.x)), np.nan)
        whole = np.isfinite(self.mean)
        low[whole], high[whole] = interval(self.counted[:, whole].T, resamples=_RESAMPLES)
        return low, high


@dataclass(frozen=True)
class Content:
    """What a panel shows: its lines; and of how many runs, how many diverged, and how many failed and have no curve."""

    lines: Sequence[Line]
    runs: int
    diverged: int
    failed: int


def panel_contents(
    frame: DataFrame, placed: Placed, lines: Iterable[tuple[str, str, Line]]
) -> dict[tuple[int, int], Content]:
    """The content of every panel, by its row and column; empty for a combination of levels without runs.

    lines: each after the row and the column of its panel.
    """
    grid: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for row, column, line in lines:
        grid[row, column].append(line)
    runs = frame.drop_duplicates("run_id")
    contents = {}
    for at, (row, column) in panel_levels(frame, placed).items():
        mine = panel(runs, placed, row, column)
        status = mine["status"].tolist() if "status" in mine else []
        contents[at] = Content(grid[row, column], len(mine), status.count("diverged"), status.count("failed"))
    return contents


def curve_lines(frame: DataFrame, placed: Placed, x: str, y: str) -> Iterator[tuple[str, str, Line]]:
    """Every line of curves, after the row and the column of its panel.

    A `UsageError` names the factors that a line would average over. A line goes as far as its runs. If they all
    diverged, where a diverged run counts at chance, it goes as far as the other runs that were to train as long.
    """
    curves = frame[frame[x].notna()].reset_index(drop=True)
    lengths = [c for c in map(str, curves.columns) if c.startswith(("train.", "data."))]
    alike = curves.groupby(["split", *lengths], dropna=False, sort=False, observed=True).ngroup()
    places = (placed.rows, placed.columns, placed.lines)
    keys = [labels(curves, place) if place else np.full(len(curves), "") for place in places]
    for (row, column, level, split), group in curves.groupby([*keys, "split"], sort=False, observed=True):
        if "arm" in group:
            refuse_mixed(group, "line")
        first = group.drop_duplicates("run_id")
        status = first["status"].to_numpy(dtype=str) if "status" in first else np.full(len(first), "done")
        known = y == "accuracy" and "classes" in first
        chance = 1 / float(first["classes"].iloc[0]) if known else float("nan")
        run, runs = group["run_id"].factorize()
        points, at = np.unique(group[x].to_numpy(dtype=np.float64), return_inverse=True)
        if np.isfinite(chance) and "diverged" in status and "done" not in status:
            others = np.unique(curves.loc[alike == alike[group.index[0]], x].to_numpy(dtype=np.float64))
            points = np.append(points, others[others > points[-1]])
        each = np.full((len(runs), len(points)), np.nan)
        each[run, at] = group[y].to_numpy(dtype=np.float64, na_value=np.nan)
        ensemble = None
        if f"ensemble_{y}" in group and group[f"ensemble_{y}"].notna().any():
            ensemble = np.full(len(points), np.nan)
            ensemble[at] = group[f"ensemble_{y}"].to_numpy(dtype=np.float64, na_value=np.nan)
        # A run that has no point diverged at the first, at chance if that is known, else above all.
        start = points[0], chance if np.isfinite(chance) else np.inf
        ends = _last(points, each[status == "diverged"], start)
        stops = _last(points, each[status == "stopped"])
        yield str(row), str(column), Line(str(level), str(split), points, each, status, chance, ends, stops, ensemble)


def _last(x: np.ndarray, each: np.ndarray, *instead: tuple[float, float]) -> np.ndarray:
    """The last point of every curve, `(curves, 2)`; instead: of one that has none."""
    points: list[tuple[float, float]] = []
    for curve in each:
        last = np.flatnonzero(np.isfinite(curve))[-1:]
        points += [(x[i], curve[i]) for i in last] or instead
    return np.array(points).reshape(-1, 2)
