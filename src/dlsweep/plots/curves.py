"""Curves over training, in a grid of panels for any two factors, with lines for the splits or a third factor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from dlsweep.config.runs import Split
from dlsweep.errors import UsageError
from dlsweep.plots import style
from dlsweep.plots.base import DataFrame, Figure, plots
from dlsweep.plots.drawing import draw_lines
from dlsweep.plots.factors import Placed, levels, place
from dlsweep.plots.key import Key
from dlsweep.plots.lines import curve_lines, panel_contents
from dlsweep.plots.scales import Axis, Height
from dlsweep.registry import Fraction

MOST = 6  # lines in a panel that show more than one split, unless a user asks for them


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
    low: Fraction = 0.0,
) -> Figure:
    """Curves over training in a grid of panels: the mean over the seeds with its 95 % interval, and a thin line a seed.

    frame: the table `curves/`; with `dlsweep.plots.draw.tidy(results)` it also knows how each run ended.
    rows, columns, lines: factors whose levels are the rows and columns of panels and the colours of lines, or "split";
    what is not given is chosen from the factors that vary. splits: which to show; if not given all, or where that is
    more than six lines in a panel, the last (test). low: where an axis of accuracies begins.
    A `UsageError` names a factor that is not there, or one that a line would have to average over; or says that there
    is nothing to show.

    A run that diverged is marked where it ended, and counted above its panel. In a mean of accuracies it goes on at
    chance, where its number of classes is known; any other mean ends with it. A loss that explodes without end leaves
    the panels at the top, and its band with it. A run that stopped early has a dot where it did, and keeps its last
    value in a mean that goes on. An ensemble, the averaged predictions of the seeds, is a dashed line. Of the splits in
    one panel the last has a band. With log_y, a t interval is one for the logarithm of the mean.
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
    placed = place(frame, {"rows": rows, "columns": columns, "lines": lines})
    if splits is None and _crowded(frame, placed, shown):
        shown = shown[-1:]
        frame = frame[frame["split"].isin(shown) | frame["split"].isna()]
    grid = panel_contents(frame, placed, curve_lines(frame, placed, x, y))
    every = [line for content in grid.values() for line in content.lines]
    name = f"{style.SPLITS[shown[0]]} {y}" if len(shown) == 1 and y != "penalty" else y
    return draw_lines(
        frame, placed, Key(frame, placed, shown), grid, Axis(x, log_x), Height.of(every, y, log=log_y, floor=low), name
    )


def _crowded(frame: DataFrame, placed: Placed, shown: Sequence[str]) -> bool:
    """Whether a panel with lines for the splits of every level would be hard to read."""
    if placed.lines is None or "split" in (placed.rows, placed.columns, placed.lines):
        return False
    return len(shown) > 1 and len(levels(frame, placed.lines)) * len(shown) > MOST
