"""Confusion matrix on the test images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from types import MappingProxyType
from typing import Any

import numpy as np

from dlsweep.analysis.facets import Cell
from dlsweep.analysis.networks import Confusion, Networks
from dlsweep.plots import captions, style
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.images import Colours
from dlsweep.plots.layout import LABEL, fit, under
from dlsweep.plots.panels import Bar, Words, bare, empty, panels
from dlsweep.text import plural_range
from dlsweep.types import Axes, Figure


@plots.register(table="predictions", places=("rows", "columns"))
def confusion(facets: Networks) -> Chart:
    """Confusion matrix on the test images: a row for each true class, a column for each predicted one.

    rows, columns: factors whose levels are the rows and columns of panels. arm: levels, such as {activation: relu}, of
    the arms to show; seed: by default the mean over all.

    A cell has the percentage of its row and, if there is room, the number of images. Colours are logarithmic, so that
    mistakes are visible beside correct predictions; 0 is white. A run that diverged does not count.

    >>> list(plots["confusion"].settings)[:4]
    ['rows', 'columns', 'arm', 'seed']
    """
    matrices, names = Confusion.panels(facets)
    headings = captions.headings(facets, "" if facets.seed is None else f"seed {facets.seed}")
    ended = {cell: captions.how_ended(part) if len(part) else "no runs" for cell, part in facets}
    figure, caption = draw(matrices, names, headings, ended)
    parts = [(cell, "", one.columns(names)) for cell, one in matrices.items() if one.each]
    data = facets.tidy(parts, ["true", "predicted", "images", "share"])
    return Chart(figure, caption, captions.alt("Confusion matrix on the test images", facets), data)


def draw(
    matrices: Mapping[Cell, Confusion],
    names: Sequence[str],
    headings: Mapping[str, Any],
    ended: Mapping[Cell, str] = MappingProxyType({}),
) -> tuple[Figure, str]:
    """Draw some matrices by their cells; return the figure and its caption.

    names: of the classes; ended: how the runs of each cell ended.
    """
    rows, columns = len(headings["rows"]), len(headings["columns"])
    size = float(np.clip(min(10.6 / columns - 0.42, 5.6 / rows), 1.5, 5.2))
    room = size / max(len(names), 1)
    numbers, counts = room > 0.21, room > 0.4
    step = max(1, ceil(0.2 / room))
    below, turned, high = under(names[::step], step * room + 0.1)
    n = [len(one.each) for one in matrices.values() if one.each]
    caption = [f"Mean of {plural_range(n, 'seed')}."] if max(n, default=1) > 1 else []
    if numbers and n:
        caption.append("In a cell: percent of its row" + (", and the number of images." if counts else "."))
    shades = Colours(0.001, 1, "Blues", log=True, missing="white")
    words = Words(
        x="predicted",
        y="true",
        **headings,
        notes={cell: note for cell, note in ended.items() if matrices[cell].each and note},
        foot=" ".join(caption),
        ticks=[fit(name, 1.6, LABEL) for name in names[::step]],
        below=high,
        bar=Bar(shades.mapping, (0.001, 0.01, 0.1, 1), ("0.1 %", "1 %", "10 %", "100 %"), "share of the true class"),
    )
    edges, centres = np.arange(len(names) + 1), np.arange(0, len(names), step) + 0.5
    with panels(words, (size, size)) as (figure, axes):
        for cell, one in matrices.items():
            bare(axes[cell])
            if not one.each:
                empty(axes[cell], ended[cell] if ended[cell] == "no runs" else f"{ended[cell]}:\nno predictions")
                continue
            shares = np.where(one.shares > 0, one.shares, np.nan)
            shades.mesh(axes[cell], edges, edges, shares, edgecolor="#eeeeee", linewidth=0.5)
            if numbers:
                _write(axes[cell], one, room, counts=counts)
        axes[0, 0].set(xlim=(0, max(len(names), 1)), ylim=(max(len(names), 1), 0))
        axes[0, 0].set_yticks(centres, words.ticks)
        for ax in axes[-1]:
            ax.set_xticks(centres, below, rotation=turned)
    return figure, words.foot


def _write(ax: Axes, one: Confusion, room: float, *, counts: bool) -> None:
    """Write percent of the row and, if there is room, the number of images into cells that are `room` inches wide."""
    size = min(8.5, (20 if counts else 24) * room)
    for (row, column), share in np.ndenumerate(one.shares):
        count = float(one.counts[row, column])
        if count:
            percent = f"{100 * share:.0f}" if share > 0.0995 else f"{100 * share:.1f}"
            common: dict[str, Any] = {"ha": "center", "color": "white" if share > 0.1 else style.INK}
            at = column + 0.5, row + (0.48 if counts else 0.5)
            ax.text(*at, percent + " %" * counts, size=size, va="bottom" if counts else "center", **common)
            if counts:
                ax.text(column + 0.5, row + 0.56, _number(count), size=0.75 * size, va="top", **common)


def _number(count: float) -> str:
    return f"{count:,.0f}" if count == round(count) or count > 10 else f"{count:.1f}"
