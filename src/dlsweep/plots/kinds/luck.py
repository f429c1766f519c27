"""Shares of luck: the part of the variance between runs that each source of chance has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from dlsweep.analysis.decomposition import TIMES
from dlsweep.analysis.effect_tables import percent
from dlsweep.analysis.facets import Cell, Facets, FactorName, SplitName, refuse_mixed
from dlsweep.analysis.frames import counted, crossing
from dlsweep.analysis.luck import shares, source_words
from dlsweep.analysis.scores import metric_in
from dlsweep.errors import UsageError
from dlsweep.metrics import Metric
from dlsweep.plots import captions, style
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.layout import NAME
from dlsweep.plots.panels import Words, empty, name_rows, panels
from dlsweep.storage.tables import Moment
from dlsweep.types import DataFrame, Figure

_ROW = 0.24  # inches of a line


@plots.register(table="runs", places=("columns",), needs=("crossed seeds",))
def luck(
    facets: Facets,
    *,
    columns: FactorName | None = None,
    y: Literal["accuracy", "loss"] = "accuracy",
    split: SplitName | None = None,
    moment: Moment = "final",
) -> Chart:
    """Shares of luck: the part of the variance between runs of one arm that each source of chance has.

    The seeds must be crossed. A line is the 95 % interval of a share. columns: a factor whose levels are panels. y:
    accuracy or loss. split: by default the split furthest from training. moment: final, best or last. A diverged run
    counts at chance accuracy.

    >>> import pandas as pd
    >>> runs = pd.DataFrame({"run_id": [*"abcd"], "arm": "all", "seed": range(4), "status": "done"})
    >>> runs = runs.assign(seed_init=[0, 0, 1, 1], seed_batches=[0, 1, 0, 1])
    >>> plots["luck"](runs.assign(final_test_accuracy=[0.5, 0.5, 0.75, 0.75])).data[["source", "share"]].values.tolist()
    [['init', 1.0], ['batches', 0.0], ['init × batches', 0.0]]
    """
    metric = metric_in(facets.frame, y, split, moment)
    crossed = {source: number for source, number in crossing(facets.frame).items() if number > 1}
    if not crossed:
        raise UsageError("shares of luck need crossed seeds, such as seeds: {init: 10, batches: 10}")
    tables = _tables(facets, metric, crossed)
    varied = TIMES.join(f"{number} seeds of the {source_words(source)}" for source, number in crossed.items())
    foot = [f"{varied}; lines: 95 % interval of a share."]
    foot += ["An estimate below 0 is 0."] * any(table["negative"].any() for table in tables.values())
    sources = next(iter(tables.values()))["source"]
    words = Words(
        x=f"share of the variance of {metric.words}",
        ticks=[source_words(source).replace(TIMES, f"{TIMES.rstrip()}\n") for source in sources],
        foot=" ".join(foot),
        **captions.headings(facets),
    )
    alt = f"Bars of the shares of {', '.join(map(source_words, crossed))} in the variance of {metric.words}"
    data = facets.tidy(((cell, "", dict(table)) for cell, table in tables.items()), [])
    return Chart(_draw(words, facets, tables), words.foot, captions.alt(alt, facets), data)


def _tables(facets: Facets, metric: Metric, crossed: Mapping[str, int]) -> dict[Cell, DataFrame]:
    """Return the shares of each panel with a value for every combination of seeds."""
    tables = {}
    for cell, part in facets:
        refuse_mixed(part, "panel", ("columns",))
        if (table := shares(counted(part, [metric.name])[:, 0], crossed)) is not None:
            tables[cell] = table
    if not tables:
        raise UsageError("there is nothing to show: no arm has a value for every combination of seeds")
    return tables


def _draw(words: Words, facets: Facets, tables: Mapping[Cell, DataFrame]) -> Figure:
    """Draw a bar for each share, and a line for its interval."""
    row = _ROW * max(source.count("\n") + 1 for source in words.ticks)
    with panels(words, (min(5.5, 9.0 / facets.shape[1]), max(1.0, row * len(words.ticks)))) as (figure, axes):
        axes[0, 0].set_xlim(0, 1.12)
        axes[0, 0].set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
        for cell, ax in np.ndenumerate(axes):
            name_rows(ax, words.ticks)
            if cell not in tables:
                empty(ax, "combinations of seeds are missing")
                continue
            table = tables[cell]
            at = range(len(table))
            ax.barh(at, table["share"], height=0.62, color=style.PALETTE[0], alpha=0.85, label="share")
            ax.hlines(at, table["low"], table["high"], color=style.INK, linewidth=1.4, label="interval")
            for i, (share, high) in enumerate(zip(table["share"], table["high"], strict=True)):
                end = max(share, high), i
                ax.annotate(percent(share), end, (5, 0), textcoords="offset points", va="center", size=NAME)
    return figure
