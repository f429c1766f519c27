"""Curves over training, with lines for the splits or a factor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from dlsweep.analysis.facets import Facets, SplitName, levels
from dlsweep.analysis.series import curve_series
from dlsweep.errors import UsageError
from dlsweep.plots import style
from dlsweep.plots.axes import XAxis
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.line_chart import line_chart
from dlsweep.registry import Fraction

MOST = 6  # lines in a panel that show more than one split, unless a user asks for them


@plots.register(table="curves", places=("rows", "columns", "lines"))
def curves(
    facets: Facets,
    *,
    y: Literal["accuracy", "loss", "penalty"] = "accuracy",
    x: Literal["iteration", "epoch"] = "iteration",
    splits: list[SplitName] | None = None,
    log_x: bool | None = None,
    log_y: bool = False,
    low: Fraction | None = None,
) -> Chart:
    """Curves over training in a grid of panels: the mean over the seeds with its 95 % interval, a thin line per seed.

    y: the metric; x: the iteration or the epoch; log_y: a logarithmic y axis. rows, columns, lines: factors whose
    levels are the rows and columns of panels and the colours of lines, or "split". splits: the splits to show; by
    default all, or only the last (test) where all would make more than six lines in a panel. log_x: by default
    logarithmic where runs that stopped early would leave panels nearly empty. low: the lower end of an axis of
    accuracies, by default one that shows where the lines end. A `UsageError` names a factor that is missing or that a
    line would average over, or says that there is nothing to show.

    A diverged run is marked at its end and counted above its panel. In a mean of accuracies it goes on at chance, if
    its number of classes is known; any other mean ends with it. A loss that explodes leaves the panel at the top, and
    its band with it. A run that stopped early has a dot at its end and keeps its last value in the mean. An ensemble,
    the averaged predictions of the seeds, is a line with diamonds. Of several splits in one panel the last has a band.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"run_id": "a", "arm": "all", "iteration": [0, 10], "split": "test", "loss": [2.3, 0.7]})
    >>> plots["curves"](rows, y="loss").data["loss"].tolist()
    [2.3, 0.7]
    """
    frame = facets.frame
    if frame.empty:
        raise UsageError("there is nothing to show: no run is done yet")
    evaluated = [s for s in style.SPLITS if (frame["split"] == s).any()]
    shown = [s for s in evaluated if s in (splits or evaluated)]
    if evaluated and not shown:
        asked = ", ".join(splits or ())
        raise UsageError(f"there is nothing to show: {asked} was not evaluated; there is {', '.join(evaluated)}")
    if y == "penalty":
        shown = shown[:1]  # it belongs to the weights, whatever they are evaluated on
    elif splits is None and _crowded(facets, shown):
        shown = shown[-1:]
    facets = facets.on(frame[frame["split"].isin(shown) | frame["split"].isna()])
    name = f"{style.SPLITS[shown[0]]} {y}" if len(shown) == 1 and y != "penalty" else y
    name = "f(x, y)" if "landscape" in frame and y == "loss" else name
    series = curve_series(facets, x, y)
    return line_chart(facets, series, XAxis(x, log_x), y, splits=shown, name=name, log=log_y, floor=low)


def _crowded(facets: Facets, shown: Sequence[str]) -> bool:
    """True if a panel with lines for the splits of every level would be hard to read."""
    if facets.lines is None or "split" in facets.places.values():
        return False
    return len(shown) > 1 and len(levels(facets.frame, facets.lines)) * len(shown) > MOST
