"""Metric along a numeric setting: learning rate, strength of a penalty, standard deviation of the initial weights."""

from __future__ import annotations

from typing import Literal

import numpy as np

from dlsweep.analysis.facets import Facets, SettingName, SplitName, moving_with
from dlsweep.analysis.scores import metric_in
from dlsweep.analysis.series import response_series
from dlsweep.plots.axes import XAxis
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.line_chart import line_chart
from dlsweep.plots.names import factor_name
from dlsweep.registry import Fraction
from dlsweep.storage.tables import Moment
from dlsweep.text import sentence
from dlsweep.types import DataFrame


@plots.register(table="runs", places=("rows", "columns", "lines"))
def response(
    facets: Facets,
    *,
    x: SettingName | None = None,
    y: Literal["accuracy", "loss"] = "accuracy",
    split: SplitName | None = None,
    moment: Moment = "final",
    log_x: bool | None = None,
    log_y: bool = False,
    low: Fraction | None = None,
) -> Chart:
    """Metric against a numeric setting (learning rate, strength, scale): means, intervals, a thin line per seed.

    y: the metric; log_y: a logarithmic y axis. x: the setting, such as `optimizer.lr`; by default the setting that
    varies most. An arm without the setting is a horizontal line. rows, columns, lines: factors, as for `curves`; "sgd
    lr=0.1" and "sgd lr=1" become one level, "sgd". split: by default the split furthest from training. moment: final,
    best or last. log_x: by default logarithmic where the setting's values span more than a decade. low: the lower end
    of an axis of accuracies, by default well below all points.

    A diverged run is marked, counted above its panel, and counts at chance accuracy; a mean loss has no value there.

    >>> import pandas as pd
    >>> runs = pd.DataFrame({"run_id": ["a", "b"], "arm": ["lr=0.1", "lr=1"], "optimizer.lr": [0.1, 1.0], "seed": 0})
    >>> chart = plots["response"](runs.assign(status="done", final_test_accuracy=[0.5, 0.75]))
    >>> chart.data[["optimizer.lr", "accuracy"]].to_numpy().tolist()
    [[0.1, 0.5], [1.0, 0.75]]
    """
    frame, setting = facets.frame, str(x)  # `numeric` has chosen one
    metric = metric_in(frame, y, split, moment)
    values = frame[setting].dropna().to_numpy()
    if log_x is None:
        log_x = bool(values.min() >= 0 and values.max() >= 10 * min(values[values > 0], default=np.inf))
    series, axis = response_series(facets, setting, metric), XAxis(setting, log_x, points=True)
    return line_chart(
        facets,
        series,
        axis,
        y,
        splits=[metric.split],
        name=metric.words,
        log=log_y,
        floor=low,
        notes=_moving(frame, setting),
    )


def _moving(frame: DataFrame, setting: str) -> list[str]:
    """Explain which other settings change along the axis."""
    notes = []
    for name, by in moving_with(frame, setting).items():
        (first, start), *_, (last, end) = by.items()
        moves = f"moves along the axis too, from {start} at {first} to {end} at {last}"
        notes.append(sentence(f"{factor_name(name)} {moves}"))
    return notes
