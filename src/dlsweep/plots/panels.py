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


@dataclass(frozen=True)
class Words:
    """What is written around the panels.

    rows, columns: the levels that label them, ("",) without a factor. legend: groups of artists to explain, each with
    a title. notes: a few words above a panel, such as how many of its runs diverged. foot: how to read the figure.
    ticks: the labels of the y axis, for which room is left.
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


def panels(words: Words) -> tuple[Figure, np.ndarray]:
    """An empty figure and its panels, an array `(rows, columns)` of Axes. Call within `style.look()`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows, columns = len(words.rows), len(words.columns)
    width = float(np.clip(8.4 / columns, 1.7, 4.6))
    height = float(np.clip(min(0.72 * width, 9 / rows), 1.45, 3.2))
    column_labels = [fit(level, width, LABEL, lines=3) for level in words.columns]
    row_labels = [fit(level, height, LABEL, lines=2) for level in words.rows]

    inner = columns * width + (columns - 1) * GAP
    left = PAD + AXIS + _tick_width(words.ticks)
    right = max(GAP, PAD + _block(row_labels, LABEL) + _block([words.row_factor], NAME))
    full = max(left + inner + right, 4.5)
    title = fit(words.title, full - left - PAD, LABEL, lines=3)
    foot = fit(words.foot, full - left - PAD, FOOT, lines=6)
    legend = [_Group(name, handles, full - left - PAD - _names(words)) for name, handles in words.legend]
    note = _block(["x"], NOTE) if words.notes else 0.0

    heads = [_block([title], LABEL), *(group.height for group in legend)]
    top = PAD + sum(heads) + _block([words.column_factor], NAME) + _block(column_labels, LABEL) + note
    bottom = PAD + TICKS + AXIS + _block([foot], FOOT) + (0.05 if foot else 0)
    gap = 0.16 + note
    tall = top + rows * height + (rows - 1) * gap + bottom

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
            "wspace": GAP / width,
            "hspace": gap / height,
        },
    )

    def write(x: float, y: float, text: str, size: float, **settings: Any) -> None:
        """Text at inches from the left and from the top."""
        if text:
            figure.text(x / full, 1 - y / tall, text, size=size, linespacing=1.2, **settings)

    middle, centre = left + inner / 2, top + (tall - top - bottom) / 2
    y = PAD
    write(left, y, title, LABEL, va="top", weight="bold")
    y += heads[0]
    for group in legend:
        write(left, y - 0.02, group.title, NAME, va="top", color=style.FAINT)
        figure.add_artist(group.artist(figure, ((left + _names(words)) / full, 1 - y / tall)))
        y += group.height
    write(middle, y, words.column_factor, NAME, va="top", ha="center", color=style.FAINT)
    write(middle, tall - bottom + TICKS, words.x, NAME + 0.5, va="top", ha="center")
    write(PAD, centre, words.y, NAME + 0.5, va="center", rotation=90)
    write(left, tall - PAD, foot, FOOT, va="bottom", color=style.FAINT)
    beside = left + inner + 0.07 + _block(row_labels, LABEL)
    write(beside, centre, words.row_factor, NAME, va="center", rotation=270, color=style.FAINT)
    for ax, label in zip(axes[0], column_labels):
        _beside(ax, label, (0.5, 1), (0, 72 * note + 6), ha="center", va="baseline")
    for ax, label in zip(axes[:, -1], row_labels):
        _beside(ax, label, (1, 0.5), (6, 0), ha="left", va="center", rotation=270)
    for place, text in words.notes.items():
        _beside(
            axes[place], text, (1, 1), (0, 3), ha="right", va="bottom", size=NOTE, color=style.ALARM, weight="normal"
        )
    return figure, axes


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
        entry = max(_width(text, NAME) for text in self.texts) + (self.HANDLE + self.SPACE) * NAME / 72
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
    return max([_width(name, NAME) + 0.15 for name, _ in words.legend if name], default=0.0)


def _tick_width(ticks: Sequence[str]) -> float:
    return max(_width(label, 10) for label in ("0.00", *ticks)) + 0.08


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
        if _width(rest, size) > width:
            end = max(1, next(n for n in range(1, end + 1) if _width(rest[:n], size) > width) - 1)
            if len(done) == lines - 1:
                while end > 1 and _width(rest[:end] + "…", size) > width:
                    end -= 1
                return "\n".join([*done, rest[:end].rstrip() + "…"])
            breaks = [i for i in range(end // 3, end) if rest[i] in " ,;/|)]}"]
            end = breaks[-1] + 1 if breaks else end
        done.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return "\n".join(done)


@cache
def _width(text: str, size: float) -> float:
    """Width in inches, if bold."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a missing character is told when the figure is saved
        width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size, weight="bold"), False)
    return 1.04 * float(width) / 72  # hinting to whole pixels can make the drawn text a little wider
