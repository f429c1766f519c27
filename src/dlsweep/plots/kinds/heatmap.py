"""Final metric over two factors, as a matrix with the numbers in its cells."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from dlsweep.analysis.facets import Cell, Facets, SplitName
from dlsweep.analysis.scores import Scores, cell_scores, chance, metric_in
from dlsweep.plots import captions, style
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.images import MISSING, Colours
from dlsweep.plots.layout import LABEL, fit, under
from dlsweep.plots.panels import Words, bare, panels
from dlsweep.storage.tables import Moment
from dlsweep.types import Axes

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
    """Final metric over two factors, as a matrix: in each cell the mean and its 95 % interval.

    y: the metric. rows, columns: the factors; by default the first two that vary. split: by default the split furthest
    from training. moment: final, best or last. log_y: a logarithmic scale of colours. A cell has the number of its
    diverged runs: they count at chance accuracy; a loss then has no mean.

    >>> import pandas as pd
    >>> runs = pd.DataFrame({"run_id": ["a"], "arm": ["all"], "seed": [0], "status": ["done"]})
    >>> plots["heatmap"](runs.assign(final_test_accuracy=0.5)).data["final_test_accuracy"].tolist()
    [0.5]
    """
    metric = metric_in(facets.frame, y, split, moment)
    scores, means = cell_scores(facets, metric)
    colours = Colours.of([means], "viridis" if y == "accuracy" else "viridis_r", log=log_y, far=_FAR)
    rows, columns = facets.shape
    width = float(np.clip(11.0 / columns, 0.85, _CELL[0]))
    height = float(np.clip(5.6 / rows, 0.45, _CELL[1]))
    headings = captions.headings(facets)
    below, turned, room = under(headings["columns"], width)
    words = Words(
        x=headings["column_factor"],
        y=headings["row_factor"],
        title=captions.joined(metric.words, headings["title"]),
        foot=" ".join(captions.of_scores([*scores.values()], " below", chance(facets.frame, y))),
        ticks=[fit(row, 2.5, LABEL) for row in headings["rows"]],
        below=room,
        bar=colours.bar() if rows > 1 else None,
    )
    with panels(words, (max(width * columns, 1.2), max(height * rows, 0.6))) as (figure, axes):
        ax = axes[0, 0]
        colours.mesh(ax, np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5, means, edgecolor="white")
        most = max((one.n for one in scores.values()), default=0)
        for cell, one in scores.items():
            _write(ax, cell, one, colours, fewer=one.n < most)
        ax.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), facecolor=MISSING)
        ax.set_xticks(range(columns), below, rotation=turned)
        ax.set_yticks(range(rows), words.ticks)
        bare(ax)
    data = facets.tidy(((cell, "", one.record()) for cell, one in scores.items()), [metric.name])
    alt = captions.alt(f"Matrix of {metric.words}", facets, captions.extremes(data, metric.name), of="")
    return Chart(figure, words.foot, alt, data)


def _write(ax: Axes, cell: Cell, one: Scores, colours: Colours, *, fewer: bool) -> None:
    """Write the mean into a cell, and below it the interval, n if it is `fewer` than elsewhere, and how runs ended."""
    row, column = cell
    dark = np.isfinite(one.mean) and np.dot(colours.mapping.to_rgba(one.mean)[:3], (0.3, 0.59, 0.11)) < 0.5
    common: dict[str, Any] = {"ha": "center", "color": "white" if dark else style.INK}
    low, high = one.interval
    lines = [f"{_number(low)} to {_number(high)}"] * (one.n >= captions.INTERVAL_FROM and bool(np.isfinite(low)))
    lines += [f"n = {one.n}"] * fewer
    lines += filter(None, [captions.ended(one.n + one.failed, int(one.diverged.sum()), one.failed)])
    ax.text(column, row - 0.12, _number(one.mean), va="center", size=LABEL, weight="bold", **common)
    ax.text(column, row + 0.12, "\n".join(lines), va="top", size=6.5, **common)


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}" if abs(value) < 100 else f"{value:.2g}"
