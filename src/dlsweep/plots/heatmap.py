"""The final metric over two factors, as a matrix with the numbers in its cells."""

from __future__ import annotations

from typing import Literal

import numpy as np

from dlsweep.config.runs import Split
from dlsweep.plots import style
from dlsweep.plots.base import DataFrame, Figure, plots
from dlsweep.plots.factors import Placed, panel, panel_levels, place, refuse_mixed
from dlsweep.plots.maps import MISSING, Colours
from dlsweep.plots.panels import LABEL, Words, colour_bar, fit, panels, under
from dlsweep.plots.scores import Metric, Moment, Scores, chance
from dlsweep.plots.wording import around, mean_of

_CELL = 1.25, 0.62  # inches
_FAR = 30.0  # times the median: a loss beyond that takes the last colour


@plots.register
def heatmap(
    runs: DataFrame,
    *,
    rows: str | None = None,
    columns: str | None = None,
    y: Literal["accuracy", "loss"] = "accuracy",
    split: Split | None = None,
    moment: Moment = "final",
) -> Figure:
    """The final metric over two factors, as a matrix: in each cell the mean and its 95 % interval.

    runs: the table `runs/`. rows, columns: the factors; if not given, the first two that vary. split: if not given, the
    one furthest from training. moment: final, best or last.

    A cell says how many of its runs diverged: they count at chance accuracy; a loss then has no mean.
    """
    metric = Metric.of(runs, y, split, moment)
    placed = place(runs, {"rows": rows, "columns": columns}, ("rows", "columns"))
    parts = {cell: panel(runs, placed, *names) for cell, names in panel_levels(runs, placed).items()}
    for part in parts.values():
        refuse_mixed(part, "cell", ("rows", "columns"))
    scores = {cell: Scores.of(part, metric) for cell, part in parts.items() if len(part)}
    means = np.full([1 + last for last in max(parts)], np.nan)
    for cell, one in scores.items():
        means[cell] = one.mean
    usual = means[np.isfinite(means)]
    near = usual[usual <= _FAR * np.median(usual)] if len(usual) else usual
    colours = Colours.of([near], name="viridis" if y == "accuracy" else "viridis_r")
    return _draw(runs, placed, metric, means, scores, colours)


def _draw(
    runs: DataFrame,
    placed: Placed,
    metric: Metric,
    means: np.ndarray,
    scores: dict[tuple[int, int], Scores],
    colours: Colours,
) -> Figure:
    around_ = around(runs, placed)
    rows, columns = around_["rows"], around_["columns"]
    width = float(np.clip(11.0 / len(columns), 0.85, _CELL[0]))
    height = float(np.clip(5.6 / len(rows), 0.45, _CELL[1]))
    below, turned, room = under(columns, width)
    most = max((one.n for one in scores.values()), default=0)
    words = Words(
        x=placed.columns or "",
        y=placed.rows or "",
        title=", ".join(filter(None, [metric.name, around_["title"]])),
        foot=_foot(runs, metric, list(scores.values())),
        ticks=[fit(row, 2.5, LABEL) for row in rows],
        below=room,
        bar=colours.labels,
    )
    with style.look():
        figure, axes = panels(words, (max(width * len(columns), 1.2), max(height * len(rows), 0.6)))
        ax, shades = axes[0, 0], colours.mapping
        edges = [np.arange(n + 1) - 0.5 for n in (len(columns), len(rows))]
        ax.pcolormesh(*edges, np.ma.masked_invalid(means), cmap=shades.cmap, norm=shades.norm, edgecolor="white")
        for (row, column), one in scores.items():
            dark = np.isfinite(one.mean) and np.dot(shades.to_rgba(one.mean)[:3], (0.3, 0.59, 0.11)) < 0.5
            ink = "white" if dark else style.INK
            low, high = one.interval
            lines = [f"n = {one.n}"] * (one.n < most) + ([one.note] if one.note else [])
            if np.isfinite(low):
                lines.insert(0, f"{_number(low)} to {_number(high)}")
            ax.text(
                column, row - 0.12, _number(one.mean), ha="center", va="center", color=ink, size=LABEL, weight="bold"
            )
            ax.text(column, row + 0.12, "\n".join(lines), ha="center", va="top", color=ink, size=6.5)
        ax.set_xlim(-0.5, len(columns) - 0.5)
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_xticks(range(len(columns)), below, rotation=turned)
        ax.set_yticks(range(len(rows)), words.ticks)
        ax.tick_params(length=0)
        ax.grid(False)
        for side in ax.spines.values():
            side.set_visible(False)
        ax.set_facecolor(MISSING)
        colour_bar(axes, shades, words, "", ticks=colours.ticks)
    return figure


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}" if abs(value) < 100 else f"{value:.2g}"


def _foot(runs: DataFrame, metric: Metric, scores: list[Scores]) -> str:
    """How to read the figure."""
    words = [mean_of([max(one.n, 1) for one in scores], " below")]
    if any(one.diverged.any() for one in scores):
        known = np.isfinite(chance(runs, metric))
        words.append("Diverged runs count at chance." if known else "No mean where a run has diverged.")
    return " ".join(words)
