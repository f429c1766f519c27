"""Paths of optimizers over the contours of a landscape, a panel for each level of a factor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlsweep.analysis.descents import Box, Path, box_of, descent_facets, paths_of
from dlsweep.analysis.facets import Facets, all_levels, labels, levels
from dlsweep.errors import UsageError
from dlsweep.nn.landscapes import Landscape, landscapes
from dlsweep.plots import captions, style
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.fitting import LABEL, NOTE, fit, text_width
from dlsweep.plots.layout import Words
from dlsweep.plots.panels import panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from pandas import DataFrame

Descents = Mapping[str, Sequence[Path]]  # the paths of each panel, by its level

_CONTOURS = 14
_LOW, _HIGH, _LINE = "#ffffff", "#dfe6ec", "#b3bfca"  # of the ground: the deeper, the lighter


@plots.register(table="curves", places=("columns", "lines"), arrange=descent_facets)
def paths(facets: Facets) -> Chart:
    """Paths of optimizers over the contours of a landscape: a panel for each level of a factor, a dot an iteration.

    columns: the factor whose levels are panels, in as many rows as make the figure about square; the optimizer, if it
    varies. lines: a factor whose levels are colours. A `UsageError` says that there are no paths, or several
    landscapes.

    The contours are at values that grow by a constant factor. All panels show the same part of the landscape. A path
    continues outside its panel, and a diverged run is marked at its end or where it left the panel.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"run_id": "a", "arm": "all", "seed": 0, "landscape": "saddle", "iteration": [0, 1]})
    >>> rows = rows.assign(x=[0.0, 0.5], y=[0.1, 0.2], loss=[0.5, 0.25])
    >>> plots["paths"](rows).data[["x", "y"]].to_numpy().tolist()
    [[0.0, 0.1], [0.5, 0.2]]
    """
    frame = facets.frame
    if "landscape" not in frame or frame.empty:
        raise UsageError("there are no paths to show: only descents on a landscape have them")
    if frame["landscape"].nunique() > 1:
        raise UsageError(f"paths are shown on one landscape, got {', '.join(levels(frame, 'landscape'))}")
    name = levels(frame, "landscape")[0]
    landscape: Landscape = landscapes[name]()
    parts = {facets.column_levels[j]: part for (_, j), part in facets}
    found = {level: list(paths_of(part, facets.lines)) for level, part in parts.items()}
    every = [path for several in found.values() for path in several]
    box = box_of(landscape, every)
    across = math.ceil(math.sqrt(len(found)))
    words = _words(facets, f"{name}: f(x, y) = {landscape.formula}", landscape, found, box, across)
    with style.look():
        figure, axes = panels(words)
        axes[0, 0].set(xlim=box[0], ylim=box[1], xticks=_ticks(box[0]), yticks=_ticks(box[1]))
        axes[0, 0].set(xticklabels=map(_text, _ticks(box[0])), yticklabels=map(_text, _ticks(box[1])))
        colours = _colours(facets)
        for ax, (level, several) in zip(axes.flat, found.items()):
            _ground(ax, landscape, box)
            for path in several:
                alone = [other.level for other in several].count(path.level) == 1
                colour = colours.get(path.level if facets.lines else level, style.PALETTE[0])
                _draw(ax, path, box, color=colour, **(_ALONE if alone else _SEED))
            _mark(ax, landscape, several)
            _head(ax, level, several, parts[level])
        for ax in axes.flat[len(found) :]:
            ax.set_visible(False)
        for ax in axes.flat[max(0, len(found) - across) : len(found)]:
            ax.tick_params(labelbottom=True)  # also where no panel is below
    return Chart(figure, words.foot, captions.alt(f"Paths on {words.title}", facets, of=""), _data(facets, found))


def _data(facets: Facets, found: Descents) -> DataFrame:
    import pandas as pd

    parts = [pd.DataFrame(columns=["run_id", "x", "y"])]
    for j, several in enumerate(found.values()):
        for path in several:
            fixed = {**facets.levels_at((0, j), path.level), "run_id": path.run, "diverged": path.diverged}
            parts.append(pd.DataFrame({**fixed, "x": path.points[:, 0], "y": path.points[:, 1]}))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _ticks(side: tuple[float, float]) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(*side)
    return [float(tick) for tick in ticks if side[0] <= tick <= side[1]]


def _text(tick: float) -> str:
    return f"{tick:g}".replace("-", "\N{MINUS SIGN}")


def _ground(ax: Axes, landscape: Landscape, box: Box) -> None:
    """Draw contours at values that grow by a constant factor above the lowest value."""
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
    """Draw a path with a dot a point, and a cross where it diverged. Each artist has a label for tests."""
    ax.plot(*path.within(box, 100).T, marker=".", label=f"path: {path.level}", **look)
    if path.diverged:
        leaves = path.exit(box)
        at = path.points[-1] if leaves is None else leaves
        cross: dict[str, Any] = {"color": style.ALARM, "clip_on": False, "zorder": 5, **style.CROSS}
        ax.plot(*at[:, None], label=f"diverged: {path.level}", **cross)


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
    """Mark the starts of the paths, and the minima."""
    if landscape.minima:
        ax.plot(*np.array(landscape.minima, float).T, label="minimum", zorder=2.5, **_MINIMUM)
    if several:
        ax.plot(*np.unique([path.points[0] for path in several], axis=0).T, label="start", zorder=4, **_START)


def _head(ax: Axes, level: str, several: Sequence[Path], frame: DataFrame) -> None:
    """Write the head of a panel: its level, the learning rate if all share one, and how its runs ended."""
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


def _colours(facets: Facets) -> dict[str, Any]:
    """Return the colours of the levels of lines, or of panels."""
    factor = facets.lines or facets.columns
    return style.colours(all_levels(facets.frame, factor)) if factor else {}


def _words(facets: Facets, about: str, landscape: Landscape, found: Descents, box: Box, across: int) -> Words:
    """Return the texts around the panels."""
    from matplotlib.lines import Line2D

    every = [path for several in found.values() for path in several]
    fixed = (f"{factor}: {level}" for factor, level in facets.fixed.items() if factor != "model")
    marks = [Line2D([], [], label="start", **_START)]
    marks += [Line2D([], [], label="minimum", **_MINIMUM)] if landscape.minima else []
    crosses: dict[str, Any] = {"color": style.ALARM, **style.CROSS}
    marks += [Line2D([], [], label="diverged", **crosses)] if any(path.diverged for path in every) else []
    groups: list[tuple[str, list[Line2D]]] = []
    if facets.lines:
        colours, shown = _colours(facets), levels(facets.frame, facets.lines)
        groups.append((facets.lines, [Line2D([], [], label=one, color=colours[one], linewidth=2.2) for one in shown]))
    return Words(
        x="x",
        y="y",
        rows=[""] * math.ceil(len(found) / across),
        columns=[""] * across,
        title=captions.joined(about, *fixed),
        legend=[*groups, ("", marks)],
        notes={(0, 0): ""},  # room for the heads of the panels
        foot=_caption(facets.frame, every, box),
        ticks=[*map(_text, _ticks(box[1]))],
    )


def _caption(frame: DataFrame, every: Sequence[Path], box: Box) -> str:
    """Explain how to read the figure."""
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
