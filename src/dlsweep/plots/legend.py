"""Colours and dashes of the lines in a line chart, and the legend that explains them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlsweep.analysis.facets import Facets, all_levels, levels
from dlsweep.analysis.series import Series
from dlsweep.plots import style
from dlsweep.plots.axes import short
from dlsweep.plots.names import factor_name, level_names
from dlsweep.plots.panels import Bar

if TYPE_CHECKING:
    from matplotlib.lines import Line2D

BAR_FROM = 8  # levels of a number that have a colour bar in place of a legend
_LABELS = 10  # levels that all have a label on the colour bar; of more, six have one


def level_colours(facets: Facets, factor: str | None) -> dict[str, Any]:
    """Return the colours of a factor's levels in these facets; a single colour for "" without a factor."""
    if not factor:
        return {"": style.PALETTE[0]}
    of_all = style.SPLIT_COLOURS if factor == "split" else style.colours(all_levels(facets.frame, factor))
    return {level: of_all[level] for level in levels(facets.frame, factor)}


def mark(label: str, **settings: Any) -> Line2D:
    """Return an artist for a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **{"linewidth": 2.2, "color": style.INK, "solid_capstyle": "round", **settings})


def level_group(facets: Facets, **settings: Any) -> list[tuple[str, list[Line2D]]]:
    """Return the group of a legend that explains the colours of lines; no group without a factor."""
    if not facets.lines:
        return []
    names, colours = level_names(facets.frame, facets.lines), level_colours(facets, facets.lines)
    marks = [mark(names[level], **{**settings, "color": colour}) for level, colour in colours.items()]
    return [(factor_name(facets.lines), marks)]


class Legend:
    """Colour and the dashes of each line. shown: the splits in a panel.

    numbers: the levels as numbers if a colour bar explains them, because there are many; else empty.
    """

    def __init__(self, facets: Facets, shown: Sequence[str]):
        self.factor = facets.lines
        self.shown = shown
        self.one_split = len(shown) < 2
        self.of_split = facets.lines == "split"
        self.colours = level_colours(facets, facets.lines) if facets.lines else {}
        self.levels = list(self.colours)
        self.names = level_names(facets.frame, facets.lines)
        self.dashed = not (self.one_split or "split" in facets.places.values())
        self.prefix, self.numbers = style.numbers(self.levels) if len(self.levels) >= BAR_FROM else ("", [])
        self.group = [] if self.numbers or self.of_split else level_group(facets)

    def style(self, series: Series) -> dict[str, Any]:
        """Return the colour and the dashes of a line."""
        colour = self.colours[series.level] if self.factor else style.SPLIT_COLOURS[series.split]
        dashes = style.SPLIT_DASHES[series.split] if self.dashed else "-"
        return {"color": colour, "linestyle": dashes, "linewidth": self.width(series)}

    def seeds(self, series: Series) -> bool:
        """True if the line has its seeds: with dashes or a colour bar, only lines with a band have them."""
        return not (self.dashed or self.numbers) or self.band(series)

    def band(self, series: Series) -> bool:
        """True if the line has a band: of several splits only the last, of many numbers only the first and the last.

        Overlapping bands are grey.
        """
        if self.numbers and series.level not in (self.levels[0], self.levels[-1]):
            return False
        return not (self.dashed or self.of_split) or series.split == self.shown[-1]

    def width(self, series: Series) -> float:
        """Return the width of a line: with colours for splits, the line with a band is wider than those above it."""
        return (2.4 if self.band(series) else 1.1) if self.of_split and not self.one_split else 1.8

    def order(self, series: Series) -> tuple[int, int]:
        """Return the drawing order: thin lines of other splits above the wide line, dashed lines below it."""
        split = self.shown.index(series.split)
        level = self.levels.index(series.level) if series.level in self.levels else 0
        return -split if self.of_split else split, level

    @property
    def bar(self) -> Bar | None:
        """Colour bar of many levels: its name is the factor and what the levels have in common; else None."""
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import BoundaryNorm, ListedColormap

        if not (n := len(self.numbers)):
            return None
        ticks = range(n) if n <= _LABELS else [round(at) for at in np.linspace(0, n - 1, 6)]
        colours = ScalarMappable(BoundaryNorm(np.arange(n + 1) - 0.5, n), ListedColormap([*self.colours.values()]))
        return Bar(colours, ticks, [short(self.numbers[at]) for at in ticks], _bar_name(self.factor or "", self.prefix))

    def groups(self, every: Sequence[Series]) -> list[tuple[str, list[Line2D]]]:
        """Return titled groups of artists, one group for each distinction between lines."""
        groups = []
        if self.of_split and not self.one_split:
            groups.append(("", [mark(style.SPLITS[s], color=self.colours[s]) for s in self.shown]))
        groups += self.group
        if self.dashed:
            groups.append(("split", [mark(style.SPLITS[s], linestyle=style.SPLIT_DASHES[s]) for s in self.shown]))
        marks = [mark("ensemble", **style.ENSEMBLE)] * any(one.ensemble is not None for one in every)
        marks += [mark("diverged", **style.CROSS)] * any(len(one.ends) for one in every)
        marks += [mark("stopped early", **style.STOP)] * any(len(one.stops) for one in every)
        marks += [mark("restored", **style.RING)] * any(len(one.rings) for one in every)
        if marks and (not groups or groups[-1][0]):  # they belong under no title
            groups.append(("", []))
        if marks:
            groups[-1][1].extend(marks)
        return groups


def _bar_name(factor: str, prefix: str) -> str:
    """Return the name of a colour bar, as other axes have it. prefix: of all levels, such as "sgd lr" of "sgd lr=0.1".

    >>> _bar_name("optimizer", "sgd lr"), _bar_name("optimizer.lr", ""), _bar_name("regularizer", "dropout")
    ('sgd learning rate', 'learning rate', 'regularizer: dropout')
    """
    choice, _, setting = prefix.rpartition(" ")
    if not choice or "." in factor:
        return factor_name(factor) + f": {prefix}" * bool(prefix)
    name = factor_name(f"{factor}.{choice}.{setting}")
    return name if choice in name.split() else f"{name} ({choice})"
