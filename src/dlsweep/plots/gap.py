"""The gap between training and test over training: how much of what is learned does not carry over."""

from __future__ import annotations

from typing import Literal

from dlsweep.errors import UsageError
from dlsweep.plots import style
from dlsweep.plots.base import DataFrame, Figure, plots
from dlsweep.plots.drawing import draw_lines
from dlsweep.plots.factors import place
from dlsweep.plots.key import Key
from dlsweep.plots.lines import curve_lines, panel_contents
from dlsweep.plots.scales import Axis, Height


@plots.register
def gap(
    frame: DataFrame,
    *,
    rows: str | None = None,
    columns: str | None = None,
    lines: str | None = None,
    y: Literal["accuracy", "loss"] = "accuracy",
    x: Literal["iteration", "epoch"] = "iteration",
    log_x: bool = False,
) -> Figure:
    """Train-test gap over training: train minus test accuracy, or test minus train loss; above 0, a network overfits.

    frame: the table `curves/`, as for `curves`. The difference is taken within each run, so that its mean and 95 %
    interval are those of pairs. Train is the whole training set where it was evaluated, else the minibatch at hand.
    rows, columns, lines: factors whose levels are the rows and columns of panels and the colours of lines.

    A run that diverged is marked where it ended, and has no gap from there on. A `UsageError` says which split is
    missing.
    """
    inner = _inner(frame)
    frame = _differences(frame, inner, y)
    placed = place(frame, {"rows": rows, "columns": columns, "lines": lines})
    grid = panel_contents(frame, placed, curve_lines(frame, placed, x, "gap"))
    height = Height.of([line for content in grid.values() for line in content.lines], y, signed=True)
    first, second = (style.SPLITS[inner], "test") if y == "accuracy" else ("test", style.SPLITS[inner])
    return draw_lines(
        frame, placed, Key(frame, placed, ["test"]), grid, Axis(x, log_x), height, f"{first} − {second} {y}"
    )


def _inner(frame: DataFrame) -> str:
    """The split that was trained on."""
    if frame.empty:
        raise UsageError("there is nothing to show: no run is done yet")
    there = set(frame["split"].dropna())
    inner = next((split for split in ("train", "batch") if split in there), "")
    if there and not (inner and "test" in there):
        lacking = "test" if inner else "train or batch"
        raise UsageError(
            f"there is no train-test gap to show: {lacking} was not evaluated; evaluate.on names the splits"
        )
    return inner or "train"


def _differences(frame: DataFrame, inner: str, y: str) -> DataFrame:
    """The rows of test, with the column `gap`; and the runs that have no curve."""
    train = frame.loc[frame["split"] == inner, ["run_id", "iteration", y]].rename(columns={y: "train"})
    test = frame[(frame["split"] == "test") | frame["split"].isna()].merge(
        train, on=["run_id", "iteration"], how="left"
    )
    difference = test["train"] - test[y]
    return test.assign(gap=difference if y == "accuracy" else -difference)
