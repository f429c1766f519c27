"""Grid of panels with shared axes, labelled by the levels of two factors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from dlsweep.errors import UsageError
from dlsweep.plots import options, style
from dlsweep.plots.layout import (
    BAR,
    FOOT,
    GAP,
    HEAD,
    LABEL,
    NAME,
    NOTE,
    PAD,
    TICKS,
    Bar,
    Layout,
    Words,
    block_height,
    points,
    tick_width,
)
from dlsweep.types import Axes, Figure

__all__ = ["GAP", "TICKS", "Bar", "Words", "bare", "beside", "empty", "name_rows", "panels"]


@contextmanager
def panels(words: Words, size: tuple[float, float] | None = None) -> Iterator[tuple[Figure, np.ndarray]]:
    """Provide an empty figure and its panels, an array `(rows, columns)` of Axes, to draw into within the context.

    size: width and height of a panel in inches; by default the figure fits a slide.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    asked = options.current()
    words = words.with_options(asked)
    with style.look():
        lay = Layout.within(words, asked.size) if asked.size else Layout(words, *size) if size else Layout.of(words)
        figure = Figure(figsize=(lay.full, lay.tall))
        figure.set_label(options.LAID_OUT)
        FigureCanvasAgg(figure)
        edges = {
            "left": lay.left / lay.full,
            "right": (lay.left + lay.inner) / lay.full,
            "bottom": lay.bottom / lay.tall,
            "top": 1 - lay.top / lay.tall,
            "wspace": GAP / lay.width,
            "hspace": lay.gap / lay.height,
        }
        page = figure.subplots(*words.grid, sharex=True, sharey=True, squeeze=False, gridspec_kw=edges)
        rows, columns = len(words.rows), len(words.columns)
        axes = page.ravel()[: rows * columns].reshape(rows, columns)
        for ax in page.ravel()[rows * columns :]:
            ax.set_visible(False)
        for ax in page.ravel()[max(0, rows * columns - page.shape[1]) : rows * columns]:
            ax.tick_params(labelbottom=True)  # also where no panel is below
        _write(figure, lay)
        for ax, label in zip(axes[0], lay.column_labels):
            _outside(ax, label, (0.5, 1), (0, 72 * lay.note + 6), ha="center", va="baseline")
        for ax, label in zip(axes[:, -1], lay.row_labels):
            _outside(ax, label, (1, 0.5), (6 + 72 * lay.beside, 0), ha="left", va="center", rotation=270)
        note: dict[str, Any] = {"size": NOTE, "color": style.ALARM, "weight": "normal"}
        for cell, text in words.notes.items():
            _outside(axes[cell], text, (1, 1), (0, 3), ha="right", va="bottom", **note)
        yield figure, axes
        for name, limits in (("x", asked.x_limits), ("y", asked.y_limits)):
            if limits:
                _limit(axes[0, 0], name, limits)
        for ax in axes.flat:
            ax.tick_params(labelsize=points(options.NORMAL))
            for text in (*ax.texts, ax.title, ax._left_title, ax._right_title):
                text.set_size(points(text.get_size()))
        if words.bar:
            _draw_bar(page, words.bar, lay)


def _limit(ax: Axes, name: str, limits: Sequence[float | None]) -> None:
    """Set the ends of the axis x or y of all panels, with ticks at round numbers if they were."""
    from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator

    low, high = limits
    axis = getattr(ax, f"{name}axis")
    log = axis.get_scale() == "log"
    if low == high or (log and any(end is not None and end <= 0 for end in limits)):
        raise UsageError(f"{name}_limits must be two different numbers{' above 0' * log}, got {limits}")
    getattr(ax, f"set_{name}lim")(low, high)
    if not isinstance(axis.get_major_locator(), FixedLocator):
        axis.set_major_locator(LogLocator() if log else MaxNLocator(5))


def _write(figure: Figure, lay: Layout) -> None:
    """Write the texts around all panels, and the legend."""
    from matplotlib.legend import Legend

    words = lay.words

    def write(x: float, y: float, text: str, size: float, **settings: Any) -> None:
        """Write text at a position in inches from the left and from the top."""
        if text:
            figure.text(x / lay.full, 1 - y / lay.tall, text, size=points(size), linespacing=1.2, **settings)

    middle, centre = lay.left + lay.inner / 2, lay.top + (lay.tall - lay.top - lay.bottom) / 2
    bold: dict[str, Any] = {"va": "top", "weight": "bold"}
    write(PAD, PAD, lay.head, HEAD, **bold)
    write(PAD, PAD + block_height([lay.head], HEAD), lay.about, NOTE, va="top", color=style.FAINT)
    y = PAD + lay.heads
    write(lay.left, y, lay.title, LABEL, **bold)
    y += block_height([lay.title], LABEL)
    for group in lay.legend:
        write(lay.left, y - 0.02, group.title, NAME, va="top", color=style.FAINT)
        form: dict[str, Any] = {"loc": "upper left", "fontsize": points(NAME), "ncols": group.columns}
        legend = Legend(figure, group.handles, group.texts, **form)
        legend.set_bbox_to_anchor(((lay.left + lay.names) / lay.full, 1 - y / lay.tall))
        figure.add_artist(legend)
        y += group.height
    write(middle, y, words.column_factor, NAME, va="top", ha="center", color=style.FAINT)
    write(middle, lay.tall - lay.bottom + lay.below, words.x, NAME + 0.5, va="top", ha="center")
    write(PAD, centre, words.y, NAME + 0.5, va="center", rotation=90)
    write(lay.left, lay.tall - PAD, lay.foot, FOOT, va="bottom", color=style.FAINT)
    beside = lay.left + lay.inner + 0.07 + lay.beside + block_height(lay.row_labels, LABEL)
    write(beside, centre, words.row_factor, NAME, va="center", rotation=270, color=style.FAINT)


def _draw_bar(axes: np.ndarray, bar: Bar, lay: Layout) -> None:
    """Draw a colour bar for all panels at the right of the figure."""
    figure, full, tall = axes[0, 0].figure, lay.full, lay.tall
    top, bottom = axes[0, 0].get_position().y1, axes[-1, 0].get_position().y0
    centre, high = (top + bottom) / 2, min(top - bottom, 3.2 / tall)
    left = full - PAD - lay.axis - tick_width(bar.labels) - BAR
    ax = figure.add_axes((left / full, centre - high / 2, BAR / full, high), label="colour bar")
    drawn = figure.colorbar(bar.colours, cax=ax, ticks=bar.ticks)
    drawn.outline.set_visible(False)
    drawn.minorticks_off()
    drawn.set_ticklabels(bar.labels, size=points(options.NORMAL))
    figure.text(1 - PAD / full, centre, bar.name, size=points(NAME + 0.5), va="center", ha="right", rotation=90)


def _outside(ax: Axes, text: str, place: tuple[float, float], points: tuple[float, float], **settings: Any) -> None:
    """Write text outside a panel, some points away from a position on its border."""
    font: dict[str, Any] = {"size": LABEL, "weight": "bold", "linespacing": 1.2, **settings}
    if text:
        ax.annotate(text, place, points, xycoords="axes fraction", textcoords="offset points", **font)


def name_rows(ax: Axes, names: Sequence[str]) -> None:
    """Give a panel a row for each name, the first one above."""
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_yticks(range(len(names)), names)
    ax.grid(False, axis="y")


def beside(ax: Axes, y: float, text: str, **settings: Any) -> None:
    """Write text at the right of a panel, at a height of its data."""
    look: dict[str, Any] = {"size": NOTE, "va": "center", "xycoords": ("axes fraction", "data")}
    ax.annotate(text, (1, y), (6, 0), textcoords="offset points", **{**look, **settings})


def empty(ax: Axes, words: str) -> None:
    """Fill a panel without data with a few words."""
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", color=style.FAINT)
    ax.set_facecolor("#f7f7f7")


def bare(ax: Axes) -> None:
    """Remove the grid, the ticks and the frame of a panel."""
    ax.grid(False)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
