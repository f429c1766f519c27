"""The confusion matrix on the test images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from dlsweep.analysis.facets import Cell, refuse_mixed
from dlsweep.analysis.networks import Confusion, Networks, class_names, confusion_counts
from dlsweep.plots import captions, style
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.fitting import LABEL, fit, under
from dlsweep.plots.layout import Words
from dlsweep.plots.panels import bare, colour_bar, empty, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

_ENDS = 0.001, 1  # of the scale


@plots.register(table="networks", places=("rows", "columns"))
def confusion(facets: Networks) -> Chart:
    """The confusion matrix on the test images: a row for each true class, a column for each predicted one.

    rows, columns: factors whose levels are the rows and columns of panels. arm: levels, such as {activation: relu}, of
    the arms to show; seed: by default the mean over all.

    A cell has the percentage of its row and, if there is room, the number of images. Colours are logarithmic, so that
    mistakes are visible beside correct predictions; 0 is white. A run without weights does not count.

    >>> list(plots["confusion"].settings)
    ['rows', 'columns', 'arm', 'seed']
    """
    matrices: dict[Cell, Confusion] = {}
    names: list[str] = []
    for cell, part in facets:
        refuse_mixed(part, "matrix", ("rows", "columns"))
        models = [model for _, row in part.iterrows() if (model := facets.load(dict(row)))]
        names = names or [name for model in models[:1] for name in class_names(model.data)]
        note = captions.how_ended(part) if len(part) else "no runs"
        matrices[cell] = Confusion([confusion_counts(model) for model in models], note)
    around = captions.around(facets, "" if facets.seed is None else f"seed {facets.seed}")
    figure, caption = draw(matrices, names, around)
    alt = captions.alt("Confusion matrix on the test images", facets)
    return Chart(figure, caption, alt, _data(facets, matrices, names))


def _data(facets: Networks, matrices: Mapping[Cell, Confusion], names: Sequence[str]) -> DataFrame:
    import pandas as pd

    index = pd.MultiIndex.from_product([names, names], names=["true", "predicted"])
    parts = [pd.DataFrame(columns=["true", "predicted", "images", "share"])]
    for cell, one in matrices.items():
        if one.each:
            part = pd.DataFrame({"images": one.counts.ravel(), "share": one.shares.ravel()}, index).reset_index()
            parts.append(part.assign(**facets.levels_at(cell)))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def draw(matrices: Mapping[Cell, Confusion], names: Sequence[str], around: Mapping[str, Any]) -> tuple[Figure, str]:
    """Draw some matrices by their cells; return the figure and its caption. names: of the classes."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    rows, columns = len(around["rows"]), len(around["columns"])
    size = float(np.clip(min(10.6 / columns - 0.42, 5.6 / rows), 1.5, 5.2))
    room = size / max(len(names), 1)
    numbers, counts = room > 0.21, room > 0.4
    step = max(1, ceil(0.2 / room))
    below, turned, high = under(names[::step], step * room + 0.1)
    shades = ScalarMappable(LogNorm(*_ENDS, clip=True), colormaps["Blues"].with_extremes(bad="white"))
    n = [len(one.each) for one in matrices.values() if one.each]
    caption = [f"Mean of {captions.seeds(n)}."] if max(n, default=1) > 1 else []
    if numbers:
        caption.append("In a cell: percent of its row" + (", and the number of images." if counts else "."))
    words = Words(
        x="predicted",
        y="true",
        **around,
        notes={cell: one.note for cell, one in matrices.items() if one.each and one.note},
        foot=" ".join(caption),
        ticks=[fit(name, 1.6, LABEL) for name in names[::step]],
        below=high,
        bar=("0.1 %", "1 %", "10 %", "100 %"),
    )
    with style.look():
        figure, axes = panels(words, (size, size))
        for cell, one in matrices.items():
            ax = axes[cell]
            bare(ax)
            if not one.each:
                empty(ax, one.note if one.note == "no runs" else f"{one.note}:\nno weights")
                continue
            shares = np.ma.masked_equal(np.ma.masked_invalid(one.shares), 0)
            ax.pcolormesh(shares, cmap=shades.cmap, norm=shades.norm, edgecolor="#eeeeee", linewidth=0.5)
            if numbers:
                _write(ax, one, room, counts=counts)
        places = np.arange(0, len(names), step) + 0.5
        axes[0, 0].set_xlim(0, max(len(names), 1))
        axes[0, 0].set_ylim(max(len(names), 1), 0)
        axes[0, 0].set_yticks(places, words.ticks)
        for ax in axes[-1]:
            ax.set_xticks(places, below, rotation=turned)
        colour_bar(axes, shades, words, "share of the true class", ticks=[0.001, 0.01, 0.1, 1])
    return figure, words.foot


def _write(ax: Axes, one: Confusion, room: float, *, counts: bool) -> None:
    """Write percent of the row and, if there is room, the number of images into cells that are `room` inches wide."""
    size = min(8.5, (20 if counts else 24) * room)
    for (row, column), share in np.ndenumerate(one.shares):
        count = float(one.counts[row, column])
        if count:
            percent = f"{100 * share:.0f}" if share > 0.0995 else f"{100 * share:.1f}"
            look: dict[str, Any] = {"ha": "center", "color": "white" if share > 0.1 else style.INK}
            at = column + 0.5, row + (0.48 if counts else 0.5)
            ax.text(*at, percent + " %" * counts, size=size, va="bottom" if counts else "center", **look)
            if counts:
                ax.text(column + 0.5, row + 0.56, _number(count), size=0.75 * size, va="top", **look)


def _number(count: float) -> str:
    return f"{count:,.0f}" if count == round(count) or count > 10 else f"{count:.1f}"
