"""Descents on a landscape: the paths of runs, and the window that shows them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dlsweep.analysis.facets import PLACES, Cell, Facets, labels, levels, varying
from dlsweep.errors import UsageError
from dlsweep.nn.landscapes import Landscape, landscapes
from dlsweep.types import Array, DataFrame

SHORTEST = 0.4  # shortest side of a box, as a share of its longest side
_CONTOURS = 14  # heights

Box = tuple[tuple[float, float], tuple[float, float]]  # lowest and highest x, and y


@dataclass(frozen=True)
class Path:
    """Path of one run: its finite points `(P, 2)`, its last loss, and True if it diverged."""

    level: str
    run: str
    points: Array
    loss: float
    diverged: bool

    def within(self, box: Box, times: float) -> Array:
        """Points of the path; those further than `times` the box's size from its middle are moved to that distance.

        A renderer cannot draw arbitrarily large numbers.
        """
        (left, right), (low, high) = box
        middle, size = np.array([left + right, low + high]) / 2, np.array([right - left, high - low]) / 2
        away = (self.points - middle) / size
        return np.asarray(middle + size * away / np.maximum(1, np.abs(away).max(axis=1, keepdims=True) / times))

    def drawn(self, box: Box) -> Array:
        """Points with a gap, NaN, after each one outside the box: a line back into it would cross the picture."""
        (left, right), (low, high) = box
        points = self.within(box, 100)
        outside = np.any((points < [left, low]) | (points > [right, high]), axis=1)
        return np.insert(points, np.flatnonzero(outside) + 1, np.nan, axis=0)

    def exit(self, box: Box) -> Array | None:
        """Point where the path leaves a box for the last time; None if it ends inside."""
        (left, right), (low, high) = box
        points = self.within(box, 1e6)
        inside = np.all((points >= [left, low]) & (points <= [right, high]), axis=1)
        if inside[-1] or not inside.any():
            return None
        last = int(np.flatnonzero(inside)[-1])
        a, step = points[last], points[last + 1] - points[last]
        with np.errstate(all="ignore"):
            shares = np.where(step > 0, ([right, high] - a) / step, ([left, low] - a) / step)
        return np.asarray(a + np.nanmin(np.where(step == 0, np.inf, shares)) * step)


def descent_facets(frame: DataFrame, given: Mapping[str, Any], places: Collection[str] = PLACES) -> Facets:
    """Place the factors of descents: the optimizer makes panels if it varies, else the first factor that does.

    A landscape (the factor `model`) never makes panels: each has a figure of its own.
    """
    Facets.of(frame, given, places)  # refuses names that are not there
    columns, lines = given.get("columns"), given.get("lines")
    left = [f for f in varying(frame) if f not in (columns, lines)]
    free = [f for f in left if f != "model"]
    if columns is None and free:
        columns = "optimizer" if "optimizer" in free else free[0]
    left = [f for f in left if f != columns and "arm" not in (columns, lines)]
    return Facets(frame, None, columns, lines, tuple(left))


def paths_of(part: DataFrame, lines: str | None) -> Iterator[Path]:
    """Yield the paths of a panel, in the order of the levels of `lines`."""
    for level in levels(part, lines) if lines else ("",):
        rows = part[labels(part, lines) == level] if lines else part
        for name, run in rows.groupby("run_id", sort=False, observed=True):
            points = run[run["x"].notna()].sort_values("iteration")
            if len(points):
                diverged = str(run["status"].iloc[0]) == "diverged" if "status" in run else False
                yield Path(level, str(name), points[["x", "y"]].to_numpy(), float(points["loss"].iloc[-1]), diverged)


def box_of(landscape: Landscape, paths: Sequence[Path]) -> Box:
    """Return the landscape's window, widened until every start lies well inside and no side is far shorter."""
    starts = np.array([path.points[0] for path in paths]).reshape(-1, 2)

    def widened(window: tuple[float, float], values: Array) -> tuple[float, float]:
        room = 0.05 * (window[1] - window[0])
        return min([window[0], *(values - room)]), max([window[1], *(values + room)])

    x, y = widened(landscape.window[0], starts[:, 0]), widened(landscape.window[1], starts[:, 1])
    longest = max(x[1] - x[0], y[1] - y[0])

    def grown(side: tuple[float, float]) -> tuple[float, float]:
        more = max(0.0, SHORTEST * longest - (side[1] - side[0])) / 2
        return side[0] - more, side[1] + more

    return grown(x), grown(y)


@dataclass(frozen=True)
class Descents:
    """Paths of some facets on one landscape, by the level of their panel. parts: the rows of each panel."""

    name: str
    landscape: Landscape
    panels: dict[str, list[Path]]
    parts: dict[str, DataFrame]

    @staticmethod
    def of(facets: Facets) -> Descents:
        """Paths in the panels. A `UsageError` says that there are no paths, or several landscapes."""
        frame = facets.frame
        if "landscape" not in frame or frame.empty:
            raise UsageError("there are no paths to show: only descents on a landscape have them")
        name, *more = levels(frame, "landscape")
        if more:
            raise UsageError(f"paths are shown on one landscape, got {', '.join([name, *more])}")
        landscape: Landscape = landscapes[name]()
        parts = {facets.column_levels[j]: part for (_, j), part in facets}
        panels = {level: list(paths_of(part, facets.lines)) for level, part in parts.items()}
        return Descents(name, landscape, panels, parts)

    @cached_property
    def every(self) -> list[Path]:
        """Paths of all panels."""
        return [path for paths in self.panels.values() for path in paths]

    @cached_property
    def box(self) -> Box:
        """Part of the landscape that all panels show."""
        return box_of(self.landscape, self.every)

    def contours(self) -> tuple[Array, Array, Array, Array]:
        """Return x, y, the height above the lowest value in the box, and heights at a constant ratio."""
        x, y = np.meshgrid(*(np.linspace(*side, 301) for side in self.box))
        with np.errstate(all="ignore"):
            z, _ = self.landscape.at(x, y)
        height = np.fmin(z - z.min(), 1e300)
        values = np.geomspace(max(np.quantile(height, 0.002), 1e-6 * height.max()), height.max(), _CONTOURS)
        return x, y, height, values

    def length(self) -> tuple[int, int]:
        """Return the last iteration, and the number of iterations from one point to the next."""
        iterations = np.unique(np.concatenate([part["iteration"].dropna() for part in self.parts.values()]))
        gap = int(np.diff(iterations).min()) if len(iterations) > 1 else 1
        return int(iterations.max(initial=0)), gap

    def columns(self) -> Iterator[tuple[Cell, str, dict[str, Any]]]:
        """Yield the columns of each path for `Facets.tidy`."""
        for j, paths in enumerate(self.panels.values()):
            for path in paths:
                points = {"x": path.points[:, 0], "y": path.points[:, 1]}
                yield (0, j), path.level, {"run_id": path.run, "diverged": path.diverged, **points}
