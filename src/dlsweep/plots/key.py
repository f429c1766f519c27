"""What the lines of a figure look like, and the legend that explains it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlsweep.plots import style
from dlsweep.plots.base import DataFrame
from dlsweep.plots.factors import Placed, all_levels, levels
from dlsweep.plots.lines import Line

if TYPE_CHECKING:
    from matplotlib.lines import Line2D

ENSEMBLE: dict[str, Any] = {"linestyle": (0, (5, 2)), "linewidth": 1.4}  # of the averaged predictions
STOP: dict[str, Any] = {"marker": "o", "markersize": 4.5, "linestyle": "none"}  # a run stopped early
CROSS: dict[str, Any] = {"marker": "x", "markersize": 7, "markeredgewidth": 2, "linestyle": "none"}  # a run diverged


class Key:
    """Which colour and dashes a line has, and the legend that says so."""

    def __init__(self, frame: DataFrame, placed: Placed, shown: Sequence[str]):
        self.factor = placed.lines
        self.shown = shown
        self.one_split = len(shown) < 2
        self.of_split = placed.lines == "split"
        self.levels = levels(frame, placed.lines) if placed.lines else []
        every = all_levels(frame, placed.lines) if placed.lines else []
        self.colours = style.SPLIT_COLOURS if self.of_split else style.colours(every)
        self.dashed = not (self.one_split or "split" in (placed.rows, placed.columns, placed.lines))

    def style(self, line: Line) -> dict[str, Any]:
        """Colour and dashes of a line."""
        colour = self.colours[line.level] if self.factor else style.SPLIT_COLOURS[line.split]
        dashes = style.SPLIT_DASHES[line.split] if self.dashed else "-"
        return {"color": colour, "linestyle": dashes, "linewidth": self.width(line)}

    def seeds(self, line: Line) -> bool:
        """Whether the line has its seeds: where dashes tell splits apart, the last of them only."""
        return not self.dashed or self.band(line)

    def band(self, line: Line) -> bool:
        """Whether the line has a band: of the splits in a panel the last only. Two bands on each other are grey."""
        return not (self.dashed or self.of_split) or line.split == self.shown[-1]

    def width(self, line: Line) -> float:
        """The line that has a band is wide where thin ones of other splits lie on it, so that both are seen."""
        return (2.4 if self.band(line) else 1.1) if self.of_split and not self.one_split else 1.8

    def order(self, line: Line) -> tuple[int, int]:
        """Later lines are drawn above: the thin ones of other splits above the wide one, dashed ones below it."""
        split = self.shown.index(line.split)
        level = self.levels.index(line.level) if line.level in self.levels else 0
        return -split if self.of_split else split, level

    def legend(self, every: Sequence[Line]) -> list[tuple[str, list[Line2D]]]:
        """Titled groups of artists, one for each thing that the lines tell apart."""
        from matplotlib.lines import Line2D

        def artist(label: str, **settings: Any) -> Line2D:
            return Line2D([], [], label=label, **{"linewidth": 2.2, "color": style.INK, **settings})

        groups = []
        if self.of_split and not self.one_split:
            groups.append(("", [artist(style.SPLITS[s], color=self.colours[s]) for s in self.shown]))
        elif self.factor and not self.of_split:
            groups.append((self.factor, [artist(level, color=self.colours[level]) for level in self.levels]))
        if self.dashed:
            groups.append(("split", [artist(style.SPLITS[s], linestyle=style.SPLIT_DASHES[s]) for s in self.shown]))
        diverged, stopped = (any(map(len, found)) for found in ([x.ends for x in every], [x.stops for x in every]))
        averaged = any(line.ensemble is not None for line in every)
        marks = [artist("ensemble", **ENSEMBLE)] * averaged
        marks += [artist("diverged", **CROSS)] * diverged + [artist("stopped early", **STOP)] * stopped
        if marks and (not groups or groups[-1][0]):  # they are none of what a title names
            groups.append(("", []))
        if marks:
            groups[-1][1].extend(marks)
        return groups
