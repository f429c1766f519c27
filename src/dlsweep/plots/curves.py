"""Curves over training, in a grid of panels for any two factors, with lines for the splits or a third factor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlsweep.plots import style
from dlsweep.plots.base import DataFrame, Figure, plots
from dlsweep.plots.factors import Placed, all_levels, factors, labels, levels, place
from dlsweep.plots.key import CROSS, Key
from dlsweep.plots.lines import Line
from dlsweep.plots.lines import lines as lines_of
from dlsweep.plots.panels import Words, panels

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
    splits: list[Literal["batch", "train", "validation", "test"]] | None = None,
    log_x: bool = False,
    log_y: bool = False,
) -> Figure:
    """Curves over training in a grid of panels: the mean over the seeds with its 95 % interval, and a thin line a seed.

    frame: the table `curves/`; with `dlsweep.plots.draw.tidy(results)` it also knows how each run ended.
    rows, columns, lines: factors whose levels are the rows and columns of panels and the colours of lines, or "split";
    what is not given is chosen from the factors that vary. splits: which to show; all, if not given.
    A `UsageError` names a factor that is not there, or one that a line would have to average over.

    A run that diverged is marked where it ended, and counted above its panel. In a mean of accuracies it goes on at
    chance, where its number of classes is known; any other mean ends with it.
    """
    shown = [s for s in style.SPLITS if (frame["split"] == s).any() and s in (splits or style.SPLITS)]
    if y == "penalty":
        shown = shown[:1]  # it belongs to the weights, whatever they are evaluated on
    frame = frame[frame["split"].isin(shown) | frame["split"].isna()]
    placed = place(frame, rows, columns, lines)
    every = list(lines_of(frame, placed, x, y))
    key = Key(frame, placed, shown)
    row_levels = levels(frame, placed.rows) if placed.rows else [""]
    column_levels = levels(frame, placed.columns) if placed.columns else [""]
    runs = {
        (i, j): _runs(frame, {placed.rows: row, placed.columns: column})
        for i, row in enumerate(row_levels)
        for j, column in enumerate(column_levels)
    }

    inside = {
        (i, j): sorted(
            (line for line in every if (line.row, line.column) == (row_levels[i], column_levels[j])), key=key.order
        )
        for i, j in runs
    }
    most = max((len(line.each) for line in every), default=0)

    with style.look():
        figure, axes = panels(
            Words(
                x=x,
                y=f"{style.SPLITS[shown[0]]} {y}" if shown and key.one_split and y != "penalty" else y,
                row_factor=placed.rows or "",
                rows=[style.SPLITS.get(row, row) if placed.rows == "split" else row for row in row_levels],
                column_factor=placed.columns or "",
                columns=[style.SPLITS.get(c, c) if placed.columns == "split" else c for c in column_levels],
                title=_title(frame, placed),
                legend=key.legend(every),
                notes={at: note for at in runs if (note := _note(runs[at], inside[at], most))},
                foot=_foot(every, y),
            )
        )
        _scales(axes[0, 0], every, x, y, log_x=log_x, log_y=log_y)
        for (i, j), ax in np.ndenumerate(axes):
            for line in inside[i, j]:
                _draw(ax, line, key)
            if not inside[i, j]:
                _empty(ax, "no curve" if len(runs[i, j]) else "no runs")
            elif (chance := _chance(every)) is not None:
                ax.axhline(chance, color=style.FAINT, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1, label="chance")
    return figure


def _draw(ax: Axes, line: Line, key: Key) -> None:
    """Band, seeds and mean, and a cross where a run diverged. The labels are for whoever looks for an artist."""
    look, name = key.style(line), f"{line.level}, {line.split}" if line.level != line.split else line.split
    runs = len(line.each)
    if runs > 1 and key.in_detail(line):
        ax.fill_between(line.x, *line.band, color=look["color"], alpha=0.2, linewidth=0, label=f"band: {name}")
        # All seeds are one artist with gaps: light, and simplified where there are more points than pixels.
        x, y = np.tile(np.append(line.x, np.nan), runs), np.column_stack([line.each, np.full(runs, np.nan)]).ravel()
        faint: dict[str, Any] = {"linewidth": 0.6, "alpha": float(min(0.4, max(0.1, 0.8 / np.sqrt(runs))))}
        ax.plot(x, y, color=look["color"], label=f"seeds: {name}", **faint)
    ax.plot(line.x, line.mean, label=f"mean: {name}", linewidth=1.8, **look)
    if len(line.ends):
        top = max(ax.get_ylim())  # an exploding loss leaves the panel: its end is marked at the edge
        ends = np.minimum(line.ends, [np.inf, top])
        ax.plot(*ends.T, color=look["color"], label=f"diverged: {name}", clip_on=False, **CROSS)


def _empty(ax: Axes, words: str) -> None:
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", color=style.FAINT)
    ax.set_facecolor("#f7f7f7")


def _scales(ax: Axes, every: Sequence[Line], x: str, y: str, *, log_x: bool, log_y: bool) -> None:
    """Limits, scales and ticks, of one panel for all, since they share them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, MultipleLocator, NullLocator

    points = np.concatenate([line.x for line in every]) if every else np.array([0.0, 1.0])
    ax.set_xlim(points.min(), max(points.max(), points.min() + 1e-9))
    if log_x:  # from 0, where training begins, to the first step the axis is linear
        ax.set_xscale("symlog", linthresh=min(points[points > 0], default=1.0))
    else:
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=x == "iteration", steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))

    low, high = _range(every, positive=log_y)
    if log_y:
        ax.set_yscale("log")
        ax.set_ylim(low / 1.2, 1 if y == "accuracy" else 1.2 * high)
        ax.yaxis.set_major_locator(LogLocator(subs=[1, 2, 5] if high < 100 * low else [1]))
        ax.yaxis.set_minor_locator(NullLocator())
    elif y == "accuracy":
        ax.set_ylim(-0.02, 1.02)
        ax.yaxis.set_major_locator(MultipleLocator(0.2))
    else:
        ax.set_ylim(0, 1.05 * high)
        ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))


def _range(every: Sequence[Line], *, positive: bool) -> tuple[float, float]:
    """Lowest and highest value to show: all of the means, nearly all of the seeds, and nothing of runs that diverged
    unless all did."""
    calm = [line.each[line.status != "diverged"] for line in every]
    seeds = np.concatenate([each.ravel() for each in calm] or [np.empty(0)])
    seeds = (
        seeds if np.isfinite(seeds).any() else np.concatenate([line.each.ravel() for line in every] or [np.empty(0)])
    )
    means = np.concatenate([each.mean(axis=0) for each in calm if len(each)] or [np.empty(0)])
    means = means[np.isfinite(means) & ((means > 0) | (not positive))]
    seeds = seeds[np.isfinite(seeds) & ((seeds > 0) | (not positive))]
    if not len(seeds):
        return 0.1, 1.0
    low, high = np.quantile(seeds, [0.002, 0.998])
    return float(min([low, *means])), float(max([high, *means])) or 1.0


def _short(value: float) -> str:
    """A tick label: 0.2, 1000, 20k."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size or (abs(value) >= size and unit == "M"):
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _runs(frame: DataFrame, level_of: dict[str | None, str]) -> DataFrame:
    """The runs of a panel, a row each, those without a curve included."""
    for factor, level in level_of.items():
        if factor and factor != "split":  # a run has curves on every split
            frame = frame[labels(frame, factor) == level]
    return frame.drop_duplicates("run_id")


def _note(runs: DataFrame, lines: Sequence[Line], most: int) -> str:
    """What is special about a panel's runs: fewer seeds than elsewhere, how many diverged or failed."""
    status = runs["status"] if "status" in runs else runs["run_id"].iloc[:0]
    failed, diverged = int((status == "failed").sum()), int((status == "diverged").sum())
    fewest = min((len(line.each) for line in lines), default=most)
    words = [f"n = {fewest}"] if fewest < most else []
    words += [f"{diverged} of {len(runs) - failed} diverged"] if diverged else []
    words += [f"{failed} failed"] if failed else []
    return ", ".join(words)


def _title(frame: DataFrame, placed: Placed) -> str:
    """The level of each factor that varies in the sweep, but not in this figure."""
    others = [f for f in factors(frame) if f not in (placed.rows, placed.columns, placed.lines)]
    fixed = [f for f in others if len(levels(frame, f)) == 1 < len(all_levels(frame, f))]
    return ", ".join(f"{factor}: {levels(frame, factor)[0]}" for factor in fixed)


def _foot(every: Sequence[Line], y: str) -> str:
    """How to read the figure: how many seeds, what the band is, what the crosses do to a mean."""
    n = sorted({len(line.each) for line in every})
    if not n:
        return ""
    seeds = f"{n[0]} seed{'s' if n[0] > 1 else ''}" if len(n) == 1 else f"{n[0]} to {n[-1]} seeds"
    words = [f"Mean of {seeds} with its 95 % interval; a thin line is one seed." if n[-1] > 1 else "One seed."]
    if any(len(line.ends) for line in every):
        known = y == "accuracy" and all(np.isfinite(line.chance) for line in every)
        words.append("Diverged runs go on at chance." if known else "A mean ends where a run diverged.")
    if _chance(every):
        words.append("Thin dotted: chance.")
    return " ".join(words)


def _chance(every: Sequence[Line]) -> float | None:
    """The accuracy of guessing, where it is the same for all lines."""
    chances = {line.chance for line in every}
    return chances.pop() if len(chances) == 1 and np.isfinite([*chances]).all() else None
