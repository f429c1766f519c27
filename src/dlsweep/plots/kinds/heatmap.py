"""The final metric over two factors, as a matrix with the numbers in its cells."""

from __future__ import annotations

from typing import Literal

import numpy as np

from dlsweep.analysis.facets import Cell, Facets, SplitName, refuse_mixed
from dlsweep.analysis.scores import Metric, Moment, Scores, chance
from dlsweep.plots import captions, style
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.colours import MISSING, Colours
from dlsweep.plots.fitting import LABEL, fit, under
from dlsweep.plots.layout import Words
from dlsweep.plots.panels import bare, colour_bar, panels

_CELL = 1.25, 0.62  # inches
_FAR = 30.0  # times the median: a loss beyond that takes the last colour


@plots.register(table="runs", places=("rows", "columns"))
def heatmap(
    facets: Facets,
    *,
    y: Literal["accuracy", "loss"] = "accuracy",
    split: SplitName | None = None,
    moment: Moment = "final",
    log_y: bool = False,
) -> Chart:
    """The final metric over two factors, as a matrix: in each cell the mean and its 95 % interval.

    rows, columns: the factors; by default the first two that vary. split: by default the split furthest from training.
    moment: final, best or last. log_y: a logarithmic scale of colours.

    A cell says how many of its runs diverged: they count at chance accuracy; a loss then has no mean.

    >>> import pandas as pd
    >>> runs = pd.DataFrame({"run_id": ["a"], "arm": ["all"], "seed": [0], "status": ["done"]})
    >>> plots["heatmap"](runs.assign(final_test_accuracy=0.5)).data["final_test_accuracy"].tolist()
    [0.5]
    """
    metric = Metric.of(facets.frame, y, split, moment)
    scores: dict[Cell, Scores] = {}
    for cell, part in facets:
        refuse_mixed(part, "cell", ("rows", "columns"))
        if len(part):
            scores[cell] = Scores.of(part, metric)
    means = np.full(facets.shape, np.nan)
    for cell, one in scores.items():
        means[cell] = one.mean
    usual = means[np.isfinite(means) & ((means > 0) | (not log_y))]
    near = usual[usual <= _FAR * np.median(usual)] if len(usual) and not log_y else usual
    colours = Colours.of([near], log=log_y, name="viridis" if y == "accuracy" else "viridis_r")
    return _draw(facets, metric, means, scores, colours)


def _draw(facets: Facets, metric: Metric, means: np.ndarray, scores: dict[Cell, Scores], colours: Colours) -> Chart:
    import pandas as pd

    around = captions.around(facets)
    rows, columns = around["rows"], around["columns"]
    width = float(np.clip(11.0 / len(columns), 0.85, _CELL[0]))
    height = float(np.clip(5.6 / len(rows), 0.45, _CELL[1]))
    below, turned, room = under(columns, width)
    most = max((one.n for one in scores.values()), default=0)
    known = bool(np.isfinite(chance(facets.frame, metric)))
    diverged = any(one.diverged.any() for one in scores.values())
    caption = [captions.mean_of([max(one.n, 1) for one in scores.values()], " below")]
    caption += captions.divergence(diverged, known=known)
    words = Words(
        x=facets.columns or "",
        y=facets.rows or "",
        title=captions.joined(metric.name, around["title"]),
        foot=" ".join(caption),
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
            look = {"ha": "center", "color": "white" if dark else style.INK}
            note = captions.ended(one.n + one.failed, int(one.diverged.sum()), one.failed)
            lines = [f"n = {one.n}"] * (one.n < most) + [note] * bool(note)
            low, high = one.interval
            if np.isfinite(low):
                lines.insert(0, f"{_number(low)} to {_number(high)}")
            ax.text(column, row - 0.12, _number(one.mean), va="center", size=LABEL, weight="bold", **look)
            ax.text(column, row + 0.12, "\n".join(lines), va="top", size=6.5, **look)
        ax.set_xlim(-0.5, len(columns) - 0.5)
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_xticks(range(len(columns)), below, rotation=turned)
        ax.set_yticks(range(len(rows)), words.ticks)
        bare(ax)
        ax.set_facecolor(MISSING)
        colour_bar(axes, shades, words, "", ticks=colours.ticks)
    records = [{**facets.levels_at(cell), **one.record()} for cell, one in scores.items()]
    data = pd.DataFrame(records, columns=None if records else [metric.column])
    alt = captions.alt(f"Matrix of {metric.name}", facets, captions.extremes(data, metric.column), of="")
    return Chart(figure, words.foot, alt, data)


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}" if abs(value) < 100 else f"{value:.2g}"
