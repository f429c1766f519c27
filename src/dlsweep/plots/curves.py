"""Curves over training, in a grid of panels for any two factors, with lines for the splits or a third factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlsweep.analysis.statistics import BOOTSTRAP_FROM
from dlsweep.config.runs import Split
from dlsweep.errors import UsageError
from dlsweep.plots import style
from dlsweep.plots.base import DataFrame, Figure, plots
from dlsweep.plots.factors import Placed, all_levels, factors, levels, place
from dlsweep.plots.key import CROSS, ENSEMBLE, STOP, Key
from dlsweep.plots.lines import Content, Line, panel_contents
from dlsweep.plots.panels import Words, panels
from dlsweep.plots.scales import Height, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@plots.register
def curves(
    frame: DataFrame,
    *,
    rows: str | None = None,
    columns: str | None = None,
    lines: str | None = None,
    y: Literal["accuracy", "loss", "penalty"] = "accuracy",
    x: Literal["iteration", "epoch"] = "iteration",
    splits: list[Split] | None = None,
    log_x: bool = False,
    log_y: bool = False,
) -> Figure:
    """Curves over training in a grid of panels: the mean over the seeds with its 95 % interval, and a thin line a seed.

    frame: the table `curves/`; with `dlsweep.plots.draw.tidy(results)` it also knows how each run ended.
    rows, columns, lines: factors whose levels are the rows and columns of panels and the colours of lines, or "split";
    what is not given is chosen from the factors that vary. splits: which to show; all, if not given.
    A `UsageError` names a factor that is not there, or one that a line would have to average over; or says that there
    is nothing to show.

    A run that diverged is marked where it ended, and counted above its panel. In a mean of accuracies it goes on at
    chance, where its number of classes is known; any other mean ends with it. A loss that explodes without end leaves
    the panels at the top. A run that stopped early has a dot where it did, and keeps its last value in a mean that
    goes on. An ensemble, the averaged predictions of the seeds, is a dashed line. With log_y, a t interval is one for
    the logarithm of the mean.
    """
    if frame.empty:
        raise UsageError("there is nothing to show: no run is done yet")
    evaluated = [s for s in style.SPLITS if (frame["split"] == s).any()]
    shown = [s for s in evaluated if s in (splits or evaluated)]
    if evaluated and not shown:
        asked = ", ".join(splits or ())
        raise UsageError(f"there is nothing to show: {asked} was not evaluated; there is {', '.join(evaluated)}")
    if y == "penalty":
        shown = shown[:1]  # it belongs to the weights, whatever they are evaluated on
    frame = frame[frame["split"].isin(shown) | frame["split"].isna()]
    placed = place(frame, rows, columns, lines)
    key = Key(frame, placed, shown)
    grid = panel_contents(frame, placed, x, y)
    every = [line for content in grid.values() for line in content.lines]

    with style.look():
        height = Height.of(every, y, log=log_y)
        figure, axes = panels(_words(frame, placed, grid, key, x, height))
        scale(axes[0, 0], every, x, height, log_x=log_x)
        for at, content in grid.items():
            for line in sorted(content.lines, key=key.order):
                _draw(axes[at], line, key)
            if not content.lines:
                _empty(axes[at], "no curve" if content.runs else "no runs")
            elif (chance := _chance(every)) is not None:
                axes[at].axhline(chance, color=style.FAINT, linewidth=0.9, linestyle=(0, (1, 2)), label="chance")
    return figure


def _draw(ax: Axes, line: Line, key: Key) -> None:
    """Band, seeds and mean, and a cross where a run diverged. The labels are for whoever looks for an artist."""
    look, name = key.style(line), f"{line.level}, {line.split}" if line.level != line.split else line.split
    runs = len(line.each)
    log, top = ax.get_yscale() == "log", max(ax.get_ylim())
    far = np.inf if log else 1000 * top  # what leaves the panel must still fit into a renderer's numbers
    if runs > 1 and key.in_detail(line):
        ax.fill_between(
            line.x,
            *np.clip(line.band(log=log), -far, far),
            color=look["color"],
            alpha=0.2,
            linewidth=0,
            label=f"band: {name}",
        )
        # All seeds are one artist with gaps: light, and simplified where there are more points than pixels.
        x, y = np.tile(np.append(line.x, np.nan), runs), np.column_stack([line.each, np.full(runs, np.nan)]).ravel()
        faint: dict[str, Any] = {"linewidth": 0.6, "alpha": float(min(0.4, max(0.1, 0.8 / np.sqrt(runs))))}
        ax.plot(x, np.minimum(y, far), color=look["color"], label=f"seeds: {name}", **faint)
    ax.plot(line.x, np.minimum(line.mean, far), label=f"mean: {name}", linewidth=1.8, **look)
    if line.ensemble is not None and key.in_detail(line):
        _draw_ensemble(ax, line.x, np.minimum(line.ensemble, far), look["color"], name)
    if len(line.stops) and key.in_detail(line):
        ax.plot(*line.stops.T, color=look["color"], label=f"stopped: {name}", clip_on=False, **STOP)
    if len(line.ends):
        ends = np.minimum(line.ends, [np.inf, top])  # an exploding loss leaves the panel: it is marked at the edge
        ax.plot(*ends.T, color=look["color"], label=f"diverged: {name}", clip_on=False, **CROSS)


def _draw_ensemble(ax: Axes, x: np.ndarray, y: np.ndarray, colour: Any, name: str) -> None:
    """The averaged predictions of a line's seeds, beside the mean of what each of them comes to."""
    ax.plot(x, y, color=colour, label=f"ensemble: {name}", **ENSEMBLE)


def _empty(ax: Axes, words: str) -> None:
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", color=style.FAINT)
    ax.set_facecolor("#f7f7f7")


def _words(
    frame: DataFrame, placed: Placed, grid: Mapping[tuple[int, int], Content], key: Key, x: str, height: Height
) -> Words:
    """What is written around the panels."""
    y = height.y
    every = [line for content in grid.values() for line in content.lines]
    most = max((len(line.each) for line in every), default=0)
    others = [f for f in factors(frame) if f not in (placed.rows, placed.columns, placed.lines)]
    fixed = [f for f in others if len(levels(frame, f)) == 1 < len(all_levels(frame, f))]
    return Words(
        x=x,
        y=f"{style.SPLITS[key.shown[0]]} {y}" if len(key.shown) == 1 and y != "penalty" else y,
        row_factor=placed.rows or "",
        rows=_titles(frame, placed.rows),
        column_factor=placed.columns or "",
        columns=_titles(frame, placed.columns),
        title=", ".join(f"{factor}: {levels(frame, factor)[0]}" for factor in fixed),
        legend=key.legend(every),
        notes={at: note for at, content in grid.items() if (note := _note(content, most))},
        foot=_foot(every, height, key) if every else "",
        ticks=height.labels,
    )


def _titles(frame: DataFrame, factor: str | None) -> list[str]:
    """The labels of rows or columns."""
    if factor is None:
        return [""]
    return [style.SPLITS[level] if factor == "split" else level for level in levels(frame, factor)]


def _note(content: Content, most: int) -> str:
    """What is special about a panel's runs: fewer seeds than elsewhere, how many diverged or failed."""
    fewest = min((len(line.each) for line in content.lines), default=most)
    words = [f"n = {fewest}"] if fewest < most else []
    words += [f"{content.diverged} of {content.runs - content.failed} diverged"] if content.diverged else []
    words += [f"{content.failed} failed"] if content.failed else []
    return ", ".join(words)


def _foot(every: Sequence[Line], height: Height, key: Key) -> str:
    """How to read the figure: how many seeds, what the band is, what the crosses do to a mean."""
    n = sorted({len(line.each) for line in every})
    seeds = f"{n[0]} seed{'s' if n[0] > 1 else ''}" if len(n) == 1 else f"{n[0]} to {n[-1]} seeds"
    kind = "t " if n[-1] < BOOTSTRAP_FROM else "BCa " if n[0] >= BOOTSTRAP_FROM else ""
    words = [f"Mean of {seeds} with its 95 % {kind}interval; a thin line is one seed." if n[-1] > 1 else "One seed."]
    if key.dashed and n[-1] > 1:
        words.append(f"Bands and thin lines: {style.SPLITS[key.shown[-1]]}.")
    if any(len(line.ends) for line in every):
        known = height.y == "accuracy" and all(np.isfinite(line.chance) for line in every)
        words.append("Diverged runs go on at chance." if known else "A mean ends where a run diverged.")
    if any(line.ensemble is not None for line in every):
        words.append("Dashed: the seeds' averaged predictions.")
    if any(len(line.stops) for line in every):
        words.append("A dot is a run that stopped early; in a mean it keeps its last value.")
    if height.cut:
        words.append("Lines leave the panel at the top: their loss is far above.")
    if _chance(every):
        words.append("Thin dotted: chance.")
    return " ".join(words)


def _chance(every: Sequence[Line]) -> float | None:
    """The accuracy of guessing, where it is the same for all lines."""
    chances = {line.chance for line in every}
    return chances.pop() if len(chances) == 1 and np.isfinite([*chances]).all() else None
