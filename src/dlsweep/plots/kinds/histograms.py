"""Histograms of the activations or the weights of each layer: a ridge per layer, the first one below."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from dlsweep.analysis.facets import Facets
from dlsweep.analysis.layers import At, Ridges
from dlsweep.plots import captions, style
from dlsweep.plots.axes import set_ticks, short
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.panels import Words, empty, panels
from dlsweep.types import Axes


@plots.register(table="layers", places=("rows", "columns"))
def histograms(facets: Facets, *, y: Literal["activation", "weight"] = "activation", at: At = "last") -> Chart:
    """Histograms of the activations or the weights of every layer, one above another, the first layer below.

    y: activations or weights. rows, columns: factors whose levels are the rows and columns of panels. at: the
    iteration: first, last, or the one with histograms that is nearest to a number.

    Activations are those of the hidden layers. Filled: the mean over the seeds; a thin line is one seed. Bins and axes
    are the same everywhere; a ridge is as high as its highest bin, so heights compare within a ridge only.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"run_id": ["a"], "arm": ["all"], "iteration": [0], "layer": ["dense1"]})
    >>> rows = rows.assign(weight_low=-1.0, weight_high=1.0, weight_histogram=[[1, 2, 1]])
    >>> print(round(plots["histograms"](rows, y="weight").data["share"].sum(), 6))
    1.0
    """
    ridges, parts = Ridges.of(facets, y, at), dict(facets)
    layers, bins = ridges.layers, ridges.bins
    caption = captions.plain_mean(ridges.seeds, "Filled: mean", "; a thin line is one seed")
    caption += f" Each ridge is as high as its highest bin.{_beyond(ridges)}"
    headings = captions.headings(facets, ridges.when)
    words = Words(x=y, y="layer", **headings, notes=captions.notes(parts), foot=caption, ticks=layers)
    with panels(words) as (figure, axes):
        for cell, panel in ridges.panels.items():
            for layer, ridge in panel.items():
                _draw_ridge(axes[cell], layers.index(layer), bins, ridge.on(bins), layer)
            if not panel:
                empty(axes[cell], "no histogram" if len(parts[cell]) else "no runs")
        axes[0, 0].set(xlim=(bins[0], bins[-1]), ylim=(-0.1, len(layers) + 0.1))
        axes[0, 0].set_yticks(range(len(layers)), layers)
        set_ticks(axes[0, 0].xaxis)
    alt = captions.alt(f"Histograms of {y}s by layer", facets)
    return Chart(figure, caption, alt, facets.tidy(ridges.columns(), ["layer", "low", "high", "share"]))


def _beyond(ridges: Ridges) -> str:
    """Tell which values lie beyond the axis, if some do."""
    every = [ridge for panel in ridges.panels.values() for ridge in panel.values()]
    if not every:
        return ""
    low, high = min(r.edges.min() for r in every), max(r.edges.max() for r in every)
    shares = [1 - ridge.on(ridges.bins).sum(axis=1).min() for ridge in every]
    if max(shares) < 1e-9:
        return ""
    values = f"{short(low, 2)} to {short(high, 2)}"
    return f" At most {100 * max(shares):.1g} % of a layer's values lie beyond the axis; all are within {values}."


def _draw_ridge(ax: Axes, base: int, bins: np.ndarray, shares: np.ndarray, name: str) -> None:
    """Draw one layer's ridge on its base line; later layers are behind earlier ones."""
    scale = 0.92 / (shares.max() or 1.0)
    common: dict[str, Any] = {"color": style.PALETTE[0], "zorder": 3 - base / 100}
    mean = base + scale * shares.mean(axis=0)
    ax.stairs(mean, bins, baseline=base, fill=True, alpha=0.35, label=f"mean: {name}", **common)
    if len(shares) > 1:
        x, steps = np.repeat(bins, 2), np.pad(np.repeat(shares, 2, axis=1), ((0, 0), (1, 1)))
        gap = np.full((len(shares), 1), np.nan)
        x, y = np.tile(np.append(x, np.nan), len(shares)), np.hstack([base + scale * steps, gap]).ravel()
        ax.plot(x, y, linewidth=0.6, alpha=0.6, label=f"seeds: {name}", **common)
