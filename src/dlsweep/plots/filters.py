"""What the first layer looks for: its kernels as small images, before and after training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlsweep.plots import style
from dlsweep.plots.base import Figure, plots
from dlsweep.plots.drawing import empty
from dlsweep.plots.factors import panel, panel_levels, place, refuse_mixed
from dlsweep.plots.images import Array, canvas, picture, spread
from dlsweep.plots.kept import PartialArm, Results, Seed, image_shape, load, networks
from dlsweep.plots.maps import Colours
from dlsweep.plots.panels import TICKS, Words, colour_bar, panels
from dlsweep.plots.scales import short
from dlsweep.plots.wording import around

if TYPE_CHECKING:
    from dlsweep.training.model import Model

_FILTERS = 100
_WITHIN = 0.995


@dataclass(frozen=True)
class Filters:
    """The kernels of one run, `(F, C, H, W)` each; after is None, with the reason, where no weights were kept."""

    before: Array
    after: Array | None
    reason: str = ""

    @property
    def limit(self) -> float:
        """The size of weights at the ends of their colours: nearly all are within it, before and after."""
        both = [self.before] if self.after is None else [self.before, self.after]
        return float(max(np.quantile(np.abs(w[:_FILTERS]), _WITHIN) for w in both)) or 1.0


@plots.register
def filters(
    results: Results, *, columns: str | None = None, arm: PartialArm | None = None, seed: Seed | None = None
) -> Figure:
    """The first layer's kernels as small images, before and after training.

    results: of a sweep that keeps weights. columns: a factor whose levels are the columns of panels. arm: levels, such
    as {activation: relu}, of the arms to show; seed: if not given, the first.

    Of a dense layer, the weights of each unit in the place of its pixels. A column has one scale of colours, before and
    after alike: white is 0. Of images with three channels the kernels have their colours, and grey is 0.
    """
    runs = networks(results, "filters", arm, seed)
    placed = place(runs, {"columns": columns}, ("columns",))
    shown, iteration = [], 0
    for names in panel_levels(runs, placed).values():
        part = panel(runs, placed, *names)
        refuse_mixed(part, "panel", ("columns",))
        row = dict(part.iloc[0])
        model = load(results, row)
        iteration = model.iteration if model else iteration
        before = results.load(row["run_id"], at="start")
        shown.append(Filters(_kernels(before), _kernels(model) if model else None, str(row["status"])))
    words = around(runs, placed)
    which = [words["title"]] if placed.columns == "seed" else [words["title"], f"seed {runs['seed'].iloc[0]}"]
    title = ", ".join(["the first layer's filters", *filter(None, which)])
    return draw(shown, words["columns"], words["column_factor"], title, iteration)


def _kernels(model: Model) -> Array:
    """The first layer's kernels, `(F, C, H, W)`."""
    w = model.parameters[model.kernels[0]]
    return w if w.ndim == 4 else w.reshape(len(w), *image_shape(model.data, "filters"))


def draw(shown: Sequence[Filters], names: Sequence[str], factor: str, title: str, iteration: int) -> Figure:
    """The figure of some filters, in columns with these names; those of one network stand side by side."""
    single = len(shown) == 1
    wide = 4.3 if single else float(np.clip(11.2 / len(shown) - 0.42, 1.2, 3.6))
    high = 4.3 if single else min(wide, 2.5)
    channels = {one.before.shape[1] for one in shown}
    ends = [_rounded(one.limit) for one in shown]
    end = ends[0] if single else "m"
    moments = ("before training", f"after {short(iteration)} iterations" if single and iteration else "after training")
    words = Words(
        x="",
        y="",
        rows=("",) if single else moments,
        column_factor=factor,
        columns=moments if single else names,
        title=title,
        foot=_foot(shown, end, single),
        below=0.0 if single else TICKS,
        bar=() if 3 in channels else (f"−{end}", "0", end),
    )
    with style.look():
        figure, axes = panels(words, (wide, high))
        for at, ax in np.ndenumerate(axes):
            one = shown[0 if single else at[1]]
            kernels = (one.before, one.after)[at[1] if single else at[0]]
            canvas(ax, wide, high)
            ax.set_yticks([])
            if not single and at[0]:
                ax.text(wide / 2, -0.06, f"m = {ends[at[1]]}", ha="center", va="top")
            if kernels is None:
                empty(ax, f"{one.reason}:\nno weights")
                continue
            images = _images(kernels[:_FILTERS], one.limit)
            spread(ax, images, (wide, high), Colours(-one.limit, one.limit, "RdBu_r"))
        if 3 not in channels:
            m = shown[0].limit
            colour_bar(axes, Colours(-m, m, "RdBu_r").mapping, words, "weight", ticks=[-m, 0, m])
    return figure


def _images(kernels: Array, limit: float) -> Array:
    """Kernels `(F, C, H, W)` as images: numbers `(F, H, W)`, or the brightness of three colours `(F, H, W, 3)`."""
    return np.stack([picture(w, -limit, limit) if len(w) == 3 else w.mean(axis=0) for w in kernels])


def _foot(shown: Sequence[Filters], end: str, single: bool) -> str:
    """How to read the figure."""
    whose = "The colours have" if single else "In each column the colours have"
    words = [f"{whose} one scale before and after; at most {100 * (1 - _WITHIN):.1g} % of the weights lie beyond it."]
    if any(one.before.shape[1] == 3 for one in shown):
        words.append(f"Red, green and blue are the weights of the channels: grey is 0, full colour {end}.")
    if any(one.before.shape[1] not in (1, 3) for one in shown):
        words.append("A filter is shown as the mean over its channels.")
    if (most := max(len(one.before) for one in shown)) > _FILTERS:
        words.append(f"The first {_FILTERS} of {most} filters.")
    return " ".join(filter(None, words))


def _rounded(limit: float) -> str:
    return short(float(f"{limit:.2g}"))
