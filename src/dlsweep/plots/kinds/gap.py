"""Gap between training and test over training. The shortest kind of plot: a template for others."""

from __future__ import annotations

from typing import Literal

from dlsweep.analysis.facets import Facets
from dlsweep.analysis.series import curve_series, gaps
from dlsweep.plots import style
from dlsweep.plots.axes import XAxis
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.line_chart import line_chart


@plots.register(table="curves", places=("rows", "columns", "lines"), needs=("train and test",))
def gap(
    facets: Facets,
    *,
    y: Literal["accuracy", "loss"] = "accuracy",
    x: Literal["iteration", "epoch"] = "iteration",
    log_x: bool = False,
) -> Chart:
    """Train-test gap over training: train minus test accuracy, or test minus train loss; above 0, a network overfits.

    y: the metric; x: the iteration or the epoch; log_x: a logarithmic x axis.

    The difference is taken within each run, so its mean and 95 % interval are paired. Train is the whole training set
    if it was evaluated, else the current minibatch. rows, columns, lines: factors whose levels are the rows and columns
    of panels and the colours of lines. A `UsageError` says which split is missing.

    A diverged run is marked at its end and has no gap from there on.

    >>> import pandas as pd
    >>> rows = {"run_id": "a", "arm": "all", "iteration": 10, "split": ["train", "test"], "accuracy": [1.0, 0.75]}
    >>> plots["gap"](pd.DataFrame(rows)).data["accuracy"].tolist()
    [0.25]
    """
    frame, inner = gaps(facets.frame, y)
    facets = facets.on(frame)
    first, second = (style.SPLITS[inner], "test") if y == "accuracy" else ("test", style.SPLITS[inner])
    series = curve_series(facets, x, "gap")
    name = f"{first} − {second} {y}"
    return line_chart(facets, series, XAxis(x, log_x), y, splits=["test"], name=name, signed=True)
