"""Which classes are taken for which: the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from dlsweep.plots import style
from dlsweep.plots.base import Figure, plots
from dlsweep.plots.drawing import empty
from dlsweep.plots.factors import panel, panel_levels, place, refuse_mixed
from dlsweep.plots.images import Array
from dlsweep.plots.kept import PartialArm, Results, Seed, class_names, load, networks
from dlsweep.plots.panels import LABEL, Words, colour_bar, fit, panels, under
from dlsweep.plots.wording import around, how_ended, seeds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dlsweep.training.model import Model

_ENDS = 0.001, 1  # of the scale


@dataclass(frozen=True)
class Confusion:
    """The counts of the runs of an arm, `(true, predicted)` each; and a note on those that have none."""

    each: Sequence[Array]
    note: str = ""

    @property
    def counts(self) -> Array:
        """The mean over the runs."""
        mean: Array = np.mean(self.each, axis=0)
        return mean

    @property
    def shares(self) -> Array:
        """Of each true class, the share that is taken for each class."""
        total = self.counts.sum(axis=1, keepdims=True)
        shares: Array = np.divide(self.counts, total, out=np.full_like(self.counts, np.nan), where=total > 0)
        return shares


@plots.register
def confusion(
    results: Results,
    *,
    rows: str | None = None,
    columns: str | None = None,
    arm: PartialArm | None = None,
    seed: Seed | None = None,
) -> Figure:
    """The confusion matrix on the test images: a row for each true class, a column for each predicted one.

    results: of a sweep that keeps weights. rows, columns: factors whose levels are the rows and columns of panels. arm:
    levels, such as {activation: relu}, of the arms to show; seed: if not given, the mean over all.

    A cell has the percentage of its row and, where there is room, the number of images. Colours are logarithmic, so
    that mistakes are seen beside what is right; nothing is white. A run without weights does not count.
    """
    runs = networks(results, "confusion", arm, seed)
    placed = place(runs, {"rows": rows, "columns": columns}, ("rows", "columns"))
    matrices: dict[tuple[int, int], Confusion] = {}
    names: list[str] = []
    for cell, levels in panel_levels(runs, placed).items():
        part = panel(runs, placed, *levels)
        refuse_mixed(part, "matrix", ("rows", "columns"))
        models = [model for _, row in part.iterrows() if (model := load(results, dict(row)))]
        names = names or [name for model in models[:1] for name in class_names(model.data)]
        matrices[cell] = Confusion([_counts(model) for model in models], how_ended(part) if len(part) else "no runs")
    words = around(runs, placed)
    words["title"] = ", ".join(filter(None, [words["title"], f"seed {seed}" if seed is not None else ""]))
    return draw(matrices, names, words)


def _counts(model: Model) -> Array:
    """How often each true class was taken for each class, `(true, predicted)`."""
    t, classes = model.data.arrays.t_test, model.data.classes
    taken = np.bincount(t * classes + model.predict(model.data.arrays.x_test), minlength=classes**2)
    return taken.reshape(classes, classes).astype(float)


def draw(matrices: Mapping[tuple[int, int], Confusion], names: Sequence[str], around: Mapping[str, Any]) -> Figure:
    """The figure of some matrices by their places; names: of the classes; around: what is written around them."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    rows, columns = len(around["rows"]), len(around["columns"])
    size = float(np.clip(min(10.6 / columns - 0.42, 5.6 / rows), 1.5, 5.2))
    room = size / max(len(names), 1)
    numbers, counts = room > 0.21, room > 0.4
    step = max(1, ceil(0.2 / room))
    below, turned, high = under(names[::step], step * room + 0.1)
    ticks = [fit(name, 1.6, LABEL) for name in names[::step]]
    shades = ScalarMappable(LogNorm(*_ENDS, clip=True), colormaps["Blues"].with_extremes(bad="white"))
    n = [len(one.each) for one in matrices.values() if one.each]
    foot = [f"Mean of {seeds(n)}."] if max(n, default=1) > 1 else []
    if numbers:
        foot.append("In a cell: percent of its row" + (", and the number of images." if counts else "."))
    words = Words(
        x="predicted",
        y="true",
        **around,
        notes={cell: one.note for cell, one in matrices.items() if one.each and one.note},
        foot=" ".join(foot),
        ticks=ticks,
        below=high,
        bar=("0.1 %", "1 %", "10 %", "100 %"),
    )
    with style.look():
        figure, axes = panels(words, (size, size))
        for cell, one in matrices.items():
            ax = axes[cell]
            ax.grid(False)
            ax.tick_params(length=0)
            for side in ax.spines.values():
                side.set_visible(False)
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
        axes[0, 0].set_yticks(places, ticks)
        for ax in axes[-1]:
            ax.set_xticks(places, below, rotation=turned)
        colour_bar(axes, shades, words, "share of the true class", ticks=[0.001, 0.01, 0.1, 1])
    return figure


def _write(ax: Axes, one: Confusion, room: float, *, counts: bool) -> None:
    """The numbers in the cells, which are `room` inches wide: percent of the row and, if there is room, of images."""
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
