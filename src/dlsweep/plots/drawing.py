"""Lines drawn into a grid of panels: what curves, the train-test gap and the response to a setting have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlsweep.plots import style
from dlsweep.plots.base import DataFrame, Figure
from dlsweep.plots.factors import Placed
from dlsweep.plots.key import CROSS, ENSEMBLE, STOP, Key
from dlsweep.plots.lines import Content, Line
from dlsweep.plots.panels import Words, panels
from dlsweep.plots.scales import Axis, Height, scale
from dlsweep.plots.wording import around, ended, mean_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_lines(
    frame: DataFrame, placed: Placed, key: Key, grid: Mapping[tuple[int, int], Content], x: Axis, height: Height, y: str
) -> Figure:
    """A figure of the lines in `grid`, with the labels of `placed`. y: the name of its axis."""
    every = [line for content in grid.values() for line in content.lines]
    with style.look():
        figure, axes = panels(_words(frame, placed, grid, key, x, height, y))
        scale(axes[0, 0], every, x, height)
        level = 0.0 if height.signed else _chance(every)
        for at, content in grid.items():
            for line in sorted(content.lines, key=key.order):
                _draw(axes[at], line, key, height, many=len(content.lines) > 2, points=x.points)
            if not content.lines:
                empty(axes[at], "no curve" if content.runs else "no runs")
            elif level is not None:
                look: dict[str, Any] = {"color": style.FAINT, "linewidth": 0.9, "linestyle": (0, (1, 2))}
                axes[at].axhline(level, label="zero" if height.signed else "chance", **look)
    return figure


def _draw(ax: Axes, line: Line, key: Key, height: Height, *, many: bool, points: bool) -> None:
    """Band, seeds and mean, and a cross where a run diverged. The labels are for whoever looks for an artist."""
    from matplotlib.patheffects import withStroke

    look, name = key.style(line), f"{line.level}, {line.split}" if line.level != line.split else line.split
    runs, colour = len(line.each), look["color"]
    top = height.high
    far = np.inf if height.log else 1000 * top  # what leaves the panel must still fit into a renderer's numbers
    if runs > 1 and key.band(line):
        # A mean that has left the panel takes its band along; and a band that fills the panel says nothing but grey.
        seen = (line.mean <= top) & ~_fills(line, height)
        low, high = (np.clip(np.where(seen, end, np.nan), -far, far) for end in line.band(log=height.log))
        ax.fill_between(
            line.x, low, high, color=colour, alpha=0.12 if many else 0.2, linewidth=0, label=f"band: {name}"
        )
    if runs > 1 and key.seeds(line):
        # All seeds are one artist with gaps: light, and simplified where there are more points than pixels.
        x, y = np.tile(np.append(line.x, np.nan), runs), np.column_stack([line.each, np.full(runs, np.nan)]).ravel()
        faint: dict[str, Any] = {"linewidth": 0.6, "alpha": float(min(0.4, max(0.1, 0.8 / np.sqrt(runs))))}
        ax.plot(x, np.minimum(y, far), color=colour, label=f"seeds: {name}", **faint, **_dots(points, 2.5))
    casing = [withStroke(linewidth=look["linewidth"] + 1.6, foreground="white")]
    look |= _dots(points, 5) if points else {"path_effects": casing} if key.band(line) else {}
    ax.plot(line.x, np.minimum(line.mean, far), label=f"mean: {name}", zorder=2.5, **look)
    if line.ensemble is not None and key.band(line):
        ax.plot(line.x, np.minimum(line.ensemble, far), color=colour, label=f"ensemble: {name}", **ENSEMBLE)
    if len(line.stops) and key.band(line):
        ax.plot(*_within(line.stops, height).T, color=colour, label=f"stopped: {name}", clip_on=False, **STOP)
    if len(line.ends):
        ends = _within(line.ends, height)
        ax.plot(*ends.T, color=colour, label=f"diverged: {name}", clip_on=False, **CROSS)


def _within(marks: np.ndarray, height: Height) -> np.ndarray:
    """Marks `(n, 2)`; those that lie beyond the panel, such as an exploding loss, at its edge."""
    within: np.ndarray = np.clip(marks, [-np.inf, height.low], [np.inf, height.high])
    return within


def _fills(line: Line, height: Height) -> np.ndarray:
    """Where the interval of a mean that is in the panel is all of the panel, or more."""
    low, high = line.band(log=height.log)
    fills: np.ndarray = (line.mean <= height.high) & (low <= height.low) & (high >= height.high)
    return fills


def _dots(points: bool, size: float) -> dict[str, Any]:
    """A line's dots, where its points are few and stand for themselves."""
    return {"marker": "o", "markersize": size, "markeredgewidth": 0} if points else {}


def empty(ax: Axes, words: str) -> None:
    """A panel with nothing but a few words."""
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", color=style.FAINT)
    ax.set_facecolor("#f7f7f7")


def _words(
    frame: DataFrame, placed: Placed, grid: Mapping[tuple[int, int], Content], key: Key, x: Axis, height: Height, y: str
) -> Words:
    """What is written around the panels."""
    every = [line for content in grid.values() for line in content.lines]
    most = max((len(line.each) for line in every), default=0)
    return Words(
        x=x.name,
        y=y,
        **around(frame, placed),
        legend=key.legend(every),
        notes={at: note for at, content in grid.items() if (note := _note(content, most))},
        foot=_foot(every, height, key) if every else "",
        ticks=height.labels,
    )


def _note(content: Content, most: int) -> str:
    """What is special about a panel's runs: fewer seeds than elsewhere, how many diverged or failed."""
    fewest = min((len(line.each) for line in content.lines), default=most)
    few = [f"n = {fewest}"] if fewest < most else []
    return ", ".join(filter(None, [*few, ended(content.runs, content.diverged, content.failed)]))


def _foot(every: Sequence[Line], height: Height, key: Key) -> str:
    """How to read the figure: how many seeds, what the band is, what the crosses do to a mean."""
    n = [len(line.each) for line in every]
    words = [mean_of(n)]
    if max(n) > 1 and not all(map(key.band, every)):
        words.append(f"{'Bands and thin lines' if key.dashed else 'Bands'}: {style.SPLITS[key.shown[-1]]}.")
    if any(len(line.ends) for line in every):
        known = height.y == "accuracy" and all(np.isfinite(line.chance) for line in every)
        words.append("Diverged runs count at chance." if known else "No mean where a run has diverged.")
    if any(line.ensemble is not None for line in every):
        words.append("Dashed: the seeds' averaged predictions.")
    if any(len(line.stops) for line in every):
        words.append("A dot is a run that stopped early; in a mean it keeps its last value.")
    if any(_fills(line, height).any() for line in every if key.band(line)):
        words.append("No band where it would fill the panel.")
    if height.cut:
        words.append("Lines leave the panel at the top: their loss is far above.")
    if height.floor:
        words.append(f"The axis begins at {height.floor:g}.")
    if not height.signed and (_chance(every) or 0) > height.low:
        words.append("Thin dotted: chance.")
    return " ".join(words)


def _chance(every: Sequence[Line]) -> float | None:
    """The accuracy of guessing, where it is the same for all lines."""
    chances = {line.chance for line in every}
    return chances.pop() if len(chances) == 1 and np.isfinite([*chances]).all() else None
