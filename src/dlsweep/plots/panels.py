"""A grid of panels with shared axes, labelled by the levels of two factors.

Sizes are in inches and follow from measured texts: panels keep their shape in every figure, and no label, legend or
note ever lies on the data.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dlsweep.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

LABEL, NAME, NOTE, FOOT = 11.0, 9.5, 8.5, 8.0  # sizes of text in points
PAD = 0.12  # inches around the figure
GAP = 0.42  # inches between panels: the last tick label of one stays clear of the first of the next
TICKS = 0.22  # inches for the tick labels below the panels
AXIS = 0.24  # inches for the name of an axis


SLIDE = (13.33, 7.5)  # inches: what a figure fits into as it is, text and all, and whose shape it takes
FLATTEST, LOWEST, LEAST = 1 / 3, 1.3, 0.8  # of a panel: height over width; height that a slide's shape, its size asks
BAR = 0.16  # inches: width of a colour bar


@dataclass(frozen=True)
class Words:
    """What is written around the panels.

    rows, columns: the levels that label them, ("",) without a factor. legend: groups of artists to explain, each with
    a title. notes: a few words above a panel, such as how many of its runs diverged. foot: how to read the figure.
    Room is left for the labels of the y axis (ticks), for words right of the panels (beside), for those of a colour bar
    (bar), and below the x axis, in inches.
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
class _Layout:
    """Where everything lies, in inches, around panels of a width and a height."""

    words: Words
    width: float
    height: float

    @staticmethod
    def of(words: Words) -> _Layout:
        """The layout that fits a slide: its panels are made lower, then wider, and if need be lower still."""
        rows, columns = len(words.rows), len(words.columns)
        width = float(np.clip(8.4 / columns, 1.7, 4.6))
        start = float(np.clip(0.72 * width, 1.45, 3.2))
        shape = SLIDE[1] / SLIDE[0]
        layout = _Layout(words, width, start)
        layout = layout.lower(shape * layout.full, LOWEST)
        wider = min(layout.tall / shape, SLIDE[0]) - layout.full
        if wider > 0:
            width = max(width, min(width + wider / columns, layout.height / FLATTEST))
            layout = _Layout(words, width, start)
            layout = layout.lower(shape * layout.full, min(start, LOWEST))
        return layout.lower(SLIDE[1], LEAST) if rows > 1 else layout

    def lower(self, tall: float, least: float) -> _Layout:
        """With panels low enough for a figure that is so tall, but no lower than `least`."""
        height = self.height - (self.tall - tall) / len(self.words.rows)
        return _Layout(self.words, self.width, min(self.height, max(height, least)))

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
        return PAD + (AXIS if self.words.y else 0) + _tick_width(self.words.ticks)

    @cached_property
    def beside(self) -> float:
        """For words beside the panels."""
        return max((text_width(text, NOTE) + 0.1 for text in self.words.beside), default=0.0)

    @cached_property
    def bar(self) -> float:
        """For a colour bar with its labels and its name."""
        return BAR + 0.1 + _tick_width(self.words.bar) + AXIS if self.words.bar else 0.0

    @cached_property
    def right(self) -> float:
        labels = self.beside + _block(self.row_labels, LABEL) + _block([self.words.row_factor], NAME)
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
    def legend(self) -> list[_Group]:
        return [_Group(name, h, self.full - self.left - PAD - _names(self.words)) for name, h in self.words.legend]

    @cached_property
    def note(self) -> float:
        return _block(["x"], NOTE) if self.words.notes else 0.0

    @cached_property
    def heads(self) -> list[float]:
        return [_block([self.title], LABEL), *(group.height for group in self.legend)]

    @cached_property
    def top(self) -> float:
        labels = _block([self.words.column_factor], NAME) + _block(self.column_labels, LABEL)
        return PAD + sum(self.heads) + labels + self.note

    @cached_property
    def bottom(self) -> float:
        return (
            PAD + self.words.below + (AXIS if self.words.x else 0) + _block([self.foot], FOOT) + 0.05 * bool(self.foot)
        )

    @cached_property
    def gap(self) -> float:
        return 0.16 + self.note

    @cached_property
    def tall(self) -> float:
        rows = len(self.words.rows)
        return self.top + rows * self.height + (rows - 1) * self.gap + self.bottom


def panels(words: Words, size: tuple[float, float] | None = None) -> tuple[Figure, np.ndarray]:
    """An empty figure and its panels, an array `(rows, columns)` of Axes. Call within `style.look()`.

    size: of a panel, width and height in inches; if not given, so that the figure fits a slide.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows, columns = len(words.rows), len(words.columns)
    lay = _Layout(words, *size) if size else _Layout.of(words)
    left, inner, top, bottom, full, tall = lay.left, lay.inner, lay.top, lay.bottom, lay.full, lay.tall

    figure = Figure(figsize=(full, tall))
    FigureCanvasAgg(figure)
    axes = figure.subplots(
        rows,
        columns,
        sharex=True,
        sharey=True,
        squeeze=False,
        gridspec_kw={
            "left": left / full,
            "right": (left + inner) / full,
            "bottom": bottom / tall,
            "top": 1 - top / tall,
            "wspace": GAP / lay.width,
            "hspace": lay.gap / lay.height,
        },
    )

    def write(x: float, y: float, text: str, size: float, **settings: Any) -> None:
        """Text at inches from the left and from the top."""
        if text:
            figure.text(x / full, 1 - y / tall, text, size=size, linespacing=1.2, **settings)

    middle, centre = left + inner / 2, top + (tall - top - bottom) / 2
    y = PAD
    write(left, y, lay.title, LABEL, va="top", weight="bold")
    y += lay.heads[0]
    for group in lay.legend:
        write(left, y - 0.02, group.title, NAME, va="top", color=style.FAINT)
        figure.add_artist(group.artist(figure, ((left + _names(words)) / full, 1 - y / tall)))
        y += group.height
    write(middle, y, words.column_factor, NAME, va="top", ha="center", color=style.FAINT)
    write(middle, tall - bottom + words.below, words.x, NAME + 0.5, va="top", ha="center")
    write(PAD, centre, words.y, NAME + 0.5, va="center", rotation=90)
    write(left, tall - PAD, lay.foot, FOOT, va="bottom", color=style.FAINT)
    beside = left + inner + 0.07 + lay.beside + _block(lay.row_labels, LABEL)
    write(beside, centre, words.row_factor, NAME, va="center", rotation=270, color=style.FAINT)
    for ax, label in zip(axes[0], lay.column_labels):
        _beside(ax, label, (0.5, 1), (0, 72 * lay.note + 6), ha="center", va="baseline")
    for ax, label in zip(axes[:, -1], lay.row_labels):
        _beside(ax, label, (1, 0.5), (6 + 72 * lay.beside, 0), ha="left", va="center", rotation=270)
    for place, text in words.notes.items():
        _beside(
            axes[place], text, (1, 1), (0, 3), ha="right", va="bottom", size=NOTE, color=style.ALARM, weight="normal"
        )
    return figure, axes


def colour_bar(axes: np.ndarray, colours: Any, words: Words, name: str, **settings: Any) -> None:
    """A colour bar for all panels at the right of the figure, in the room that `words.bar`, its labels, has left."""
    figure = axes[0, 0].figure
    full, tall = figure.get_size_inches()
    top, bottom = axes[0, 0].get_position().y1, axes[-1, 0].get_position().y0
    centre, high = (top + bottom) / 2, min(top - bottom, 3.2 / tall)
    left = full - PAD - AXIS - _tick_width(words.bar) - BAR
    ax = figure.add_axes((left / full, centre - high / 2, BAR / full, high), label="colour bar")
    bar = figure.colorbar(colours, cax=ax, **settings)
    bar.outline.set_visible(False)
    bar.minorticks_off()
    bar.set_ticklabels(words.bar)
    figure.text(1 - PAD / full, centre, name, size=NAME + 0.5, va="center", ha="right", rotation=90)


def _beside(ax: Axes, text: str, place: tuple[float, float], points: tuple[float, float], **settings: Any) -> None:
    """Text outside a panel, some points away from a place on its border."""
    look: dict[str, Any] = {"size": LABEL, "weight": "bold", "linespacing": 1.2, **settings}
    if text:
        ax.annotate(text, place, points, xycoords="axes fraction", textcoords="offset points", **look)


@dataclass(frozen=True)
class _Group:
    """A group of the legend, its texts cut and its columns counted so that it fits into `width` inches."""

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
        return _block(["\n".join("x" * math.ceil(len(self.handles) / self.columns))], NAME)

    def artist(self, figure: Figure, anchor: tuple[float, float]) -> Legend:
        from matplotlib.legend import Legend

        look: dict[str, Any] = {
            "handlelength": self.HANDLE,
            "handletextpad": self.SPACE,
            "columnspacing": self.BETWEEN,
            "labelspacing": 0.3,
            "fontsize": NAME,
            "ncols": self.columns,
        }
        return Legend(figure, self.handles, self.texts, loc="upper left", bbox_to_anchor=anchor, **look)


def _names(words: Words) -> float:
    """Inches for the titles of the legend's groups."""
    return max([text_width(name, NAME) + 0.15 for name, _ in words.legend if name], default=0.0)


def _tick_width(ticks: Sequence[str]) -> float:
    return max(text_width(label, 10) for label in ("0.00", *ticks)) + 0.08


def _block(texts: Sequence[str], size: float) -> float:
    """Height in inches that the tallest of the texts needs, with a little room; none for empty texts."""
    lines = max(len(text.splitlines()) for text in texts)
    return lines * 1.25 * size / 72 + 0.06 if lines else 0.0


def fit(text: str, width: float, size: float, lines: int = 1) -> str:
    """The text broken into lines of at most `width` inches, after a space, comma or bracket where there is one. What
    does not fit into so many lines is cut off with an ellipsis."""
    done: list[str] = []
    rest = style.plain(text).strip()
    while rest:
        end = len(rest)
        if text_width(rest, size) > width:
            end = max(1, next(n for n in range(1, end + 1) if text_width(rest[:n], size) > width) - 1)
            if len(done) == lines - 1:
                while end > 1 and text_width(rest[:end] + "…", size) > width:
                    end -= 1
                return "\n".join([*done, rest[:end].rstrip() + "…"])
            breaks = [i for i in range(end // 3, end) if rest[i] in " ,;/|)]}"]
            end = breaks[-1] + 1 if breaks else end
        done.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return "\n".join(done)


def under(labels: Sequence[str], width: float) -> tuple[list[str], float, float]:
    """Words under marks that are `width` inches apart: cut to fit, their rotation, and the inches that they need."""
    level = [fit(label, width - 0.1, NAME, lines=2) for label in labels]
    if all(" ".join(a.split()) == " ".join(b.split()) for a, b in zip(level, labels)):
        return level, 0.0, 0.08 + _block(level, NAME)
    turned = [fit(label, 2.4, NAME) for label in labels]
    return turned, 90.0, 0.12 + max(text_width(label, NAME) for label in turned)


@cache
def text_width(text: str, size: float) -> float:
    """Width in inches, if bold."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a missing character is told when the figure is saved
        width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size, weight="bold"), False)
    return 1.04 * float(width) / 72  # hinting to whole pixels can make the drawn text a little wider
