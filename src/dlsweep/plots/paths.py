"""Paths of optimizers over the contours of a landscape, a panel for each level of a factor."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlsweep.errors import UsageError
from dlsweep.nn.landscapes import Landscape, landscapes
from dlsweep.plots import style
from dlsweep.plots.base import DataFrame, Figure, pagers, plots
from dlsweep.plots.factors import Placed, all_levels, factors, labels, levels, place
from dlsweep.plots.key import CROSS
from dlsweep.plots.panels import LABEL, NOTE, Words, fit, panels, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray
Box = tuple[tuple[float, float], tuple[float, float]]  # lowest and highest x, and y

_CONTOURS = 14
_LOW, _HIGH, _LINE = "#ffffff", "#dfe6ec", "#b3bfca"  # of the ground: the deeper, the lighter


@dataclass(frozen=True)
class Path:
    """The path of one run: its points `(P, 2)`, finite ones only; the last loss; and whether the run diverged."""

    level: str
    points: Array
    loss: float
    diverged: bool

    def within(self, box: Box, times: float) -> Array:
        """The points, but those far outside a box drawn to it: a renderer's numbers are not without end."""
        (left, right), (low, high) = box
        middle, size = np.array([left + right, low + high]) / 2, np.array([right - left, high - low]) / 2
        away = (self.points - middle) / size
        return np.asarray(middle + size * away / np.maximum(1, np.abs(away).max(axis=1, keepdims=True) / times))

    def exit(self, box: Box) -> Array | None:
        """Where the path leaves a box for the last time; None if it ends within."""
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


@plots.register
def paths(frame: DataFrame, *, columns: str | None = None, lines: str | None = None) -> Figure:
    """Paths of optimizers over the contours of a landscape: a panel for each level of a factor, a dot an iteration.

    frame: of a sweep over landscapes, as `dlsweep.plots.draw.tidy(results)` makes it. columns: the factor whose levels
    are panels, in as many rows as make the figure about square; the optimizer, if it varies. lines: a factor whose
    levels are colours. A `UsageError` says so if there are no paths, or several landscapes.

    The contours lie at values that grow by a constant factor. All panels show the same part of the landscape. A path
    goes on outside of it, and a run that diverged is marked where it ended or left the panel.
    """
    if "landscape" not in frame or frame.empty:
        raise UsageError("there are no paths to show: they are those of descents on a landscape")
    if frame["landscape"].nunique() > 1:
        raise UsageError(f"paths are shown on one landscape, got {', '.join(levels(frame, 'landscape'))}")
    placed = _placed(frame, columns, lines)
    landscape: Landscape = landscapes[levels(frame, "landscape")[0]]()
    parts = dict(_parts(frame, placed.columns))
    found = {level: list(_paths(part, placed.lines)) for level, part in parts.items()}
    every = [path for several in found.values() for path in several]
    box = _box(landscape, every)
    across = math.ceil(math.sqrt(len(found)))

    with style.look():
        figure, axes = panels(_words(frame, placed, landscape, found, box, across))
        axes[0, 0].set(xlim=box[0], ylim=box[1], xticks=_ticks(box[0]), yticks=_ticks(box[1]))
        axes[0, 0].set(xticklabels=map(_text, _ticks(box[0])), yticklabels=map(_text, _ticks(box[1])))
        colours = _colours(frame, placed)
        for ax, (level, several) in zip(axes.flat, found.items()):
            _ground(ax, landscape, box)
            for path in several:
                alone = [other.level for other in several].count(path.level) == 1
                colour = colours.get(path.level if placed.lines else level, style.PALETTE[0])
                _draw(ax, path, box, color=colour, **(_ALONE if alone else _SEED))
            _mark(ax, landscape, several)
            _head(ax, level, several, parts[level])
        for ax in axes.flat[len(found) :]:
            ax.set_visible(False)
        for ax in axes.flat[max(0, len(found) - across) : len(found)]:
            ax.tick_params(labelbottom=True)  # also where no panel is below
    return figure


def pages(frame: DataFrame, settings: Mapping[str, Any]) -> Iterator[tuple[str, DataFrame, dict[str, Any]]]:
    """A figure for each landscape, and for each combination of levels of other factors without a place in it."""
    placed = _placed(frame, settings.get("columns"), settings.get("lines"))
    parts = [("", frame)]
    for factor in placed.left:
        parts = [
            (f"{page}, {factor}={level}", part[labels(part, factor) == level])
            for page, part in parts
            for level in levels(part, factor)
        ]
    for page, part in parts:
        yield page, part, {"columns": placed.columns, "lines": placed.lines}


pagers["paths"] = pages


def _placed(frame: DataFrame, columns: str | None, lines: str | None) -> Placed:
    """The factors of panels and colours: the optimizer makes panels if it varies, else the first factor that does."""
    place(frame, {"columns": columns, "lines": lines}, ("columns", "lines"))  # names that are not there are told
    varying = [f for f in factors(frame) if len(levels(frame, f)) > 1]
    left = [f for f in varying if f not in (columns, lines)]
    free = [f for f in left if f != "model"]
    if columns is None and free:
        columns = "optimizer" if "optimizer" in free else free[0]
    return Placed(None, columns, lines, tuple(f for f in left if f != columns and "arm" not in (columns, lines)))


def _parts(frame: DataFrame, factor: str | None) -> Iterator[tuple[str, DataFrame]]:
    for level in levels(frame, factor) if factor else ("",):
        yield level, frame[labels(frame, factor) == level] if factor else frame


def _paths(frame: DataFrame, lines: str | None) -> Iterator[Path]:
    """The paths of a panel, in the order of their colours."""
    for level, part in _parts(frame, lines):
        for _, run in part.groupby("run_id", sort=False, observed=True):
            points = run[run["x"].notna()].sort_values("iteration")
            if len(points):
                diverged = str(run["status"].iloc[0]) == "diverged" if "status" in run else False
                yield Path(level, points[["x", "y"]].to_numpy(), float(points["loss"].iloc[-1]), diverged)


def _box(landscape: Landscape, every: Sequence[Path]) -> Box:
    """The window of the landscape, and as much more as it takes to have every start well in it."""
    starts = np.array([path.points[0] for path in every]).reshape(-1, 2)

    def widened(window: tuple[float, float], values: Array) -> tuple[float, float]:
        room = 0.05 * (window[1] - window[0])
        return min([window[0], *(values - room)]), max([window[1], *(values + room)])

    return widened(landscape.window[0], starts[:, 0]), widened(landscape.window[1], starts[:, 1])


def _ticks(side: tuple[float, float]) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(*side)
    return [float(tick) for tick in ticks if side[0] <= tick <= side[1]]


def _text(tick: float) -> str:
    return f"{tick:g}".replace("-", "\N{MINUS SIGN}")


def _ground(ax: Axes, landscape: Landscape, box: Box) -> None:
    """Contours at values that grow by a constant factor above the lowest that there is."""
    from matplotlib.colors import LinearSegmentedColormap

    x, y = np.meshgrid(*(np.linspace(*side, 301) for side in box))
    with np.errstate(all="ignore"):
        z, _ = landscape.at(x, y)
    depth = np.fmin(z - z.min(), 1e300)
    values = np.geomspace(max(np.quantile(depth, 0.002), 1e-6 * depth.max()), depth.max(), _CONTOURS)
    shades = LinearSegmentedColormap.from_list("ground", [_LOW, _HIGH])
    ax.contourf(x, y, depth, [0, *values], colors=shades(np.linspace(0, 1, _CONTOURS)), zorder=0)
    ax.contour(x, y, depth, values[:-1], colors=_LINE, linewidths=0.7, zorder=0.5)
    ax.grid(False)


_ALONE: dict[str, Any] = {"linewidth": 1.4, "markersize": 4.5}
_SEED: dict[str, Any] = {"linewidth": 0.7, "markersize": 2.5, "alpha": 0.8}


def _draw(ax: Axes, path: Path, box: Box, **look: Any) -> None:
    """A path with a dot a point, and a cross where it diverged. The labels are for whoever looks for an artist."""
    ax.plot(*path.within(box, 100).T, marker=".", label=f"path: {path.level}", **look)
    if path.diverged:
        leaves = path.exit(box)
        at = path.points[-1] if leaves is None else leaves
        ax.plot(*at[:, None], color=style.ALARM, label=f"diverged: {path.level}", clip_on=False, zorder=5, **CROSS)


_START: dict[str, Any] = {
    "marker": "o",
    "markersize": 6.5,
    "markerfacecolor": "white",
    "markeredgecolor": style.INK,
    "markeredgewidth": 1.3,
    "linestyle": "none",
}
_MINIMUM: dict[str, Any] = {
    "marker": "*",
    "markersize": 11,
    "markerfacecolor": style.PALETTE[4],
    "markeredgecolor": style.INK,
    "markeredgewidth": 0.7,
    "linestyle": "none",
}


def _mark(ax: Axes, landscape: Landscape, several: Sequence[Path]) -> None:
    """Where the paths start, and the minima."""
    if landscape.minima:
        ax.plot(*np.array(landscape.minima, float).T, label="minimum", zorder=2.5, **_MINIMUM)
    if several:
        ax.plot(*np.unique([path.points[0] for path in several], axis=0).T, label="start", zorder=4, **_START)


def _head(ax: Axes, level: str, several: Sequence[Path], frame: DataFrame) -> None:
    """Above a panel: its level, the learning rate if there is one, and how its runs ended."""
    runs = frame.drop_duplicates("run_id")
    rates = set(labels(runs, "optimizer.lr").dropna()) if "optimizer.lr" in runs and "lr=" not in level else set()
    words = [f"lr {rate}" for rate in rates] if len(rates) == 1 else []
    status = runs["status"].astype(str).tolist() if "status" in runs else []
    counts = [(status.count(how), how) for how in ("diverged", "failed") if how in status]
    words += [how if len(runs) == 1 else f"{count} of {len(runs)} {how}" for count, how in counts]
    if len(several) == len(runs) == 1 and not counts:
        words.append(f"final f {several[0].loss:.2g}")
    text = ", ".join(words)
    ax.set_title(text, loc="right", size=NOTE, color=style.ALARM if counts else style.FAINT, pad=5)
    room = ax.get_window_extent().width / ax.figure.dpi - text_width(text, NOTE) - 0.1  # inches
    ax.set_title(fit(level, max(room, 0.5), LABEL), loc="left", size=LABEL, weight="bold", pad=4)


def _colours(frame: DataFrame, placed: Placed) -> dict[str, Any]:
    """The colours of levels: of those that lines tell apart, or of those of the panels."""
    factor = placed.lines or placed.columns
    return style.colours(all_levels(frame, factor)) if factor else {}


def _words(
    frame: DataFrame, placed: Placed, landscape: Landscape, found: Mapping[str, Sequence[Path]], box: Box, across: int
) -> Words:
    """What is written around the panels."""
    from matplotlib.lines import Line2D

    every = [path for several in found.values() for path in several]
    placed_factors = (placed.columns, placed.lines, "model")
    fixed = [
        f for f in factors(frame) if f not in placed_factors and len(levels(frame, f)) == 1 < len(all_levels(frame, f))
    ]
    about = [f"{levels(frame, 'landscape')[0]}: f(x, y) = {landscape.formula}"]
    about += [f"{factor}: {levels(frame, factor)[0]}" for factor in fixed]
    marks = [Line2D([], [], label="start", **_START)]
    marks += [Line2D([], [], label="minimum", **_MINIMUM)] if landscape.minima else []
    marks += [Line2D([], [], label="diverged", color=style.ALARM, **CROSS)] if any(p.diverged for p in every) else []
    groups: list[tuple[str, list[Line2D]]] = []
    if placed.lines:
        colours = _colours(frame, placed)
        named = [
            Line2D([], [], label=level, color=colours[level], linewidth=2.2) for level in levels(frame, placed.lines)
        ]
        groups.append((placed.lines, named))
    return Words(
        x="x",
        y="y",
        rows=[""] * math.ceil(len(found) / across),
        columns=[""] * across,
        title=", ".join(about),
        legend=[*groups, ("", marks)],
        notes={(0, 0): ""},  # room for what stands above the panels
        foot=_foot(frame, found, box),
        ticks=[*map(_text, _ticks(box[1]))],
    )


def _foot(frame: DataFrame, found: Mapping[str, Sequence[Path]], box: Box) -> str:
    """How to read the figure."""
    every = [path for several in found.values() for path in several]
    iterations = np.unique(frame["iteration"].dropna())
    gap = int(np.diff(iterations).min()) if len(iterations) > 1 else 1
    dots = "a dot is one iteration" if gap == 1 else f"a dot is {gap} iterations"
    length = int(iterations.max()) if len(iterations) else 0
    words = [f"{length} iteration{'s' if length != 1 else ''}; {dots}."]
    if (seeds := frame["seed"].nunique()) > 1:
        words.append(f"A path for each of {seeds} seeds.")
    words.append("The value of f grows by the same factor from one contour to the next.")
    if any(path.exit(box) is not None for path in every):
        words.append("A path that leaves its panel goes on outside.")
    return " ".join(words)
