"""Interaction of two factors: a line for each level of one, over the levels of the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from dlsweep.analysis.decomposition import TIMES
from dlsweep.analysis.effect_tables import percent
from dlsweep.analysis.effects import Effects, effects_of_runs
from dlsweep.analysis.facets import Facets, FactorName, SplitName
from dlsweep.analysis.scores import metric_in
from dlsweep.errors import UsageError
from dlsweep.plots import captions, style
from dlsweep.plots.axes import set_ticks
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.layout import under
from dlsweep.plots.legend import mark
from dlsweep.plots.names import factor_names, named
from dlsweep.plots.panels import Words, panels
from dlsweep.storage.tables import Moment
from dlsweep.text import nearest
from dlsweep.types import Axes, DataFrame


@plots.register(table="runs", needs=("plain seeds", "two factors", "whole grid"))
def interaction(
    facets: Facets,
    *,
    over: FactorName | None = None,
    by: FactorName | None = None,
    y: Literal["accuracy", "loss"] = "accuracy",
    split: SplitName | None = None,
    moment: Moment = "final",
) -> Chart:
    """Interaction of two factors: means over all other factors and seeds; parallel lines are no interaction.

    A bar is the 95 % interval of the difference to the mean of all combinations, within seeds.

    over: the factor along the axis; by: the one that has a line for each level; by default the two whose interaction
    has the largest share of the variance. y: accuracy or loss. split: by default the split furthest from training.
    moment: final, best or last. A diverged run counts at chance accuracy.

    >>> import pandas as pd
    >>> runs = pd.DataFrame({"run_id": [*"abcd"], "arm": [*"abcd"], "init": [*"xxyy"], "data": [*"zuzu"], "seed": 0})
    >>> shown = plots["interaction"](runs.assign(status="done", final_test_accuracy=[0.5, 0.75, 0.5, 0.25]))
    >>> shown.data["mean"].tolist()
    [0.75, 0.25, 0.5, 0.5]
    """
    metric = metric_in(facets.frame, y, split, moment)
    found = effects_of_runs(facets.frame, metric.name)
    over, by = _pair(found, over, by)
    straight = (over, by) in found.means
    means, widths = (own[over, by] if straight else own[by, over].T for own in (found.means, found.widths))
    name = TIMES.join((over, by) if straight else (by, over))
    (row,) = found.table[found.table["effect"] == name].to_dict("records")
    colours = style.colours([str(level) for level in means.columns])
    marks = [mark(name, color=colours[x], marker="o") for x, name in zip(colours, named(facets.frame, by, colours))]
    below, turned, room = under(named(facets.frame, over, means.index), 5.2 / len(means))
    legend = [(factor_names(by), marks)]
    words = Words(x=factor_names(over), y=metric.words, legend=legend, foot=_caption(row, found.n), below=room)
    with panels(words, (5.2, 3.2)) as (figure, axes):
        ax = axes[0, 0]
        _draw(ax, means, widths, colours)
        ax.grid(False, axis="x")
        set_ticks(ax.yaxis, None, most=5)
        ax.set_xlim(-0.4, len(means) - 0.6)
        ax.set_xticks(range(len(means)), below, rotation=turned)
    ends = {"low": means - widths, "high": means + widths}
    data = _long(means, "mean").assign(**{end: _long(own, end)[end] for end, own in ends.items()})
    alt = captions.alt(f"Lines of {metric.words} over {factor_names(over)}, one for each {factor_names(by)}", facets)
    return Chart(figure, words.foot, alt, data)


def _caption(row: Mapping[Any, Any], n: int) -> str:
    """Return the sentences below the figure. row: of the interaction in the table of effects; n: seeds."""
    tested = f"; p = {row['p']:.2g}, flipping whole seeds" if row["p"] == row["p"] else ""
    this = f"Parallel lines: no interaction. This one has {percent(row['share'])} of the variance{tested}."
    return " ".join([*captions.within_seeds(n), this])


def _draw(ax: Axes, means: DataFrame, widths: DataFrame, colours: Mapping[str, str]) -> None:
    """Draw a line over the rows for each column, with bars; the lines are apart, so that no bar hides another."""
    apart = min(0.07, 0.4 / len(means.columns))
    for number, level in enumerate(means.columns):
        at = np.arange(len(means)) + apart * (number - (len(means.columns) - 1) / 2)
        look: dict[str, Any] = {"color": colours[level], "marker": "o", "markersize": 6, "linewidth": 2.2}
        ax.plot(at, means[level], label=f"mean: {level}", **look)
        for x, mean, width in zip(at, means[level], widths[level], strict=True):
            if width == width:
                ends = mean - width, mean + width
                ax.plot((x, x), ends, color=colours[level], label=f"interval: {level}", **style.INTERVAL)


def _long(cells: DataFrame, name: str) -> DataFrame:
    """Return a row for each cell: the levels of the line and of the axis, and the value."""
    over, by = str(cells.index.name), str(cells.columns.name)
    return cells.reset_index().melt(over, var_name=by, value_name=name)[[by, over, name]]


def _pair(found: Effects, over: str | None, by: str | None) -> tuple[str, str]:
    """Return the two factors to show. Raise a `UsageError` if a name is none of the factors that vary."""
    if not found.means:
        raise UsageError("an interaction needs two factors that vary")
    known = list(dict.fromkeys(factor for pair in found.means for factor in pair))
    for name in filter(None, (over, by)):
        if name not in known:
            raise UsageError(f"{name!r} is no factor that varies alone{nearest(name, known)}")
    if over == by and over is not None:
        raise UsageError(f"over and by are both {over}; an interaction needs two factors")
    shares = found.table.set_index("effect")["share"]
    fitting = [pair for pair in found.means if {over, by} - {None} <= {*pair}]
    first, second = max(fitting, key=lambda pair: shares[TIMES.join(pair)])
    counts = found.levels["factor"].value_counts()  # the factor with fewer levels makes the lines
    turned = counts[first] < counts[second] if over is by is None else first == by or second == over
    return (second, first) if turned else (first, second)
