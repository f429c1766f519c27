"""Colours for numbers: the scale that all panels of a figure share, and its colour bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlsweep.plots.scales import decades, short

MISSING = "#dcdcdc"


@dataclass(frozen=True)
class Colours:
    """A scale of colours from `low` to `high`; where centred, 0 is white. What lies beyond an end has its colour."""

    low: float
    high: float
    name: str = "viridis"
    log: bool = False

    @staticmethod
    def of(values: Sequence[np.ndarray], *, log: bool = False, centred: bool = False, name: str = "viridis") -> Colours:
        """The scale on which these values are seen."""
        every = np.concatenate([np.ravel(v) for v in values]) if values else np.empty(0)
        shown = every[np.isfinite(every) & ((every > 0) | (not log))]
        low, high = (float(shown.min()), float(shown.max())) if len(shown) else (0.1, 1.0)
        if centred:
            low, high, name = -max(-low, high), max(-low, high), "RdBu_r"
        if not low < high:
            low, high = (low / 1.1, low * 1.1) if log else (low - 0.05, low + 0.05)
        return Colours(low, high, name, log)

    @property
    def mapping(self) -> Any:
        """For matplotlib: from number to colour, grey without one."""
        from matplotlib import colormaps
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import LogNorm, Normalize

        norm = (LogNorm if self.log else Normalize)(self.low, self.high, clip=True)
        return ScalarMappable(norm, colormaps[self.name].with_extremes(bad=MISSING))

    @property
    def ticks(self) -> list[float]:
        """Where the colour bar has its ticks."""
        from matplotlib.ticker import MaxNLocator

        if self.log:
            found = decades(self.low, self.high)
            return found if len(found) > 1 else [self.low, self.high]
        return [float(t) for t in MaxNLocator(5).tick_values(self.low, self.high) if self.low <= t <= self.high]

    @property
    def labels(self) -> list[str]:
        """What stands at the ticks."""
        return [short(float(f"{tick:.3g}")) for tick in self.ticks]
