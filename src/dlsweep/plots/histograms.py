"""How the activations or the weights of each layer are distributed: a ridge a layer, the first one below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlsweep.errors import UsageError
from dlsweep.plots import style
from dlsweep.plots.base import DataFrame, Figure, plots
from dlsweep.plots.drawing import empty
from dlsweep.plots.factors import Placed, panel, panel_levels, place, refuse_mixed
from dlsweep.plots.moments import At, at_iteration, moment_name
from dlsweep.plots.panels import Words, panels
from dlsweep.plots.scales import short
from dlsweep.plots.wording import around, how_ended, seeds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 60
_MOST = 12  # ridges: of more layers some are left out
_BEYOND = 8.0  # times the usual spread: what lies further out would flatten all others


@dataclass(frozen=True)
class Ridge:
    """The histograms of a layer, one for each run: `edges`, `(runs, bins + 1)`, and shares, `(runs, bins)`."""

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
        """Values below and above which lies a small share of each run."""
        below = np.concatenate([np.zeros((len(self.shares), 1)), self.shares.cumsum(axis=1)], axis=1)
        inner = [(np.interp(beyond, b, e), np.interp(1 - beyond, b, e)) for b, e in zip(below, self.edges)]
        return min(low for low, _ in inner), max(high for _, high in inner)

    def on(self, bins: np.ndarray) -> np.ndarray:
        """The shares in other bins, `(runs, bins)`: a share lies evenly in its own, and all of it at a single value."""
        found = np.zeros((len(self.shares), len(bins) - 1))
        for share, edges, row in zip(self.shares, self.edges, found):
            if edges[0] == edges[-1]:
                row += share.sum() * np.histogram(edges[:1], bins)[0]
            else:
                row += np.diff(np.interp(bins, edges, np.append(0, share.cumsum())))
        return found


@plots.register
def histograms(
    layers: DataFrame,
    *,
    rows: str | None = None,
    columns: str | None = None,
    y: Literal["activation", "weight"] = "activation",
    at: At = "last",
) -> Figure:
    """Histograms of the activations or the weights of every layer, one above another, the first layer below.

    layers: the table `layers/`. rows, columns: factors whose levels are the rows and columns of panels. at: which
    iteration: first, last, or the one with histograms that is nearest to a number.

    Of activations, those of the hidden layers. Filled: the mean over the seeds; a thin line is one seed. Bins and axes
    are the same everywhere; a ridge is as high as its highest bin, so that heights compare within a ridge.
    """
    taken = layers[layers[f"{y}_histogram"].notna()]
    if taken.empty:
        raise UsageError(f"there is nothing to show: there are no histograms of {y}s")
    frame = at_iteration(taken, at)
    placed = place(layers, {"rows": rows, "columns": columns}, ("rows", "columns"))
    depth = list(dict.fromkeys(frame["layer"].astype(str)))
    if y == "activation" and len(depth) > 1:
        depth = depth[:-1]  # the last layer's are logits
    depth = depth[:: -(-len(depth) // _MOST)]
    ridges: dict[tuple[int, int], dict[str, Ridge]] = {}
    for cell, names in panel_levels(layers, placed).items():
        part = panel(frame, placed, *names)
        refuse_mixed(part, "histogram", ("rows", "columns"))
        there = {str(layer): Ridge.of(own, y) for layer, own in part.groupby("layer", observed=True)}
        ridges[cell] = {layer: there[layer] for layer in depth if layer in there and len(there[layer].shares)}
    return _draw(layers, frame, placed, ridges, depth, y, at)


def _draw(
    layers: DataFrame,
    frame: DataFrame,
    placed: Placed,
    ridges: Mapping[tuple[int, int], Mapping[str, Ridge]],
    depth: Sequence[str],
    y: str,
    at: At,
) -> Figure:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    every = [ridge for cell in ridges.values() for ridge in cell.values()]
    low, high, cut = _limits([ridge.ends() for ridge in every])
    bins = np.linspace(low, high, BINS + 1)
    words = around(layers, placed)
    words["title"] = ", ".join(filter(None, [words["title"], moment_name(frame, at)]))
    n = [len(ridge.shares) for ridge in every]
    foot = [f"Filled: mean of {seeds(n)}; a thin line is one seed." if max(n, default=1) > 1 else "One seed."]
    foot.append("Each ridge is as high as its highest bin.")
    foot += ["What lies far beyond the axis is left out."] * cut
    parts = {cell: panel(layers, placed, *names) for cell, names in panel_levels(layers, placed).items()}
    with style.look():
        figure, axes = panels(
            Words(
                x=y,
                y="layer",
                **words,
                notes={cell: note for cell, part in parts.items() if (note := how_ended(part))},
                foot=" ".join(foot),
                ticks=depth,
            )
        )
        for cell, content in ridges.items():
            for layer, ridge in content.items():
                _draw_ridge(axes[cell], depth.index(layer), bins, ridge.on(bins), layer)
            if not content:
                empty(axes[cell], "no histogram" if len(parts[cell]) else "no runs")
        ax = axes[0, 0]
        ax.set_xlim(low, high)
        ax.set_ylim(-0.1, len(depth) + 0.1)
        ax.set_yticks(range(len(depth)), depth)
        ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    return figure


def _draw_ridge(ax: Axes, base: int, bins: np.ndarray, shares: np.ndarray, name: str) -> None:
    """One layer's ridge on its base line: later layers lie behind earlier ones."""
    scale = 0.92 / (shares.max() or 1.0)
    look: dict[str, Any] = {"color": style.PALETTE[0], "zorder": 3 - base / 100}
    ax.stairs(
        base + scale * shares.mean(axis=0), bins, baseline=base, fill=True, alpha=0.35, label=f"mean: {name}", **look
    )
    if len(shares) > 1:
        x, steps = np.repeat(bins, 2), np.pad(np.repeat(shares, 2, axis=1), ((0, 0), (1, 1)))
        gap = np.full((len(shares), 1), np.nan)
        x, y = np.tile(np.append(x, np.nan), len(shares)), np.hstack([base + scale * steps, gap]).ravel()
        ax.plot(x, y, linewidth=0.6, alpha=0.6, label=f"seeds: {name}", **look)


def _limits(ends: Sequence[tuple[float, float]]) -> tuple[float, float, bool]:
    """The ends of the axis on which all ridges are seen, and whether some go far beyond it."""
    if not ends:
        return 0.0, 1.0, False
    lows, highs = np.array(ends).T
    reach = _BEYOND * float(np.quantile(np.maximum(-lows, highs), 0.75))
    low, high = max(lows.min(), -reach), min(highs.max(), reach)
    room = 0.02 * (high - low) or 0.5
    return float(low - room), float(high + room), bool(lows.min() < low or highs.max() > high)
