"""Series: the seeds of an arm along an axis (curves over training, or scores along a setting), mean and interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from dlsweep.analysis.facets import Cell, Facets, labels, refuse_mixed
from dlsweep.analysis.frames import counted, replication
from dlsweep.analysis.scores import chance
from dlsweep.analysis.statistics import INDEPENDENT, UNBOUNDED, Bounds, Replication, bounds_of, interval
from dlsweep.errors import UsageError
from dlsweep.metrics import Metric
from dlsweep.types import DataFrame


@dataclass(frozen=True)
class Series:
    """Curves of some runs, all of one arm, on one split.

    x: `(P,)`; each: `(runs, P)`, NaN after the end of a run; status: per run. chance: the accuracy at which a diverged
    run counts, NaN if unknown or for another metric. ends: the points where runs diverged, `(diverged, 2)`; stops: the
    points where runs stopped early, `(stopped, 2)`. restored: True at the evaluations that give the final metrics of
    stopped runs, `(runs, P)`. ensemble: `(P,)`, of the runs' averaged predictions, if there is one. bounds: the lowest
    and highest possible mean. replication: how the runs depend on each other.
    """

    level: str
    split: str
    x: np.ndarray
    each: np.ndarray
    status: np.ndarray
    chance: float = float("nan")
    ends: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    stops: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    restored: np.ndarray | None = None
    ensemble: np.ndarray | None = None
    bounds: Bounds = UNBOUNDED
    replication: Replication = INDEPENDENT

    @cached_property
    def counted(self) -> np.ndarray:
        """Curves as the mean takes them, `(runs, P)`.

        After its end, a diverged run counts at chance accuracy (a loss has no value there), and a run that stopped
        early keeps the value of its restored weights, as in tables, or its last one.
        """
        filled = self.each.copy()
        kept = np.zeros(self.each.shape, bool) if self.restored is None else self.restored
        for curve, status, at in zip(filled, self.status, kept):
            last = np.flatnonzero(np.isfinite(curve))[-1:]
            after = slice(last[0] + 1 if len(last) else 0, None)
            if status == "diverged":
                curve[after] = self.chance
            elif status == "stopped" and len(last):
                curve[after] = curve[[*last, *np.flatnonzero(at)][-1]]
        return filled

    @property
    def rings(self) -> np.ndarray:
        """Evaluations to which stopped runs were restored, `(n, 2)`, if they are not the last ones."""
        if self.restored is None:
            return np.empty((0, 2))
        last = [tuple(point) for point in self.stops]
        every = [(self.x[at], self.each[run, at]) for run, at in np.argwhere(self.restored)]
        return np.array([point for point in every if point not in last]).reshape(-1, 2)

    @cached_property
    def mean(self) -> np.ndarray:
        """Mean over the runs, `(P,)`; NaN where a run has no value."""
        return np.asarray(self.counted.mean(axis=0))

    def band(self, *, log: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """95 % interval of the mean, low and high, `(P,)`; NaN where there is no mean, and with one run."""
        return interval(self.counted.T, bounds=self.bounds, log=log, replication=self.replication)


def coinciding(panel: Sequence[Series], heights: Callable[[np.ndarray], np.ndarray]) -> list[list[Series]]:
    """Return the groups of series on one split that no reader can tell apart.

    heights: the heights of values in a panel, which is 1 high. Coinciding lines are nowhere further apart than 0.01.
    """
    groups: list[list[Series]] = []
    for one in panel:
        for group in groups:
            if one.split == group[0].split and np.array_equal(one.x, group[0].x):
                apart = np.abs(heights(one.mean) - heights(group[0].mean))
                if np.isfinite(apart).any() and np.nanmax(apart) <= 0.01:
                    group.append(one)
                    break
        else:
            groups.append([one])
    return [group for group in groups if len(group) > 1]


Placed = tuple[Cell, Series]  # a series in its panel
Grid = dict[Cell, list[Series]]  # the series of every panel


def panels_of(facets: Facets, series: Iterable[Placed]) -> Grid:
    """Return the series of every panel; none for a combination of levels without runs."""
    panels: Grid = {(i, j): [] for i, j in np.ndindex(facets.shape)}
    for cell, one in series:
        panels[cell].append(one)
    return panels


def series_frame(facets: Facets, panels: Grid, x: str, y: str) -> DataFrame:
    """Return the numbers of some panels: one row per series and point, with the mean, its interval and n."""
    parts = []
    for cell, panel in panels.items():
        for one in panel:
            low, high = one.band()
            numbers = {"split": one.split, x: one.x, y: one.mean, "low": low, "high": high, "n": len(one.each)}
            averaged = {} if one.ensemble is None else {"ensemble": one.ensemble}
            parts.append((cell, one.level, {**numbers, **averaged}))
    return facets.tidy(parts, [x, y, "low", "high", "n"])


def curve_series(facets: Facets, x: str, y: str) -> Iterator[Placed]:
    """Yield every series of curves over training.

    A `UsageError` names the factors that a series would average over. A series is as long as its runs. Where a diverged
    run counts at chance and all runs diverged, it is as long as the other runs that were to train as long.
    """
    curves = facets.frame[facets.frame[x].notna()].reset_index(drop=True)
    lengths = [c for c in map(str, curves.columns) if c.startswith(("train.", "data."))]
    alike = curves.groupby(["split", *lengths], dropna=False, sort=False, observed=True).ngroup()
    for cell, part in facets.parts(curves):
        for (level, split), group in part.groupby([_lines(facets, part), "split"], sort=False, observed=True):
            if facets.levels_at(cell).get("split", split) != split:
                continue
            if "arm" in group:
                refuse_mixed(group, "line")
            first = group.drop_duplicates("run_id")
            status = first["status"].to_numpy(dtype=str) if "status" in first else np.full(len(first), "done")
            guess = chance(first, y)
            run, runs = group["run_id"].factorize()
            points, at = np.unique(_numbers(group, x), return_inverse=True)
            if np.isfinite(guess) and "diverged" in status and "done" not in status:
                others = np.unique(_numbers(curves[alike == alike[group.index[0]]], x))
                points = np.append(points, others[others > points[-1]])
            each, ensemble, restored = np.full((len(runs), len(points)), np.nan), None, None
            each[run, at] = _numbers(group, y)
            if f"ensemble_{y}" in group and group[f"ensemble_{y}"].notna().any():
                ensemble = np.full(len(points), np.nan)
                ensemble[at] = _numbers(group, f"ensemble_{y}")
            if "restored" in group:
                restored = np.zeros(each.shape, bool)
                restored[run, at] = group["restored"]
            # A run without a point diverged at the first one: at chance if that is known, else above all.
            ends = _last(points, each[status == "diverged"], (points[0], guess if np.isfinite(guess) else np.inf))
            stops = _last(points, each[status == "stopped"])
            marks = (guess, ends, stops, restored, ensemble, bounds_of(y), replication(first))
            yield cell, Series(str(level), str(split), points, each, status, *marks)


def _lines(facets: Facets, frame: DataFrame) -> np.ndarray:
    """Level of lines of each row of a frame; "" without a factor."""
    return labels(frame, facets.lines).to_numpy() if facets.lines else np.full(len(frame), "")


def _numbers(frame: DataFrame, column: str) -> np.ndarray:
    return frame[column].to_numpy(dtype=np.float64, na_value=np.nan)


def _last(x: np.ndarray, each: np.ndarray, *instead: tuple[float, float]) -> np.ndarray:
    """Last point of every curve, `(curves, 2)`; instead: the point for a curve without any."""
    points: list[tuple[float, float]] = []
    for curve in each:
        last = np.flatnonzero(np.isfinite(curve))[-1:]
        points += [(x[i], curve[i]) for i in last] or instead
    return np.array(points).reshape(-1, 2)


def response_series(facets: Facets, x: str, metric: Metric) -> Iterator[Placed]:
    """Yield a series for each level of `lines` in each panel: its points are the scores of arms along a setting.

    An arm without the setting is a level line over the whole axis.
    """
    frame = facets.frame
    ends, guess = np.array([frame[x].min(), frame[x].max()]), chance(frame, metric.y)
    for cell, part in facets:
        for (level, without), group in part.groupby([_lines(facets, part), part[x].isna()], sort=False, observed=True):
            group = group.assign(at=group[x].fillna(ends[0]), value=counted(group, [metric.name])[:, 0])
            for _, of_point in group.groupby("at"):
                refuse_mixed(of_point, "line")
            points = np.unique(group["at"])
            kept = group[group["status"] != "failed"]
            each = kept.pivot(index="seed", columns="at", values="value").reindex(columns=points).to_numpy()
            diverged = kept[kept["status"] == "diverged"].sort_values("at", kind="stable")
            marks = diverged[["at", "value"]].fillna(np.inf).to_numpy()
            if without:
                points, each = ends, np.repeat(each, 2, axis=1)
            if len(each):
                status = np.full(len(each), "done")
                about: dict[str, Any] = {"bounds": bounds_of(metric.y), "replication": replication(group)}
                yield cell, Series(str(level), metric.split, points, each, status, guess, marks, **about)


def gaps(frame: DataFrame, y: str) -> tuple[DataFrame, str]:
    """Return the test rows with a column `gap`, and the split that they are compared with: train, else the minibatch.

    The gap is train minus test accuracy, or test minus train loss, within each run. Runs without a curve keep their
    row. A `UsageError` says which split was not evaluated.
    """
    if frame.empty:
        raise UsageError("there is nothing to show: no run is done yet")
    there = set(frame["split"].dropna())
    inner = next((split for split in ("train", "batch") if split in there), "")
    if there and not (inner and "test" in there):
        lacking = "test" if inner else "train or batch"
        told = f"{lacking} was not evaluated; evaluate.on names the splits"
        raise UsageError(f"there is no train-test gap to show: {told}")
    inner = inner or "train"
    train = frame.loc[frame["split"] == inner, ["run_id", "iteration", y]].rename(columns={y: "train"})
    test = frame[(frame["split"] == "test") | frame["split"].isna()]
    test = test.merge(train, on=["run_id", "iteration"], how="left")
    difference = test["train"] - test[y]
    return test.assign(gap=difference if y == "accuracy" else -difference), inner
