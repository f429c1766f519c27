"""Measurements of layers: means over the seeds, and histograms on common bins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge

from dlsweep.analysis.facets import Cell, Facets, arms, refuse_mixed
from dlsweep.errors import UsageError
from dlsweep.types import DataFrame

At = Literal["first", "last"] | Annotated[int, Ge(0)]  # a measured iteration of each run
Quantity = Literal[
    "gradient_rms", "weight_norm", "update_ratio", "activation_mean", "activation_std", "saturated", "dead", "sparsity"
]
SIZES = ("gradient_rms", "weight_norm", "update_ratio")  # are compared by their ratio, on a logarithmic scale
BINS = 60
_MOST = 12  # ridges: of more layers some are left out
_BEYOND = 0.005  # the share of a ridge below its low end, and above its high end
_FAR = 8.0  # times the usual reach of a ridge: values further out would flatten all others


def at_iteration(frame: DataFrame, at: At) -> DataFrame:
    """Return the rows of one iteration of each run: its first, its last, or the measured one nearest to a number."""
    frame = frame[frame["iteration"].notna()]
    iteration = frame["iteration"]
    wanted = at if isinstance(at, int) else iteration.min() if at == "first" else iteration.max()
    nearest = (iteration - wanted).abs().groupby(frame["run_id"], sort=False).idxmin()
    return frame[iteration == frame["run_id"].map(iteration.loc[nearest].set_axis(nearest.index))]


def iteration_name(frame: DataFrame, at: At) -> str:
    """Describe the choice of `at_iteration`: "iteration 100", "each run's last iteration"."""
    found = frame["iteration"].unique()
    if len(found) == 1:
        return f"iteration {int(found[0])}"
    return f"each run near iteration {at}" if isinstance(at, int) else f"each run's {at} iteration"


def layer_names(frame: DataFrame) -> list[str]:
    """Return the names of the layers, from the first to the last."""
    return list(dict.fromkeys(frame["layer"].dropna().astype(str)))


def layer_means(part: DataFrame, y: str, layers: Sequence[str], marks: Sequence[Any], *, log: bool) -> np.ndarray:
    """Return means over the seeds, `(layers, marks)`, geometric ones if log; NaN where there is no value.

    part: rows of one arm, with a column `mark`: an iteration, or the name of an arm.

    >>> import pandas as pd
    >>> part = pd.DataFrame({"layer": ["dense1"] * 2, "mark": [0, 0], "gradient_rms": [1.0, 4.0]})
    >>> layer_means(part, "gradient_rms", ["dense1"], [0], log=True)
    array([[2.]])
    """
    value = part[y].astype(np.float64)
    with np.errstate(divide="ignore"):  # the geometric mean with a value of 0 is 0
        value = value.map(np.log) if log else value
    means = value.groupby([part["layer"].astype(str), part["mark"]]).mean().unstack()
    table: np.ndarray = means.reindex(index=list(layers), columns=list(marks)).to_numpy(np.float64, copy=True)
    return np.exp(table) if log else table


def last_common(part: DataFrame) -> float:
    """Return the last iteration that every diverged run has; infinite if no run diverged."""
    if "status" not in part:
        return float("inf")
    last = part.loc[part["status"] == "diverged"].groupby("run_id", observed=True)["iteration"].max()
    return float(last.fillna(-1).min()) if len(last) else float("inf")


@dataclass(frozen=True)
class LayerMaps:
    """Means of a quantity by layer and iteration, or by layer and arm, in each panel.

    values: `(layers, marks)`; x, marks: the name and the values of the horizontal axis; when: the iteration of a map
    over arms; parts: the rows of each panel.
    """

    values: dict[Cell, np.ndarray]
    layers: list[str]
    x: str
    marks: list[Any]
    when: str
    parts: dict[Cell, DataFrame]

    @staticmethod
    def of(facets: Facets, y: str, x: str, at: At, *, log: bool) -> LayerMaps:
        """Maps over iterations, or over arms at one iteration. A mean ends where a run diverged.

        A `UsageError` says that there are no measurements, or names factors that a map would average over.
        """
        rows = facets.frame
        if not rows["layer"].notna().any():
            raise UsageError("there is nothing to show: no run has measurements of its layers")
        over_arms, layers, when = x == "arm", layer_names(rows), ""
        if over_arms:
            rows = at_iteration(rows, at)
            mark, x = arms(rows, (facets.rows, facets.columns))
            marks, when = list(dict.fromkeys(mark)), iteration_name(rows, at)
        else:
            mark = rows["iteration"]
            marks = sorted(set(mark.dropna()))
        parts = dict(facets.parts(rows.assign(mark=mark)))
        values = {cell: layer_means(part, y, layers, marks, log=log) for cell, part in parts.items()}
        for cell, part in parts.items() if not over_arms else ():
            refuse_mixed(part, "map", ("rows", "columns"))
            values[cell][:, np.array(marks) > last_common(part)] = np.nan
        return LayerMaps(values, layers, x, marks, when, parts)

    @property
    def seeds(self) -> list[int]:
        """Largest number of runs of an arm, for each panel with runs."""
        counts = (part.groupby("arm", observed=True)["run_id"].nunique().max() for part in self.parts.values())
        return [int(n) for n in counts if n > 0]

    def columns(self, y: str) -> Iterator[tuple[Cell, str, dict[str, Any]]]:
        """Yield the columns of each panel for `Facets.tidy`."""
        for cell, table in self.values.items():
            layer, mark = np.repeat(self.layers, len(self.marks)), self.marks * len(self.layers)
            yield cell, "", {"layer": layer, self.x: mark, y: table.ravel()}


@dataclass(frozen=True)
class Ridge:
    """Histograms of a layer, one per run: `edges`, `(runs, bins + 1)`, and shares, `(runs, bins)`."""

    edges: np.ndarray
    shares: np.ndarray

    @staticmethod
    def of(rows: DataFrame, y: str) -> Ridge:
        """Histograms in some rows of the table `layers/`."""
        counts = np.stack([np.asarray(h, np.float64) for h in rows[f"{y}_histogram"]])
        low, high = (rows[f"{y}_{end}"].to_numpy(np.float64) for end in ("low", "high"))
        edges = np.linspace(low, high, counts.shape[1] + 1, axis=1)
        good = np.isfinite(edges).all(axis=1) & (counts.sum(axis=1) > 0)
        return Ridge(edges[good], counts[good] / counts[good].sum(axis=1, keepdims=True))

    def ends(self) -> tuple[float, float]:
        """Values below and above which a small share of each run lies."""
        below = np.concatenate([np.zeros((len(self.shares), 1)), self.shares.cumsum(axis=1)], axis=1)
        inner = [(np.interp(_BEYOND, b, e), np.interp(1 - _BEYOND, b, e)) for b, e in zip(below, self.edges)]
        return min(low for low, _ in inner), max(high for _, high in inner)

    def on(self, bins: np.ndarray) -> np.ndarray:
        """Shares in other bins, `(runs, bins)`.

        A share is divided evenly over its own bin; where all values are equal, it stays at that value.
        """
        found = np.zeros((len(self.shares), len(bins) - 1))
        for share, edges, row in zip(self.shares, self.edges, found):
            if edges[0] == edges[-1]:
                row += share.sum() * np.histogram(edges[:1], bins)[0]
            else:
                row += np.diff(np.interp(bins, edges, np.append(0, share.cumsum())))
        return found


@dataclass(frozen=True)
class Ridges:
    """Histograms of each panel by layer, on common bins. when: the iteration."""

    panels: dict[Cell, dict[str, Ridge]]
    layers: list[str]
    bins: np.ndarray
    when: str

    @staticmethod
    def of(facets: Facets, y: str, at: At) -> Ridges:
        """Histograms of activations or weights at an iteration; the activations of the last layer are logits.

        A `UsageError` says that there are none, or names factors that a panel would average over.
        """
        taken = facets.frame[facets.frame[f"{y}_histogram"].notna()]
        if taken.empty:
            raise UsageError(f"there is nothing to show: there are no histograms of {y}s")
        frame = at_iteration(taken, at)
        layers = layer_names(frame)
        layers = layers[:-1] if y == "activation" and len(layers) > 1 else layers
        layers = layers[:: -(-len(layers) // _MOST)]
        panels = {}
        for cell, part in facets.parts(frame):
            refuse_mixed(part, "histogram", ("rows", "columns"))
            there = {str(layer): Ridge.of(own, y) for layer, own in part.groupby("layer", observed=True)}
            panels[cell] = {layer: there[layer] for layer in layers if layer in there and len(there[layer].shares)}
        low, high = ridge_limits([ridge for panel in panels.values() for ridge in panel.values()])
        return Ridges(panels, layers, np.linspace(low, high, BINS + 1), iteration_name(frame, at))

    @property
    def seeds(self) -> list[int]:
        """Number of runs of each ridge."""
        return [len(ridge.shares) for panel in self.panels.values() for ridge in panel.values()]

    def columns(self) -> Iterator[tuple[Cell, str, dict[str, Any]]]:
        """Yield the columns of each ridge for `Facets.tidy`."""
        for cell, panel in self.panels.items():
            for layer, ridge in panel.items():
                share = ridge.on(self.bins).mean(axis=0)
                yield cell, "", {"layer": layer, "low": self.bins[:-1], "high": self.bins[1:], "share": share}


def ridge_limits(ridges: Sequence[Ridge]) -> tuple[float, float]:
    """Return the ends of the axis on which all ridges are seen, but those that reach far beyond the others."""
    if not ridges:
        return 0.0, 1.0
    lows, highs = np.array([ridge.ends() for ridge in ridges]).T
    reach = _FAR * float(np.quantile(np.maximum(-lows, highs), 0.75))
    low, high = max(lows.min(), -reach), min(highs.max(), reach)
    room = 0.02 * (high - low) or 0.5
    return float(low - room), float(high + room)
