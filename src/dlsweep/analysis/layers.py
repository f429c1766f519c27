"""Measurements of layers: means over the seeds, and histograms on common bins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame


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
class Ridge:
    """The histograms of a layer, one per run: `edges`, `(runs, bins + 1)`, and shares, `(runs, bins)`."""

    edges: np.ndarray
    shares: np.ndarray

    @staticmethod
    def of(rows: DataFrame, y: str) -> Ridge:
        """The histograms in some rows of the table `layers/`."""
        counts = np.stack([np.asarray(h, np.float64) for h in rows[f"{y}_histogram"]])
        low, high = (rows[f"{y}_{end}"].to_numpy(np.float64) for end in ("low", "high"))
        edges = np.linspace(low, high, counts.shape[1] + 1, axis=1)
        good = np.isfinite(edges).all(axis=1) & (counts.sum(axis=1) > 0)
        return Ridge(edges[good], counts[good] / counts[good].sum(axis=1, keepdims=True))

    def ends(self, beyond: float = 0.005) -> tuple[float, float]:
        """The values below and above which a small share of each run lies."""
        below = np.concatenate([np.zeros((len(self.shares), 1)), self.shares.cumsum(axis=1)], axis=1)
        inner = [(np.interp(beyond, b, e), np.interp(1 - beyond, b, e)) for b, e in zip(below, self.edges)]
        return min(low for low, _ in inner), max(high for _, high in inner)

    def on(self, bins: np.ndarray) -> np.ndarray:
        """The shares in other bins, `(runs, bins)`.

        A share is spread evenly over its own bin; where all values are equal, it stays at that value.
        """
        found = np.zeros((len(self.shares), len(bins) - 1))
        for share, edges, row in zip(self.shares, self.edges, found):
            if edges[0] == edges[-1]:
                row += share.sum() * np.histogram(edges[:1], bins)[0]
            else:
                row += np.diff(np.interp(bins, edges, np.append(0, share.cumsum())))
        return found


def ridge_limits(ridges: Sequence[Ridge], beyond: float = 8.0) -> tuple[float, float, bool]:
    """Return the ends of the axis on which all ridges are seen, and True if some ridges reach far beyond it.

    beyond: times the usual reach of a ridge; values further out would flatten all others.
    """
    if not ridges:
        return 0.0, 1.0, False
    lows, highs = np.array([ridge.ends() for ridge in ridges]).T
    reach = beyond * float(np.quantile(np.maximum(-lows, highs), 0.75))
    low, high = max(lows.min(), -reach), min(highs.max(), reach)
    room = 0.02 * (high - low) or 0.5
    return float(low - room), float(high + room), bool(lows.min() < low or highs.max() > high)
