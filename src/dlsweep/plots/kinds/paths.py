"""Paths of optimizers over the contours of a landscape, a panel for each level of a factor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlsweep.analysis.descents import Box, Descents, Path, descent_facets
from dlsweep.analysis.facets import Facets, labels
from dlsweep.plots import captions, style
from dlsweep.plots.axes import set_ticks, short
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.layout import LABEL, NOTE, fit, text_width
from dlsweep.plots.legend import level_colours, level_group, mark
from dlsweep.plots.names import level_names
from dlsweep.plots.panels import GAP, Words, panels
from dlsweep.types import Axes, DataFrame

_LOW, _HIGH, _LINE = "#ffffff", "#dfe6ec", "#b3bfca"  # of the ground: the deeper, the lighter

ALONE: dict[str, Any] = {"linewidth": 1.4, "markersize": 4.5}
SEED: dict[str, Any] = {"linewidth": 0.7, "markersize": 2.5, "alpha": 0.8}
CROSS: dict[str, Any] = {**style.CROSS, "color": style.ALARM}
_MARK: dict[str, Any] = {"linestyle": "none", "markeredgecolor": style.INK}
START: dict[str, Any] = {**_MARK, "marker": "o", "markersize": 6.5, "markerfacecolor": "white", "markeredgewidth": 1.3}
END: dict[str, Any] = {"linestyle": "none", "marker": "s", "markersize": 6, "markeredgecolor": "white"}
MINIMUM: dict[str, Any] = {**_MARK, "marker": "*", "markersize": 11, "markeredgewidth": 0.7}
MINIMUM |= {"markerfacecolor": style.PALETTE[4]}


@plots.register(table="curves", places=("columns", "lines"), arrange=descent_facets, needs=("landscape",))
def paths(facets: Facets) -> Chart:
    """Paths of optimizers over the contours of a landscape: a panel for each level of a factor, a dot per iteration.

    columns: the factor whose levels are panels, in as many rows as make the figure about square; the optimizer, if it
    varies. lines: a factor whose levels are colours. Raises a `UsageError` for several landscapes, or none.

    The contours are at values that grow by a constant factor. All panels show the same part of the landscape, with the
    same scale along x and y. A path that leaves its panel is drawn again where it is inside. A diverged run is marked
    at its end or where it left the panel.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"run_id": "a", "arm": "all", "seed": 0, "landscape": "saddle", "iteration": [0, 1]})
    >>> rows = rows.assign(x=[0.0, 0.5], y=[0.1, 0.2], loss=[0.5, 0.25])
    >>> plots["paths"](rows).data[["x", "y"]].to_numpy().tolist()
    [[0.0, 0.1], [0.5, 0.2]]
    """
    found = Descents.of(facets)
    names = level_names(facets.frame, facets.columns)
    words, colours = _words(facets, found), level_colours(facets, facets.lines or facets.columns)
    with panels(words, _size(found.box, *words.grid)) as (figure, axes):
        axes[0, 0].set(xlim=found.box[0], ylim=found.box[1])
        for axis, side in zip((axes[0, 0].xaxis, axes[0, 0].yaxis), found.box):
            set_ticks(axis, _ticks(side))
        for ax, (level, paths) in zip(axes.flat, found.panels.items()):
            _draw_ground(ax, found)
            for path in paths:
                alone = [other.level for other in paths].count(path.level) == 1
                colour = colours[path.level if facets.lines else level]
                _draw_path(ax, path, found.box, color=colour, **(ALONE if alone else SEED))
            if paths:
                ax.plot(*np.unique([path.points[0] for path in paths], axis=0).T, label="start", zorder=1.9, **START)
            ax.set_aspect("equal")
            _write_head(ax, names.get(level, level), paths, found.parts[level])
    alt = captions.alt(f"Paths on {words.title}", facets, of="")
    return Chart(figure, words.foot, alt, facets.tidy(found.columns(), ["run_id", "x", "y"]))


def _ticks(side: tuple[float, float]) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(*side)
    return [float(tick) for tick in ticks if side[0] <= tick <= side[1]]


def _size(box: Box, rows: int, columns: int) -> tuple[float, float]:
    """Return width and height in inches of panels in which x and y have the same scale."""
    (left, right), (low, high) = box
    ratio = (high - low) / (right - left)
    width = min(4.6, 11.0 / columns - GAP, 5.2 / rows / ratio)
    return width, ratio * width


def _draw_ground(ax: Axes, found: Descents) -> None:
    """Draw contours and minima of the landscape."""
    from matplotlib.colors import LinearSegmentedColormap

    x, y, height, values = found.contours()
    shades = LinearSegmentedColormap.from_list("ground", [_LOW, _HIGH])
    ax.contourf(x, y, height, [0, *values], colors=shades(np.linspace(0, 1, len(values))), zorder=0)
    ax.contour(x, y, height, values[:-1], colors=_LINE, linewidths=0.7, zorder=0.5)
    ax.grid(False)
    if found.landscape.minima:
        ax.plot(*np.array(found.landscape.minima, float).T, label="minimum", zorder=2.5, **MINIMUM)


def _draw_path(ax: Axes, path: Path, box: Box, **settings: Any) -> None:
    """Draw a path with a dot per point, and a cross where it diverged. Each artist has a label for tests."""
    ax.plot(*path.drawn(box).T, marker=".", label=f"path: {path.level}", **settings)
    if not path.diverged and path.exit(box) is None:
        ax.plot(*path.points[-1:].T, label=f"end: {path.level}", zorder=4, color=settings["color"], **END)
    if path.diverged:
        leaves = path.exit(box)
        at = path.points[-1] if leaves is None else leaves
        ax.plot(*at[:, None], label=f"diverged: {path.level}", clip_on=False, zorder=5, **CROSS)


def _write_head(ax: Axes, level: str, paths: Sequence[Path], frame: DataFrame) -> None:
    """Write the head of a panel: its level, the learning rate if all share one, and how its runs ended."""
    runs = frame.drop_duplicates("run_id")
    rates = set(labels(runs, "optimizer.lr").dropna()) if "optimizer.lr" in runs and "lr=" not in level else set()
    words = [f"lr {rate}" for rate in rates] if len(rates) == 1 else []
    status = runs["status"].astype(str).tolist() if "status" in runs else []
    counts = [(status.count(how), how) for how in ("diverged", "failed") if how in status]
    words += [how if len(runs) == 1 else f"{count} of {len(runs)} {how}" for count, how in counts]
    if len(paths) == len(runs) == 1 and not counts:
        words.append(f"final f {paths[0].loss:.2g}")
    text = ", ".join(words)
    ax.set_title(text, loc="right", size=NOTE, color=style.ALARM if counts else style.FAINT, pad=5)
    room = ax.get_window_extent().width / ax.figure.dpi - text_width(text, NOTE) - 0.1  # inches
    ax.set_title(fit(level, max(room, 0.5), LABEL), loc="left", size=LABEL, weight="bold", pad=4)


def _words(facets: Facets, found: Descents) -> Words:
    """Return the texts around the panels."""
    fixed = (f"{factor}: {level}" for factor, level in facets.fixed.items() if factor != "model")
    marks = [mark("start", **START), mark("end", **END)] + [mark("minimum", **MINIMUM)] * bool(found.landscape.minima)
    marks += [mark("diverged", **CROSS)] * any(path.diverged for path in found.every)
    return Words(
        x="x",
        y="y",
        columns=[""] * len(found.panels),
        across=math.ceil(math.sqrt(len(found.panels))),
        title=captions.joined(f"{found.name}: f(x, y) = {found.landscape.formula}", *fixed),
        legend=[*level_group(facets), ("", marks)],
        notes={(0, 0): ""},  # room for the heads of the panels
        foot=_caption(found, facets.frame["seed"].nunique()),
        ticks=[*map(short, _ticks(found.box[1]))],
    )


def _caption(found: Descents, seeds: int) -> str:
    """Explain how to read the figure."""
    length, gap = found.length()
    dots = "a dot is one iteration" if gap == 1 else f"a dot is {gap} iterations"
    words = [f"{length} iteration{'s' if length != 1 else ''}; {dots}."]
    words += [f"A path for each of {seeds} seeds."] * (seeds > 1)
    words.append("The value of f grows by the same factor from one contour to the next.")
    leaves = any(np.isnan(path.drawn(found.box)).any() for path in found.every)
    return " ".join([*words, *["A path that leaves its panel goes on outside; its way back is not drawn."] * leaves])
