"""Layout of a figure: the sizes of its panels and of the texts around them.

Sizes are in inches and follow from measured texts: panels keep their shape in every figure, and no label, legend or
note covers the data.
"""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from dlsweep.errors import UsageError
from dlsweep.plots import options, style
from dlsweep.plots.options import Options

HEAD, LABEL, NAME, NOTE, FOOT = 13.0, 11.0, 9.5, 8.5, 8.0  # sizes of text in points, at the normal font size
_CLOSING = (*".,;:!?)]}", "")  # what no line begins with
PAD = 0.12  # inches around the figure
MOST_ACROSS = 5  # panels in a row, if a figure has no rows of panels
GAP = 0.42  # inches between panels: the last tick label of one stays clear of the first of the next
TICKS = 0.22  # inches for the tick labels below the panels
AXIS = 0.24  # inches for the name of an axis

SLIDE = (13.33, 7.5)  # inches: a figure fits into it, text included, and takes its shape
FLATTEST, LOWEST, LEAST = 1 / 3, 2.0, 0.8  # least height of a panel: over its width; for a slide's shape; its size
NARROWEST = 4.5  # inches: a figure
SMALLEST = 0.3  # inches: side of a panel in a figure whose size was given
BAR = 0.16  # inches: width of a colour bar


def block_height(texts: Sequence[str], size: float) -> float:
    """Return the height in inches of the tallest text, with a little room; 0 for empty texts."""
    lines = max((len(text.splitlines()) for text in texts), default=0)
    return lines * 1.25 * points(size) / 72 + 0.06 if lines else 0.0


def fit(text: str, width: float, size: float, lines: int = 1) -> str:
    """Break a text into lines of at most `width` inches, after a space, comma or bracket if possible.

    A text that needs more than `lines` lines ends in an ellipsis.
    """
    done: list[str] = []
    rest = style.plain(text).strip()
    while rest:
        end = len(rest)
        if text_width(rest, size) > width:
            end = max(1, bisect_right(range(1, end + 1), width, key=lambda n: text_width(rest[:n], size)))
            if len(done) == lines - 1:
                while end > 1 and text_width(rest[:end] + "…", size) > width:
                    end -= 1
                return "\n".join([*done, rest[:end].rstrip() + "…"])
            breaks = [i for i in range(end // 3, end) if rest[i] in " ,;/|)]}" and rest[i + 1 : i + 2] not in _CLOSING]
            inside = (i for i in range(1, end + 1) if rest[i:].lstrip()[:1] not in _CLOSING)
            end = breaks[-1] + 1 if breaks else max(inside, default=end)
        done.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return "\n".join(done)


def balanced(text: str, width: float, size: float, lines: int) -> str:
    """Break a text as `fit` does, but into lines that are about as long as each other."""
    found = fit(text, width, size, lines)
    narrower = (fit(text, share * width, size, found.count("\n") + 1) for share in (0.6, 0.7, 0.8, 0.9))
    return next((one for one in narrower if one.split() == found.split()), found)


def under(labels: Sequence[str], width: float) -> tuple[list[str], float, float]:
    """Fit words under marks that are `width` inches apart; return them, their rotation, and their height in inches."""
    level = [fit(label, width - 0.1, NAME, lines=2) for label in labels]
    if all(" ".join(a.split()) == " ".join(b.split()) for a, b in zip(level, labels)):
        return level, 0.0, 0.08 + block_height(level, NAME)
    turned = [fit(label, 2.4, NAME) for label in labels]
    return turned, 90.0, 0.12 + max(text_width(label, NAME) for label in turned)


def points(size: float) -> float:
    """Return the size of a text in points, with the font size that the figure was given."""
    return size * options.current().scale


def text_width(text: str, size: float) -> float:
    """Return the width of a bold text in inches."""
    return _width(text, points(size))


@cache
def _width(text: str, size: float) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a missing character is reported when the figure is saved
        width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size, weight="bold"), False)
    return 1.04 * float(width) / 72  # hinting to whole pixels can make the drawn text a little wider


@dataclass(frozen=True)
class Bar:
    """Colour bar at the right of the figure: its colours (a `ScalarMappable`), its ticks with labels, its name."""

    colours: Any
    ticks: Sequence[float]
    labels: Sequence[str]
    name: str = ""


@dataclass(frozen=True)
class Words:
    """Texts around the panels.

    rows, columns: the levels that label them, ("",) without a factor. legend: groups of artists to explain, each with
    a title. notes: a few words above a panel, such as the number of its runs that diverged. foot: how to read the
    figure. ticks: labels of the y axis; beside: words right of the panels; below: inches for the labels of the x axis.
    head, about: the title of the figure, and the line below. across: panels beside each other on the page, by default
    all of a row. The layout leaves room for all.
    """

    x: str = ""
    y: str = ""
    row_factor: str = ""
    rows: Sequence[str] = ("",)
    column_factor: str = ""
    columns: Sequence[str] = ("",)
    title: str = ""
    legend: Sequence[tuple[str, Sequence[Any]]] = ()
    notes: dict[tuple[int, int], str] = field(default_factory=dict)
    foot: str = ""
    ticks: Sequence[str] = ()
    below: float | None = None
    beside: Sequence[str] = ()
    bar: Bar | None = None
    head: str = ""
    about: str = ""
    across: int | None = None

    @property
    def grid(self) -> tuple[int, int]:
        """Number of rows and columns of panels on the page: many columns without rows take several rows."""
        rows, n = len(self.rows), len(self.columns)
        if rows > 1:
            return rows, n
        across = self.across or math.ceil(n / math.ceil(n / MOST_ACROSS))
        return math.ceil(n / across), across

    def with_options(self, asked: Options) -> Words:
        """Return the texts with the titles and the names of axes that a figure was given."""
        labels: dict[str, Any] = {"x": asked.x_label, "y": asked.y_label, "head": asked.title, "about": asked.subtitle}
        return replace(self, **{name: text for name, text in labels.items() if text is not None})


class Layout:
    """Position of everything, in inches, around panels of a width and a height."""

    def __init__(self, words: Words, width: float, height: float):
        self.words, self.width, self.height = words, width, height
        rows, columns = words.grid
        self.column_labels = [fit(level, width, LABEL, lines=3) for level in words.columns]
        self.row_labels = [fit(level, height, LABEL, lines=2) for level in words.rows]
        self.inner = columns * width + (columns - 1) * GAP
        self.axis = points(AXIS)
        self.below = points(TICKS) if words.below is None else words.below
        self.left = PAD + (self.axis if words.y else 0) + tick_width(words.ticks)
        self.beside = max((text_width(text, NOTE) + 0.1 for text in words.beside), default=0.0)
        labels = self.beside + block_height(self.row_labels, LABEL) + block_height([words.row_factor], NAME)
        bar = BAR + 0.1 + tick_width(words.bar.labels) + self.axis if words.bar else 0.0
        self.full = max(
            self.left + self.inner + max(GAP, PAD + labels) + bar, 0.0 if options.current().size else NARROWEST
        )

        self.head = fit(words.head, self.full - 2 * PAD, HEAD, lines=3)
        self.about = fit(words.about, self.full - 2 * PAD, NOTE, lines=2)
        room = self.full - self.left - PAD  # for a line of text over and under the panels
        self.title = fit(words.title, room, LABEL, lines=3)
        self.foot = fit(words.foot, room, FOOT, lines=6)
        self.names = max((text_width(name, NAME) + 0.15 for name, _ in words.legend if name), default=0.0)
        self.legend = [LegendGroup(name, handles, room - self.names) for name, handles in words.legend]
        self.heads = block_height([self.head], HEAD) + block_height([self.about], NOTE)
        self.heads += 0.08 * bool(self.heads)
        inner = block_height([self.title], LABEL) + sum(group.height for group in self.legend)
        self.note = block_height(["x"], NOTE) if words.notes else 0.0
        labels = block_height([words.column_factor], NAME) + block_height(self.column_labels, LABEL)
        self.top = PAD + self.heads + inner + labels + self.note
        foot = block_height([self.foot], FOOT) + 0.05 * bool(self.foot)
        self.bottom = PAD + self.below + (self.axis if words.x else 0) + foot
        self.gap = 0.16 + self.note
        if rows > len(words.rows):  # each panel has its label
            self.gap += block_height(self.column_labels, LABEL)
        self.tall = self.top + rows * height + (rows - 1) * self.gap + self.bottom

    @staticmethod
    def of(words: Words) -> Layout:
        """Layout that fits a slide: its panels are made lower, then wider, and if need be lower still."""
        rows, columns = words.grid
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

    @staticmethod
    def within(words: Words, size: Sequence[float]) -> Layout:
        """Layout of a figure of a given width and height. A `UsageError` says that its texts need more."""
        wide, tall = size
        width = height = 2.0
        for _ in range(3):  # the lines that texts need follow from the size, and its panels from the lines
            layout = Layout(words, width, height)
            width = max(width + (wide - layout.full) / words.grid[1], 0.1)
            height = max(height + (tall - layout.tall) / words.grid[0], 0.1)
        layout = Layout(words, width, height)
        if layout.full > wide + 0.05 or layout.tall > tall + 0.05 or min(width, height) < SMALLEST:
            raise UsageError(
                f"size must leave room for the texts of this figure, got {wide:g} × {tall:g} inches; "
                "a larger size, fewer panels or a smaller font_size fits"
            )
        layout.full, layout.tall = wide, tall
        return layout

    def lower(self, tall: float, least: float) -> Layout:
        """Make the panels low enough for a figure of some height, but no lower than `least`."""
        height = self.height - (self.tall - tall) / self.words.grid[0]
        return Layout(self.words, self.width, min(self.height, max(height, least)))


class LegendGroup:
    """Group of the legend: texts cut and columns chosen so that it fits into `width` inches."""

    def __init__(self, title: str, handles: Sequence[Any], width: float):
        self.title, self.handles = title, handles
        handle = (style.LEGEND["handlelength"] + style.LEGEND["handletextpad"]) * points(NAME) / 72
        gap = style.LEGEND["columnspacing"] * points(NAME) / 72
        self.texts = [fit(one.get_label(), min(3.0, width - handle), NAME) for one in handles]
        entry = max(text_width(text, NAME) for text in self.texts) + handle
        self.columns = min(len(handles), max(1, int((width + gap) / (entry + gap))))
        self.height = block_height(["\n".join("x" * math.ceil(len(handles) / self.columns))], NAME)


def tick_width(ticks: Sequence[str]) -> float:
    """Return the width of some tick labels."""
    return max(text_width(label, 10) for label in ("0.00", *ticks)) + 0.08
