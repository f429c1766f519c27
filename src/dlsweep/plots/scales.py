"""The axes that all panels share: their limits, scales and ticks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlsweep.plots.lines import Line

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def scale(ax: Axes, lines: Sequence[Line], x: str, y: str, *, log_x: bool, log_y: bool) -> None:
    """Set the limits, scales and ticks of one panel, and with it of all. An accuracy runs from 0 to 1."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, MultipleLocator, NullLocator

    points = np.concatenate([line.x for line in lines]) if lines else np.array([0.0, 1.0])
    ax.set_xlim(points.min(), max(points.max(), points.min() + 1e-9))
    if log_x:  # from 0, where training begins, to the first step the axis is linear
        ax.set_xscale("symlog", linthresh=min(points[points > 0], default=1.0))
    else:
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=x == "iteration", steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))

    low, high = _range(lines, positive=log_y)
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
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def _range(lines: Sequence[Line], *, positive: bool) -> tuple[float, float]:
    """Lowest and highest value to show, of the runs that did not diverge, if there are such runs: nearly all of their
    points, and their means whole."""
    everything = [line.counted for line in lines]
    calm = [each[line.status != "diverged"] for line, each in zip(lines, everything)]
    for curves in (calm, everything):
        points = _drawn([each.ravel() for each in curves], positive)
        if len(points):
            means = _drawn([each.mean(axis=0) for each in calm if len(each)], positive)
            ends = [*np.quantile(points, [0.002, 0.998]), *means]
            return float(min(ends)), float(max(ends)) or 1.0
    return 0.1, 1.0


def _drawn(curves: Sequence[np.ndarray], positive: bool) -> np.ndarray:
    """The values of curves that an axis can show."""
    values: np.ndarray = np.concatenate([np.empty(0), *curves])
    shown: np.ndarray = values[np.isfinite(values) & ((values > 0) | (not positive))]
    return shown


def short(value: float) -> str:
    """A tick label: 0.2, 1000, 20k, 1M."""
    for size, unit, least in ((1e6, "M", 1e6), (1e3, "k", 1e4)):
        if abs(value) >= least:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
