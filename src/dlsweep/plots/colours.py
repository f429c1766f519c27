"""Colours for numbers: the scale shared by all panels of a figure, and its colour bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlsweep.plots.axes import decades, drawable, short
from dlsweep.plots.panels import Bar
from dlsweep.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MISSING = "#dcdcdc"
CENTRED = "RdBu_r"  # white in the middle


@dataclass(frozen=True)
class Colours:
    """Scale of colours from `low` to `high`, white at 0 where centred. Values beyond an end take its colour."""

    low: float
    high: float
    name: str = "viridis"
    log: bool = False
    missing: str = MISSING  # of NaN

    @staticmethod
    def of(values: Sequence[Array], name: str = "viridis", *, log: bool = False, far: float = np.inf) -> Colours:
        """Scale that shows these values; without logarithms, only those up to `far` times their median."""
        shown = drawable(values, log)
        shown = shown[shown <= far * np.median(shown)] if len(shown) and far < np.inf and not log else shown
        low, high = (float(shown.min()), float(shown.max())) if len(shown) else (0.1, 1.0)
        if name == CENTRED:
            low, high = -max(-low, high), max(-low, high)
        if not low < high:
            low, high = (low / 1.1, low * 1.1) if log else (low - 0.05, low + 0.05)
        return Colours(low, high, name, log)

    @property
    def mapping(self) -> Any:
        """Map from number to colour for matplotlib."""
        from matplotlib import colormaps
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import LogNorm, Normalize

        norm = (LogNorm if self.log else Normalize)(self.low, self.high, clip=True)
        return ScalarMappable(norm, colormaps[self.name].with_extremes(bad=self.missing))

    def mesh(self, ax: Axes, x: np.ndarray, y: np.ndarray, values: np.ndarray, **settings: Any) -> None:
        """Draw values `(len(y) - 1, len(x) - 1)` as cells between edges."""
        shades = self.mapping
        ax.pcolormesh(x, y, np.ma.masked_invalid(values), cmap=shades.cmap, norm=shades.norm, **settings)

    def bar(self, name: str = "") -> Bar:
        """Colour bar, with ticks at round numbers."""
        from matplotlib.ticker import MaxNLocator

        if self.log:
            ticks = decades(self.low, self.high)
            ticks = ticks if len(ticks) > 1 else [self.low, self.high]
        else:
            ticks = [float(t) for t in MaxNLocator(5).tick_values(self.low, self.high) if self.low <= t <= self.high]
        return Bar(self.mapping, ticks, [short(tick, 3) for tick in ticks], name)
