"""The kernels of the first layer as small images, before and after training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlsweep.analysis.facets import refuse_mixed
from dlsweep.analysis.networks import Filters, Networks, first_kernels, picture
from dlsweep.plots import captions, style
from dlsweep.plots.axes import short
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.colours import Colours
from dlsweep.plots.images import canvas, tile
from dlsweep.plots.layout import TICKS, Words
from dlsweep.plots.panels import colour_bar, empty, panels
from dlsweep.types import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


@plots.register(table="networks", places=("columns",))
def filters(facets: Networks) -> Chart:
    """The first layer's kernels as small images, before and after training.

    columns: a factor whose levels are the columns of panels. arm: levels, such as {activation: relu}, of the arms to
    show; seed: by default the first.

    A dense layer shows the weights of each unit at the positions of its pixels. A column has one scale of colours,
    before and after alike: white is 0. With three channels the kernels have their colours, and grey is 0.

    >>> list(plots["filters"].settings)
    ['columns', 'arm', 'seed']
    """
    shown, iteration = [], 0
    for _, part in facets:
        refuse_mixed(part, "panel", ("columns",))
        row = dict(part.iloc[0])
        model = facets.load(row)
        iteration = model.iteration if model else iteration
        before = first_kernels(facets.at_start(row), "filters")
        shown.append(Filters(before, first_kernels(model, "filters") if model else None, str(row["status"])))
    around = captions.around(facets)
    seed = "" if facets.columns == "seed" else f"seed {facets.frame['seed'].iloc[0]}"
    title = captions.joined("the first layer's filters", around["title"], seed)
    figure, caption = draw(shown, around["columns"], around["column_factor"], title, iteration)
    alt = captions.alt(f"Images of {title}, before and after training", facets)
    return Chart(figure, caption, alt, _data(facets, shown))


def _data(facets: Networks, shown: Sequence[Filters]) -> DataFrame:
    import pandas as pd

    parts = []
    for j, one in enumerate(shown):
        for when, kernels in (("before", one.before), ("after", one.after)):
            for i, w in enumerate(kernels[: Filters.MOST] if kernels is not None else ()):
                numbers = {"filter": i, "mean": w.mean(), "norm": np.linalg.norm(w), "limit": one.limit}
                parts.append({**facets.levels_at((0, j)), "when": when, **numbers})
    return pd.DataFrame(parts)


def _words(shown: Sequence[Filters], names: Sequence[str], factor: str, title: str, iteration: int) -> Words:
    """Return the texts around the panels; the panels of a single network stand side by side."""
    single, channels = len(shown) == 1, {one.before.shape[1] for one in shown}
    end = _rounded(shown[0].limit) if single else "m"
    trained = f"after {short(iteration)} iterations" if single and iteration else "after training"
    return Words(
        x="",
        y="",
        rows=("",) if single else ("before training", trained),
        column_factor=factor,
        columns=("before training", trained) if single else names,
        title=title,
        foot=_caption(shown, end, single=single),
        below=0.0 if single else TICKS,
        bar=() if 3 in channels else (f"−{end}", "0", end),
    )


def draw(shown: Sequence[Filters], names: Sequence[str], factor: str, title: str, iteration: int) -> tuple[Figure, str]:
    """Draw some filters, a column for each network; return the figure and its caption."""
    words, single = _words(shown, names, factor, title, iteration), len(shown) == 1
    wide = 4.3 if single else float(np.clip(11.2 / len(shown) - 0.42, 1.2, 3.6))
    high = 4.3 if single else min(wide, 2.5)
    with style.look():
        figure, axes = panels(words, (wide, high))
        for at, ax in np.ndenumerate(axes):
            one = shown[0 if single else at[1]]
            kernels = (one.before, one.after)[at[1] if single else at[0]]
            canvas(ax, wide, high)
            if not single and at[0]:
                ax.text(wide / 2, -0.06, f"m = {_rounded(one.limit)}", ha="center", va="top")
            if kernels is None:
                empty(ax, f"{one.reason}:\nno weights")
                continue
            images = _images(kernels[: Filters.MOST], one.limit)
            tile(ax, images, (wide, high), Colours(-one.limit, one.limit, "RdBu_r"))
        if words.bar:
            m = shown[0].limit
            colour_bar(axes, Colours(-m, m, "RdBu_r").mapping, words, "weight", ticks=[-m, 0, m])
    return figure, words.foot


def _images(kernels: Array, limit: float) -> Array:
    """Return kernels `(F, C, H, W)` as images: numbers `(F, H, W)`, or the brightness of 3 colours `(F, H, W, 3)`."""
    return np.stack([picture(w, -limit, limit) if len(w) == 3 else w.mean(axis=0) for w in kernels])


def _caption(shown: Sequence[Filters], end: str, *, single: bool) -> str:
    """Explain how to read the figure."""
    whose, beyond = "The colours have" if single else "In each column the colours have", 100 * (1 - Filters.WITHIN)
    words = [f"{whose} one scale before and after; at most {beyond:.1g} % of the weights lie beyond it."]
    if any(one.before.shape[1] == 3 for one in shown):
        words.append(f"Red, green and blue are the weights of the channels: grey is 0, full colour {end}.")
    if any(one.before.shape[1] not in (1, 3) for one in shown):
        words.append("A filter is shown as the mean over its channels.")
    if (most := max(len(one.before) for one in shown)) > Filters.MOST:
        words.append(f"The first {Filters.MOST} of {most} filters.")
    return " ".join(words)


def _rounded(limit: float) -> str:
    return short(float(f"{limit:.2g}"))
