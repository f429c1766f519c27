"""What a plot is: a pure function from a tidy frame to a figure, with its settings as keyword-only parameters.

The name of its one positional parameter says which table it is given: `runs`, `layers`, or under any other name the
curves; as `results` it is given all that the sweep has left, to look into networks: its settings `arm` and `seed` say
into which. The settings `rows`, `columns` and `lines` are places for factors; `dlsweep.plots.factors.place` fills those
that a plot has and nobody gave, and a factor that is left makes a figure for each of its levels. An `x` whose default
is None is a numeric setting. `y` is a Literal: it names the figure's file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dlsweep.registry import Registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
else:  # a registry reads annotations, and listing plots must not import what draws them
    DataFrame = Figure = Any

__all__ = ["DataFrame", "Figure", "pagers", "plots"]

plots = Registry("plot", "dlsweep.plots")

# How a plot that has places of its own is divided into figures, see `dlsweep.plots.draw.pages`.
pagers: dict[str, Callable[[DataFrame, Mapping[str, Any]], Iterator[tuple[str, DataFrame, dict[str, Any]]]]] = {}
