"""A metric against a numeric setting: learning rate, strength of a penalty, scale of the first weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from dlsweep.config.runs import Split
from dlsweep.plots.base import DataFrame, Figure, plots
from dlsweep.plots.drawing import draw_lines
from dlsweep.plots.factors import Placed, along, labels, place, refuse_mixed
from dlsweep.plots.key import Key
from dlsweep.plots.lines import Line, panel_contents
from dlsweep.plots.scales import Axis, Height
from dlsweep.plots.scores import Metric, Moment, Scores, chance
from dlsweep.registry import Fraction


@plots.register
def response(
    runs: DataFrame,
    *,
    x: str | None = None,
    rows: str | None = None,
    columns: str | None = None,
    lines: str | None = None,
    y: Literal["accuracy", "loss"] = "accuracy",
    split: Split | None = None,
    moment: Moment = "final",
    log_x: bool | None = None,
    log_y: bool = False,
    low: Fraction = 0.0,
) -> Figure:
    """A metric against a numeric setting (learning rate, strength, scale): means, intervals, and a thin line a seed.

    runs: the table `runs/`. x: the setting, such as `optimizer.lr`; if not given, the one that varies most. An arm that
    has no such setting is a horizontal line. rows, columns, lines: factors, as for `curves`; "sgd lr=0.1" and "sgd
    lr=1" are one level then, "sgd". split: if not given, the one furthest from training. moment: final, best or last.
    log_x: if not given, where the setting's values span more than a decade. low: where an axis of accuracies begins.

    A diverged run is marked, counted above its panel, and counts at chance accuracy; a mean loss has no value there.
    """
    frame, x = along(runs, x)
    metric = Metric.of(frame, y, split, moment)
    placed = place(frame, {"x": x, "rows": rows, "columns": columns, "lines": lines})
    grid = panel_contents(frame, placed, _lines(frame, placed, x, metric))
    values = frame[x].dropna().to_numpy()
    if log_x is None:
        log_x = bool(values.min() >= 0 and values.max() >= 10 * min(values[values > 0], default=np.inf))
    height = Height.of([line for content in grid.values() for line in content.lines], y, log=log_y, floor=low)
    key = Key(frame, placed, [metric.split])
    return draw_lines(frame, placed, key, grid, Axis(x, log_x, points=True), height, metric.name)


def _lines(frame: DataFrame, placed: Placed, x: str, metric: Metric) -> Iterator[tuple[str, str, Line]]:
    """A line for each level of `lines` in each panel: its points are the means of arms."""
    ends = np.array([frame[x].min(), frame[x].max()])
    places = (placed.rows, placed.columns, placed.lines)
    keys = [labels(frame, place) if place else np.full(len(frame), "") for place in places]
    for (row, column, level, without), group in frame.groupby([*keys, frame[x].isna()], sort=False, observed=True):
        points = ends[:1] if without else np.unique(group[x])
        seeds = np.unique(group["seed"])
        each = np.full((len(seeds), len(points)), np.nan)
        crosses = []
        for i, point in enumerate(points):
            arm = group if without else group[group[x] == point]
            refuse_mixed(arm, "line")
            scores = Scores.of(arm, metric)
            each[np.searchsorted(seeds, scores.seeds), i] = scores.values
            crosses += [(point, value if np.isfinite(value) else np.inf) for value in scores.values[scores.diverged]]
        each = each[np.isin(seeds, group.loc[group["status"] != "failed", "seed"])]
        if not len(each):
            continue
        if without:
            points, each = ends, np.repeat(each, 2, axis=1)
        status = np.full(len(each), "done")
        marks = np.array(crosses).reshape(-1, 2)
        yield str(row), str(column), Line(str(level), metric.split, points, each, status, chance(frame, metric), marks)
