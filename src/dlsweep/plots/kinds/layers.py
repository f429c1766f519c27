"""Map of the layers over training, or over arms."""

from __future__ import annotations

from typing import Literal

import numpy as np

from dlsweep.analysis.facets import Facets
from dlsweep.analysis.layers import SIZES, At, LayerMaps, Quantity
from dlsweep.plots import captions
from dlsweep.plots.axes import set_ticks
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.images import CENTRED, Colours
from dlsweep.plots.layout import under
from dlsweep.plots.names import factor_name
from dlsweep.plots.panels import Words, empty, panels

_NAMES = 12  # of layers are written at most

_MEANINGS = {
    "gradient_rms": "root mean square of the loss's gradient with respect to the weights",
    "weight_norm": "Euclidean norm of the weights",
    "update_ratio": "norm of a step over the norm of the weights",
    "activation_mean": "mean of the outputs after the activation",
    "activation_std": "standard deviation of the outputs after the activation",
    "saturated": "share of outputs where the activation's slope is at most 0.36 of its maximum",
    "dead": "share of units whose slope is 0 for all images of the minibatch",
    "sparsity": "share of weights within ±0.001",
}


@plots.register(table="layers", places=("rows", "columns"))
def layers(
    facets: Facets,
    *,
    y: Quantity = "gradient_rms",
    x: Literal["iteration", "arm"] = "iteration",
    at: At = "last",
    log_y: bool | None = None,
) -> Chart:
    """Map of the layers over training, the first one below: the size of gradients, activations, dead units and more.

    rows, columns: factors whose levels are the rows and columns of panels. y: the quantity of the colours, on one scale
    for all panels. log_y: a logarithmic scale, by default for norms, gradients and ratios. x: the iteration; or the
    arms, at one iteration. at: this iteration, first, last or a number.

    A colour is the mean over the seeds, on a logarithmic scale the geometric mean. It ends where a run diverged.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"run_id": "a", "arm": "all", "iteration": [0, 9], "layer": "dense1", "dead": [0.0, 0.5]})
    >>> plots["layers"](rows, y="dead").data["dead"].tolist()
    [0.0, 0.5]
    """
    log = y in SIZES if log_y is None else log_y
    maps = LayerMaps.of(facets, y, x, at, log=log)
    colours = Colours.of([*maps.values.values()], CENTRED if y == "activation_mean" else "viridis", log=log)
    layers, marks, steps = maps.layers, maps.marks, x == "iteration"
    size = None if steps else (max(2.0, 0.5 * len(marks)), float(np.clip(0.35 * len(layers), 1.4, 3.5)))
    names, turned, below = under(marks, size[0] / len(marks)) if size else ([], 0.0, None)
    words = Words(
        x=factor_name(maps.x),
        y="layer",
        **captions.headings(facets, maps.when),
        notes=captions.notes(maps.parts),
        foot=_caption(maps, y, log=log),
        ticks=layers[:: -(-len(layers) // _NAMES)],
        below=below,
        bar=colours.bar(y.replace("_", " ")),
    )
    with panels(words, size) as (figure, axes):
        edges = _edges(np.array(marks, float) if steps else np.arange(len(marks)))
        for cell, table in maps.values.items():
            if not np.isfinite(table).any():
                empty(axes[cell], "no value" if len(maps.parts[cell]) else "no runs")
            colours.mesh(axes[cell], edges, np.arange(len(layers) + 1) - 0.5, table)
            axes[cell].grid(False)
        axes[0, 0].set_yticks([layers.index(name) for name in words.ticks], words.ticks)
        for ax in axes[-1]:
            set_ticks(ax.xaxis, whole=True) if steps else ax.set_xticks(range(len(marks)), names, rotation=turned)
    alt = captions.alt(f"Maps of {y.replace('_', ' ')} by layer and {maps.x}", facets)
    return Chart(figure, words.foot, alt, facets.tidy(maps.columns(y), []))


def _caption(maps: LayerMaps, y: str, *, log: bool) -> str:
    """Explain how to read the figure."""
    words = [f"{y.replace('_', ' ').capitalize()}: {_MEANINGS[y]}."]
    words.append(captions.plain_mean(maps.seeds, "Geometric mean" if log else "Mean"))
    if any(not np.isfinite(values).all() for values in maps.values.values()):
        words.append("Grey: no value" + (", or a run has diverged." if captions.notes(maps.parts) else "."))
    return " ".join(words)


def _edges(centres: np.ndarray) -> np.ndarray:
    """Return the borders between cells around these centres."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
