"""The layout of a figure: the sizes of its panels and of the texts around them.

Sizes are in inches and follow from measured texts: panels keep their shape in every figure, and no label, legend or
note covers the data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dlsweep.plots.fitting import FOOT, LABEL, NAME, NOTE, block_height, fit, text_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

PAD = 0.12  # inches around the figure
GAP = 0.42  # inches between panels: the last tick label of one stays clear of the first of the next
TICKS = 0.22  # inches for the tick labels below the panels
AXIS = 0.24  # inches for the name of an axis

SLIDE = (13.33, 7.5)  # inches: a figure fits into it, text included, and takes its shape
FLATTEST, LOWEST, LEAST = 1 / 3, 1.3, 0.8  # least height of a panel: over its width; for a slide's shape; its size
BAR = 0.16  # inches: width of a colour bar


@dataclass(frozen=True)
class Words:
    """The texts around the panels.

    rows, columns: the levels that label them, ("",) without a factor. legend: groups of artists to explain, each with
    a title. notes: a few words above a panel, such as the number of its runs that diverged. foot: how to read the
    figure. ticks: labels of the y axis; beside: words right of the panels; bar: labels of a colour bar; below: inches
    below the x axis. The layout leaves room for them.
    """

    x: str
    y: str
    row_factor: str = ""
    rows: Sequence[str] = ("",)
    column_factor: str = ""
    columns: Sequence[str] = ("",)
    title: str = ""
    legend: Sequence[tuple[str, Sequence[Any]]] = ()
    notes: dict[tuple[int, int], str] = field(default_factory=dict)
    foot: str = ""
    ticks: Sequence[str] = ()
    below: float = TICKS
    beside: Sequence[str] = ()
    bar: Sequence[str] = ()


@dataclass(frozen=True)
class Layout:
    """The position of everything, in inches, around panels of a width and a height."""

    words: Words
    width: float
    height: float

    @staticmethod
    def of(words: Words) -> Layout:
        """The layout that fits a slide: its panels are made lower, then wider, and if need be lower still."""
        rows, columns = len(words.rows), len(words.columns)
        width = float(np.clip(8.4 / columns, 1.7, 4.6))
        start = float(np.clip(0.72 * width, 1.45, 3.2))
        shape = SLIDE[1] / SLIDE[0]
        layout = Layout(words, width, start)
        layout = layout.lower(shape * layout.full, LOWEST)
        wider = min(layout.tall / shape, SLIDE[0]) - layout.full
        if wider > 0:
            width = max(width, min(width + wider / columns, layout.height / FLATTEST))
            layout = Layout(words, width, start)
            layout = layout.lower(shape * layout.full, min(start, LOWEST))
        return layout.lower(SLIDE[1], LEAST) if rows > 1 else layout

    def lower(self, tall: float, least: float) -> Layout:
        """Make the panels low enough for a figure of some height, but no lower than `least`."""
        height = self.height - (self.tall - tall) / len(self.words.rows)
        return Layout(self.words, self.width, min(self.height, max(height, least)))

    @cached_property
    def column_labels(self) -> list[str]:
        return [fit(level, self.width, LABEL, lines=3) for level in self.words.columns]

    @cached_property
    def row_labels(self) -> list[str]:
        return [fit(level, self.height, LABEL, lines=2) for level in self.words.rows]

    @cached_property
    def inner(self) -> float:
        return len(self.words.columns) * self.width + (len(self.words.columns) - 1) * GAP

    @cached_property
    def left(self) -> float:
        return PAD + (AXIS if self.words.y else 0) + tick_width(self.words.ticks)

    @cached_property
    def beside(self) -> float:
        """Width of the words beside the panels."""
        return max((text_width(text, NOTE) + 0.1 for text in self.words.beside), default=0.0)

    @cached_property
    def bar(self) -> float:
        """Width of a colour bar with its labels and its name."""
        return BAR + 0.1 + tick_width(self.words.bar) + AXIS if self.words.bar else 0.0

    @cached_property
    def right(self) -> float:
        labels = self.beside + block_height(self.row_labels, LABEL) + block_height([self.words.row_factor], NAME)
        return max(GAP, PAD + labels) + self.bar

    @cached_property
    def full(self) -> float:
        return max(self.left + self.inner + self.right, 4.5)

    @cached_property
    def title(self) -> str:
        return fit(self.words.title, self.full - self.left - PAD, LABEL, lines=3)

    @cached_property
    def foot(self) -> str:
        return fit(self.words.foot, self.full - self.left - PAD, FOOT, lines=6)

    @cached_property
    def names(self) -> float:
        """Width of the titles of the legend's groups."""
        return max([text_width(name, NAME) + 0.15 for name, _ in self.words.legend if name], default=0.0)

    @cached_property
    def legend(self) -> list[LegendGroup]:
        return [LegendGroup(name, h, self.full - self.left - PAD - self.names) for name, h in self.words.legend]

    @cached_property
    def note(self) -> float:
        return block_height(["x"], NOTE) if self.words.notes else 0.0

    @cached_property
    def heads(self) -> list[float]:
        return [block_height([self.title], LABEL), *(group.height for group in self.legend)]

    @cached_property
    def top(self) -> float:
        labels = block_height([self.words.column_factor], NAME) + block_height(self.column_labels, LABEL)
        return PAD + sum(self.heads) + labels + self.note

    @cached_property
    def bottom(self) -> float:
        foot = block_height([self.foot], FOOT) + 0.05 * bool(self.foot)
        return PAD + self.words.below + (AXIS if self.words.x else 0) + foot

    @cached_property
    def gap(self) -> float:
        return 0.16 + self.note

    @cached_property
    def tall(self) -> float:
        rows = len(self.words.rows)
        return self.top + rows * self.height + (rows - 1) * self.gap + self.bottom


@dataclass(frozen=True)
class LegendGroup:
    """A group of the legend: texts cut and columns chosen so that it fits into `width` inches."""

    title: str
    handles: Sequence[Any]
    width: float

    HANDLE, SPACE, BETWEEN = 2.2, 0.6, 1.8  # in font sizes: an artist, the gap to its text, and to the next column

    @cached_property
    def texts(self) -> list[str]:
        most = min(3.0, self.width - (self.HANDLE + self.SPACE) * NAME / 72)
        return [fit(handle.get_label(), most, NAME) for handle in self.handles]

    @cached_property
    def columns(self) -> int:
        entry = max(text_width(text, NAME) for text in self.texts) + (self.HANDLE + self.SPACE) * NAME / 72
        gap = self.BETWEEN * NAME / 72
        return min(len(self.handles), max(1, int((self.width + gap) / (entry + gap))))

    @cached_property
    def height(self) -> float:
        return block_height(["\n".join("x" * math.ceil(len(self.handles) / self.columns))], NAME)

    def artist(self, figure: Figure, anchor: tuple[float, float]) -> Legend:
        from matplotlib.legend import Legend

        spacing: dict[str, Any] = {
            "handlelength": self.HANDLE,
            "handletextpad": self.SPACE,
            "columnspacing": self.BETWEEN,
            "labelspacing": 0.3,
            "fontsize": NAME,
            "ncols": self.columns,
        }
        return Legend(figure, self.handles, self.texts, loc="upper left", bbox_to_anchor=anchor, **spacing)


def tick_width(ticks: Sequence[str]) -> float:
    """Return the width of some tick labels."""
    return max(text_width(label, 10) for label in ("0.00", *ticks)) + 0.08
