"""A map of the layers over training, or over arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlsweep.analysis.facets import Cell, Facets, arms, refuse_mixed
from dlsweep.analysis.iterations import At, at_iteration, iteration_name
from dlsweep.analysis.layers import last_common, layer_means, layer_names
from dlsweep.errors import UsageError
from dlsweep.plots import captions, style
from dlsweep.plots.axes import short
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.colours import Colours
from dlsweep.plots.fitting import under
from dlsweep.plots.layout import TICKS, Words
from dlsweep.plots.panels import colour_bar, empty, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

SIZES = ("gradient_rms", "weight_norm", "update_ratio")  # are compared by their ratio, on a logarithmic scale
_NAMES = 12  # of layers are written at most


@plots.register(table="layers", places=("rows", "columns"))
def layers(
    facets: Facets,
    *,
    y: Literal[
        "gradient_rms",
        "weight_norm",
        "update_ratio",
        "activation_mean",
        "activation_std",
        "saturated",
        "dead",
        "sparsity",
    ] = "gradient_rms",
    x: Literal["iteration", "arm"] = "iteration",
    at: At = "last",
    log_y: bool | None = None,
) -> Chart:
    """A map of the layers over training, the first one below: the size of gradients, activations, dead units and more.

    rows, columns: factors whose levels are the rows and columns of panels. y: the quantity of the colours, on one scale
    for all panels. log_y: a logarithmic scale, by default for norms, gradients and ratios. x: the iteration; or the
    arms, at the iteration `at` (first, last or a number).

    A colour is the mean over the seeds, on a logarithmic scale the geometric mean. It ends where a run diverged.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"run_id": "a", "arm": "all", "iteration": [0, 9], "layer": "dense1", "dead": [0.0, 0.5]})
    >>> plots["layers"](rows, y="dead").data["dead"].tolist()
    [0.0, 0.5]
    """
    rows = facets.frame
    if not rows["layer"].notna().any():
        raise UsageError("there is nothing to show: no run has measurements of its layers")
    log = y in SIZES if log_y is None else log_y
    depth, around, name = layer_names(rows), captions.around(facets), str(x)
    marks: list[Any]
    if x == "arm":
        frame = at_iteration(rows, at)
        mark, name = arms(frame, (facets.rows, facets.columns))
        frame = frame.assign(mark=mark)
        marks = list(dict.fromkeys(frame["mark"]))
        around = captions.around(facets, iteration_name(frame, at))
    else:
        frame = rows.assign(mark=rows["iteration"])
        marks = sorted(set(frame["mark"].dropna()))
    parts = dict(facets.parts(frame))
    values = {cell: layer_means(part, y, depth, marks, log=log) for cell, part in parts.items()}
    for cell, part in parts.items() if x == "iteration" else ():
        refuse_mixed(part, "map", ("rows", "columns"))
        values[cell][:, np.array(marks) > last_common(part)] = np.nan
    colours = Colours.of(list(values.values()), log=log, centred=y == "activation_mean")
    caption = _caption(parts, values, log=log)
    figure = _draw(parts, values, colours, depth, marks, around, name, y, caption)
    alt = captions.alt(f"Maps of {y.replace('_', ' ')} by layer and {name}", facets)
    return Chart(figure, caption, alt, _data(facets, values, depth, marks, name, y))


def _data(
    facets: Facets, values: Mapping[Cell, np.ndarray], depth: Sequence[str], marks: Sequence[Any], x: str, y: str
) -> DataFrame:
    import pandas as pd

    index = pd.MultiIndex.from_product([depth, marks], names=["layer", x])
    parts = []
    for cell, table in values.items():
        part = pd.DataFrame({y: table.ravel()}, index).reset_index()
        parts.append(part.assign(**facets.levels_at(cell)))
    return pd.concat(parts, ignore_index=True)


def _caption(parts: Mapping[Cell, DataFrame], values: Mapping[Cell, np.ndarray], *, log: bool) -> str:
    """Explain how to read the figure."""
    every = [n for part in parts.values() if (n := part.groupby("arm", observed=True)["run_id"].nunique().max()) > 0]
    mean = "Geometric mean" if log else "Mean"
    words = [f"{mean} of {captions.seeds(map(int, every))}." if max(every) > 1 else "One seed."]
    if any(not np.isfinite(v).all() for v in values.values()):
        words.append("Grey: no value" + (", or a run has diverged." if captions.notes(parts) else "."))
    return " ".join(words)


def _draw(
    parts: Mapping[Cell, DataFrame],
    values: Mapping[Cell, np.ndarray],
    colours: Colours,
    depth: Sequence[str],
    marks: Sequence[Any],
    around: Mapping[str, Any],
    x: str,
    y: str,
    caption: str,
) -> Figure:
    """Draw the maps with their colour bar. marks: the iterations or arms of the columns of a map."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    steps = x == "iteration"
    size = None if steps else (max(2.0, 0.5 * len(marks)), float(np.clip(0.35 * len(depth), 1.4, 3.5)))
    shown = range(0, len(depth), -(-len(depth) // _NAMES))
    names_below, turned, below = ([], 0.0, TICKS) if steps else under(marks, size[0] / len(marks) if size else 1.0)
    words = Words(
        x=x,
        y="layer",
        **around,
        notes=captions.notes(parts),
        foot=caption,
        ticks=[depth[i] for i in shown],
        below=below,
        bar=colours.labels,
    )
    with style.look():
        figure, axes = panels(words, size)
        edges = _edges(np.array(marks, float) if steps else np.arange(len(marks)))
        heights, shades = np.arange(len(depth) + 1) - 0.5, colours.mapping
        for cell, table in values.items():
            ax = axes[cell]
            if not np.isfinite(table).any():
                empty(ax, "no value" if len(parts[cell]) else "no runs")
            ax.pcolormesh(edges, heights, np.ma.masked_invalid(table), cmap=shades.cmap, norm=shades.norm)
            ax.grid(False)
        ax.set_yticks(list(shown), [depth[i] for i in shown])
        if steps:
            ax.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 2.5, 5, 10]))
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
        else:
            ax.set_xticks(range(len(marks)), names_below, rotation=turned)
        colour_bar(axes, shades, words, y.replace("_", " "), ticks=colours.ticks)
    return figure


def _edges(centres: np.ndarray) -> np.ndarray:
    """Return the borders between cells around these centres."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
