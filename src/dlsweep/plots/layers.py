"""What goes on in the layers while a network learns: a map of layers over training, or over arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from dlsweep.errors import UsageError
from dlsweep.plots import style
from dlsweep.plots.base import DataFrame, Figure, plots
from dlsweep.plots.drawing import empty
from dlsweep.plots.factors import arms, panel, panel_levels, place, refuse_mixed
from dlsweep.plots.maps import Colours
from dlsweep.plots.moments import At, at_iteration, moment_name
from dlsweep.plots.panels import TICKS, Words, colour_bar, panels, under
from dlsweep.plots.scales import short
from dlsweep.plots.wording import around, how_ended, seeds

SIZES = ("gradient_rms", "weight_norm", "update_ratio")  # are compared by their ratio, on a logarithmic scale
_NAMES = 12  # of layers are written at most


@plots.register
def layers(
    layers: DataFrame,
    *,
    rows: str | None = None,
    columns: str | None = None,
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
) -> Figure:
    """A map of the layers over training, the first one below: the size of gradients, activations, dead units and more.

    layers: the table `layers/`. rows, columns: factors whose levels are the rows and columns of panels. y: what the
    colours mean, on one scale for all panels; log_y: a logarithmic one, if not given for norms, gradients and ratios.
    x: the iteration; or the arms, at the iteration `at` (first, last or a number).

    A colour is the mean over the seeds, on a logarithmic scale the geometric one. It ends where a run diverged.
    """
    if not layers["layer"].notna().any():
        raise UsageError("there is nothing to show: no run has measurements of its layers")
    placed = place(layers, {"rows": rows, "columns": columns, "x": x}, ("rows", "columns"))
    log = y in SIZES if log_y is None else log_y
    depth = list(dict.fromkeys(layers["layer"].dropna().astype(str)))
    title = around(layers, placed)
    if x == "arm":
        frame = at_iteration(layers, at)
        mark, name = arms(frame, (placed.rows, placed.columns))
        frame = frame.assign(mark=mark)
        marks = list(dict.fromkeys(frame["mark"]))
        title["title"] = ", ".join(filter(None, [title["title"], moment_name(frame, at)]))
    else:
        frame, name = layers.assign(mark=layers["iteration"]), x
        marks = sorted(set(frame["mark"].dropna()))

    parts = {cell: panel(frame, placed, *names) for cell, names in panel_levels(layers, placed).items()}
    values = {cell: _means(part, y, depth, marks, log=log) for cell, part in parts.items()}
    if x == "iteration":
        for cell, part in parts.items():
            refuse_mixed(part, "map", ("rows", "columns"))
            values[cell][:, np.array(marks) > _end(part)] = np.nan
    colours = Colours.of(list(values.values()), log=log, centred=y == "activation_mean")
    return _draw(parts, values, colours, depth, marks, title, name, y)


def _means(part: DataFrame, y: str, depth: Sequence[str], marks: Sequence[Any], *, log: bool) -> np.ndarray:
    """Means over the seeds, `(layers, marks)`, geometric ones if log; NaN where there is none."""
    value = part[y].astype(np.float64)
    with np.errstate(divide="ignore"):  # the mean of a gradient that is 0 is 0
        value = value.map(np.log) if log else value
    means = value.groupby([part["layer"].astype(str), part["mark"]]).mean().unstack()
    table: np.ndarray = means.reindex(index=list(depth), columns=list(marks)).to_numpy(np.float64, copy=True)
    return np.exp(table) if log else table


def _end(part: DataFrame) -> float:
    """The last iteration that every run has which diverged; infinite if none did."""
    if "status" not in part:
        return float("inf")
    last = part.loc[part["status"] == "diverged"].groupby("run_id", observed=True)["iteration"].max()
    return float(last.fillna(-1).min()) if len(last) else float("inf")


def _draw(
    parts: Mapping[tuple[int, int], DataFrame],
    values: Mapping[tuple[int, int], np.ndarray],
    colours: Colours,
    depth: Sequence[str],
    marks: Sequence[Any],
    title: dict[str, Any],
    x: str,
    y: str,
) -> Figure:
    """The maps with their colour bar. marks: what the columns of a map stand for."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    steps = x == "iteration"
    size = None if steps else (max(2.0, 0.5 * len(marks)), float(np.clip(0.35 * len(depth), 1.4, 3.5)))
    shown = range(0, len(depth), -(-len(depth) // _NAMES))
    every = [n for part in parts.values() if (n := part.groupby("arm", observed=True)["run_id"].nunique().max()) > 0]
    words_below, turned, below = ([], 0.0, TICKS) if steps else under(marks, size[0] / len(marks) if size else 1.0)
    mean = "Geometric mean" if colours.log else "Mean"
    foot = [f"{mean} of {seeds(map(int, every))}." if max(every) > 1 else "One seed."]
    if any(not np.isfinite(v).all() for v in values.values()):
        foot.append("Grey: no value" + (", or a run has diverged." if any(map(how_ended, parts.values())) else "."))
    words = Words(
        x=x,
        y="layer",
        **title,
        notes={cell: note for cell, part in parts.items() if (note := how_ended(part))},
        foot=" ".join(foot),
        ticks=[depth[i] for i in shown],
        below=below,
        bar=colours.labels,
    )
    with style.look():
        figure, axes = panels(words, size)
        for cell, table in values.items():
            ax = axes[cell]
            if not np.isfinite(table).any():
                empty(ax, "no value" if len(parts[cell]) else "no runs")
            edges = _edges(np.array(marks, float) if steps else np.arange(len(marks)))
            shades = colours.mapping.cmap, colours.mapping.norm
            ax.pcolormesh(
                edges, np.arange(len(depth) + 1) - 0.5, np.ma.masked_invalid(table), cmap=shades[0], norm=shades[1]
            )
            ax.grid(False)
        ax.set_yticks(list(shown), [depth[i] for i in shown])
        if steps:
            ax.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 2.5, 5, 10]))
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
        else:
            ax.set_xticks(range(len(marks)), words_below, rotation=turned)
        colour_bar(axes, colours.mapping, words, y.replace("_", " "), ticks=colours.ticks)
    return figure


def _edges(centres: np.ndarray) -> np.ndarray:
    """The borders between cells around these centres."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
