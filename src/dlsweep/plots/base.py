"""What a plot is: a pure function from a tidy frame to a figure, with its settings as keyword-only parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlsweep.registry import Registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
else:  # a registry reads annotations, and listing plots must not import what draws them
    DataFrame = Figure = Any

__all__ = ["DataFrame", "Figure", "plots"]

plots = Registry("plot", "dlsweep.plots")
