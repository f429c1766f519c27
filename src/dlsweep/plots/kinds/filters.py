"""Kernels of the first layer as small images, before and after training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlsweep.analysis.facets import refuse_mixed
from dlsweep.analysis.networks import Filters, Networks
from dlsweep.plots import captions
from dlsweep.plots.axes import short
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.images import CENTRED, Colours, canvas, tile
from dlsweep.plots.panels import TICKS, Bar, Words, empty, panels
from dlsweep.types import Figure


@plots.register(table="networks", places=("columns",))
def filters(facets: Networks) -> Chart:
    """First layer's kernels as small images, before and after training.

    columns: a factor whose levels are the columns of panels. arm: levels, such as {activation: relu}, of the arms to
    show; seed: by default the first.

    A dense layer shows the weights of each unit at the positions of its pixels. A column has one scale of colours,
    before and after alike: white is 0. With three channels the kernels have their colours, and grey is 0.

    >>> list(plots["filters"].settings)[:3]
    ['columns', 'arm', 'seed']
    """
    shown = []
    for _, part in facets:
        refuse_mixed(part, "panel", ("columns",))
        shown.append(Filters.of(facets, dict(part.iloc[0])))
    headings = captions.headings(facets)
    seed = "" if facets.columns == "seed" else f"seed {facets.frame['seed'].iloc[0]}"
    title = captions.joined("the first layer's filters", headings["title"], seed)
    figure, caption = draw(shown, headings["columns"], headings["column_factor"], title)
    alt = captions.alt(f"Images of {title}, before and after training", facets)
    parts = [((0, j), "", columns) for j, one in enumerate(shown) for columns in one.columns()]
    return Chart(figure, caption, alt, facets.tidy(parts, []))


def draw(shown: Sequence[Filters], names: Sequence[str], factor: str, title: str) -> tuple[Figure, str]:
    """Draw some filters, a column for each network; return the figure and its caption.

    The panels of a single network stand side by side.
    """
    single, limit = len(shown) == 1, shown[-1].limit
    end, coloured = short(limit, 2) if single else "m", any(one.before.shape[1] == 3 for one in shown)
    trained = f"after {short(shown[0].iteration)} iterations" if single and shown[0].iteration else "after training"
    ends = (-limit, 0, limit), (f"−{end}", "0", end)
    words = Words(
        rows=("",) if single else ("before training", trained),
        column_factor=factor,
        columns=("before training", trained) if single else names,
        title=title,
        foot=_caption(shown, end, single=single),
        below=0.0 if single else TICKS,
        bar=None if coloured else Bar(Colours(-limit, limit, CENTRED).mapping, *ends, "weight"),
    )
    wide = 4.3 if single else float(np.clip(11.2 / len(shown) - 0.42, 1.2, 3.6))
    high = 4.3 if single else min(wide, 2.5)
    each = [(one, when, kernels) for one in shown for when, kernels in one.shown.items()]
    with panels(words, (wide, high)) as (figure, axes):
        for (one, when, kernels), ax in zip(each, (axes if single else axes.T).flat):
            canvas(ax, wide, high)
            if not single and when == "after":
                ax.text(wide / 2, -0.06, f"m = {short(one.limit, 2)}", ha="center", va="top")
            if kernels is None:
                empty(ax, f"{one.reason}:\nno weights")
            else:
                tile(ax, one.images(kernels), (wide, high), Colours(-one.limit, one.limit, CENTRED))
    return figure, words.foot


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
