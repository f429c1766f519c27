"""Histograms of the activations or the weights of each layer: a ridge a layer, the first one below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlsweep.analysis.facets import Cell, Facets, refuse_mixed
from dlsweep.analysis.iterations import At, at_iteration, iteration_name
from dlsweep.analysis.layers import Ridge, layer_names, ridge_limits
from dlsweep.errors import UsageError
from dlsweep.plots import captions, style
from dlsweep.plots.axes import short
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.layout import Words
from dlsweep.plots.panels import empty, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

BINS = 60
_MOST = 12  # ridges: of more layers some are left out

Ridges = Mapping[Cell, Mapping[str, Ridge]]


@plots.register(table="layers", places=("rows", "columns"))
def histograms(facets: Facets, *, y: Literal["activation", "weight"] = "activation", at: At = "last") -> Chart:
    """Histograms of the activations or the weights of every layer, one above another, the first layer below.

    rows, columns: factors whose levels are the rows and columns of panels. at: the iteration: first, last, or the one
    with histograms that is nearest to a number.

    Activations are those of the hidden layers. Filled: the mean over the seeds; a thin line is one seed. Bins and axes
    are the same everywhere; a ridge is as high as its highest bin, so heights compare within a ridge only.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"run_id": ["a"], "arm": ["all"], "iteration": [0], "layer": ["dense1"]})
    >>> rows = rows.assign(weight_low=-1.0, weight_high=1.0, weight_histogram=[[1, 2, 1]])
    >>> print(round(plots["histograms"](rows, y="weight").data["share"].sum(), 6))
    1.0
    """
    taken = facets.frame[facets.frame[f"{y}_histogram"].notna()]
    if taken.empty:
        raise UsageError(f"there is nothing to show: there are no histograms of {y}s")
    frame = at_iteration(taken, at)
    depth = layer_names(frame)
    if y == "activation" and len(depth) > 1:
        depth = depth[:-1]  # the last layer's are logits
    depth = depth[:: -(-len(depth) // _MOST)]
    ridges: dict[Cell, dict[str, Ridge]] = {}
    for cell, part in facets.parts(frame):
        refuse_mixed(part, "histogram", ("rows", "columns"))
        there = {str(layer): Ridge.of(own, y) for layer, own in part.groupby("layer", observed=True)}
        ridges[cell] = {layer: there[layer] for layer in depth if layer in there and len(there[layer].shares)}

    every = [ridge for cell in ridges.values() for ridge in cell.values()]
    low, high, cut = ridge_limits(every)
    bins = np.linspace(low, high, BINS + 1)
    n = [len(ridge.shares) for ridge in every]
    seeds = f"Filled: mean of {captions.seeds(n)}; a thin line is one seed." if max(n, default=1) > 1 else "One seed."
    caption = f"{seeds} Each ridge is as high as its highest bin."
    caption += " What lies far beyond the axis is left out." * cut
    parts = dict(facets)
    around = captions.around(facets, iteration_name(frame, at))
    words = Words(x=y, y="layer", **around, notes=captions.notes(parts), foot=caption, ticks=depth)
    figure = _draw(words, ridges, bins, depth, {cell for cell, part in parts.items() if len(part)})
    alt = captions.alt(f"Histograms of {y}s by layer", facets)
    return Chart(figure, caption, alt, _data(facets, ridges, bins))


def _data(facets: Facets, ridges: Ridges, bins: np.ndarray) -> DataFrame:
    import pandas as pd

    parts = [pd.DataFrame(columns=["layer", "low", "high", "share"])]
    for cell, content in ridges.items():
        for layer, ridge in content.items():
            numbers = {"low": bins[:-1], "high": bins[1:], "share": ridge.on(bins).mean(axis=0)}
            parts.append(pd.DataFrame({**facets.levels_at(cell), "layer": layer, **numbers}))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _draw(words: Words, ridges: Ridges, bins: np.ndarray, depth: Sequence[str], there: set[Cell]) -> Figure:
    """Draw the ridges of each panel. there: the panels with runs."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    with style.look():
        figure, axes = panels(words)
        for cell, content in ridges.items():
            for layer, ridge in content.items():
                _draw_ridge(axes[cell], depth.index(layer), bins, ridge.on(bins), layer)
            if not content:
                empty(axes[cell], "no histogram" if cell in there else "no runs")
        ax = axes[0, 0]
        ax.set_xlim(bins[0], bins[-1])
        ax.set_ylim(-0.1, len(depth) + 0.1)
        ax.set_yticks(range(len(depth)), depth)
        ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    return figure


def _draw_ridge(ax: Axes, base: int, bins: np.ndarray, shares: np.ndarray, name: str) -> None:
    """Draw one layer's ridge on its base line; later layers are behind earlier ones."""
    scale = 0.92 / (shares.max() or 1.0)
    look: dict[str, Any] = {"color": style.PALETTE[0], "zorder": 3 - base / 100}
    mean = base + scale * shares.mean(axis=0)
    ax.stairs(mean, bins, baseline=base, fill=True, alpha=0.35, label=f"mean: {name}", **look)
    if len(shares) > 1:
        x, steps = np.repeat(bins, 2), np.pad(np.repeat(shares, 2, axis=1), ((0, 0), (1, 1)))
        gap = np.full((len(shares), 1), np.nan)
        x, y = np.tile(np.append(x, np.nan), len(shares)), np.hstack([base + scale * steps, gap]).ravel()
        ax.plot(x, y, linewidth=0.6, alpha=0.6, label=f"seeds: {name}", **look)
