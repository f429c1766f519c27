"""A grid of panels with shared axes, labelled by the levels of two factors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from dlsweep.plots import style
from dlsweep.plots.fitting import FOOT, LABEL, NAME, NOTE, block_height
from dlsweep.plots.layout import AXIS, BAR, GAP, PAD, Layout, Words, tick_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@contextmanager
def panels(words: Words, size: tuple[float, float] | None = None) -> Iterator[tuple[Figure, np.ndarray]]:
    """Provide an empty figure and its panels, an array `(rows, columns)` of Axes, to draw into within the context.

    size: width and height of a panel in inches; by default the figure fits a slide.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style.look():
        lay = Layout(words, *size) if size else Layout.of(words)
        figure = Figure(figsize=(lay.full, lay.tall))
        FigureCanvasAgg(figure)
        edges = {
            "left": lay.left / lay.full,
            "right": (lay.left + lay.inner) / lay.full,
            "bottom": lay.bottom / lay.tall,
            "top": 1 - lay.top / lay.tall,
            "wspace": GAP / lay.width,
            "hspace": lay.gap / lay.height,
        }
        rows, columns = len(words.rows), len(words.columns)
        axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False, gridspec_kw=edges)
        _write(figure, lay)
        for ax, label in zip(axes[0], lay.column_labels):
            _outside(ax, label, (0.5, 1), (0, 72 * lay.note + 6), ha="center", va="baseline")
        for ax, label in zip(axes[:, -1], lay.row_labels):
            _outside(ax, label, (1, 0.5), (6 + 72 * lay.beside, 0), ha="left", va="center", rotation=270)
        note: dict[str, Any] = {"size": NOTE, "color": style.ALARM, "weight": "normal"}
        for cell, text in words.notes.items():
            _outside(axes[cell], text, (1, 1), (0, 3), ha="right", va="bottom", **note)
        yield figure, axes


def _write(figure: Figure, lay: Layout) -> None:
    """Write the texts around all panels, and the legend."""
    words = lay.words

    def write(x: float, y: float, text: str, size: float, **settings: Any) -> None:
        """Write text at a position in inches from the left and from the top."""
        if text:
            figure.text(x / lay.full, 1 - y / lay.tall, text, size=size, linespacing=1.2, **settings)

    middle, centre = lay.left + lay.inner / 2, lay.top + (lay.tall - lay.top - lay.bottom) / 2
    write(lay.left, PAD, lay.title, LABEL, va="top", weight="bold")
    y = PAD + lay.heads[0]
    for group in lay.legend:
        write(lay.left, y - 0.02, group.title, NAME, va="top", color=style.FAINT)
        figure.add_artist(group.artist(figure, ((lay.left + lay.names) / lay.full, 1 - y / lay.tall)))
        y += group.height
    write(middle, y, words.column_factor, NAME, va="top", ha="center", color=style.FAINT)
    write(middle, lay.tall - lay.bottom + words.below, words.x, NAME + 0.5, va="top", ha="center")
    write(PAD, centre, words.y, NAME + 0.5, va="center", rotation=90)
    write(lay.left, lay.tall - PAD, lay.foot, FOOT, va="bottom", color=style.FAINT)
    beside = lay.left + lay.inner + 0.07 + lay.beside + block_height(lay.row_labels, LABEL)
    write(beside, centre, words.row_factor, NAME, va="center", rotation=270, color=style.FAINT)


def colour_bar(axes: np.ndarray, colours: Any, words: Words, name: str, **settings: Any) -> None:
    """Draw a colour bar for all panels at the right of the figure; `words.bar` are its labels."""
    figure = axes[0, 0].figure
    full, tall = figure.get_size_inches()
    top, bottom = axes[0, 0].get_position().y1, axes[-1, 0].get_position().y0
    centre, high = (top + bottom) / 2, min(top - bottom, 3.2 / tall)
    left = full - PAD - AXIS - tick_width(words.bar) - BAR
    ax = figure.add_axes((left / full, centre - high / 2, BAR / full, high), label="colour bar")
    bar = figure.colorbar(colours, cax=ax, **settings)
    bar.outline.set_visible(False)
    bar.minorticks_off()
    bar.set_ticklabels(words.bar)
    figure.text(1 - PAD / full, centre, name, size=NAME + 0.5, va="center", ha="right", rotation=90)


def _outside(ax: Axes, text: str, place: tuple[float, float], points: tuple[float, float], **settings: Any) -> None:
    """Write text outside a panel, some points away from a position on its border."""
    font: dict[str, Any] = {"size": LABEL, "weight": "bold", "linespacing": 1.2, **settings}
    if text:
        ax.annotate(text, place, points, xycoords="axes fraction", textcoords="offset points", **font)


def empty(ax: Axes, words: str) -> None:
    """Fill a panel without data with a few words."""
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", color=style.FAINT)
    ax.set_facecolor("#f7f7f7")


def bare(ax: Axes) -> None:
    """Take the grid, the ticks and the frame of a panel away."""
    ax.grid(False)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
