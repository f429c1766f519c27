"""Main effects: the mean of each level of each factor, averaged over all other factors."""

from __future__ import annotations

from typing import Literal

from dlsweep.analysis.decomposition import TIMES
from dlsweep.analysis.effect_tables import percent
from dlsweep.analysis.effects import effects_of_runs
from dlsweep.analysis.facets import Facets, SplitName
from dlsweep.analysis.scores import metric_in
from dlsweep.plots import captions, style
from dlsweep.plots.axes import set_ticks
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.layout import LABEL, NAME, fit
from dlsweep.plots.names import factor_names, named
from dlsweep.plots.panels import Words, beside, panels
from dlsweep.storage.tables import Moment
from dlsweep.types import Axes, DataFrame

_ROW = 0.26  # inches


@plots.register(table="runs", needs=("plain seeds", "a factor", "whole grid"))
def effects(
    facets: Facets,
    *,
    y: Literal["accuracy", "loss"] = "accuracy",
    split: SplitName | None = None,
    moment: Moment = "final",
) -> Chart:
    """Main effects: for each level of each factor the mean over all other factors, with its interval within seeds.

    The wider a factor's line, the more it matters; its share of the variance stands beside it. A bar is the 95 %
    interval of the difference to the mean of all levels. The dotted line is the mean of all runs. y: accuracy or loss.
    split: by default the split furthest from training. moment: final, best or last. A diverged run counts at chance
    accuracy. A `UsageError` says that combinations of levels are missing.

    >>> import pandas as pd
    >>> runs = pd.DataFrame({"run_id": ["a", "b"], "arm": ["x", "y"], "init": ["x", "y"], "seed": 0, "status": "done"})
    >>> plots["effects"](runs.assign(final_test_accuracy=[0.5, 0.75])).data["mean"].tolist()
    [0.5, 0.75]
    """
    metric = metric_in(facets.frame, y, split, moment)
    found = effects_of_runs(facets.frame, metric.name)
    rows, shares = found.levels, found.table.set_index("effect")["share"]
    told = {str(factor): f"{percent(share)} of the variance" for factor, share in shares.items()}
    places = [row + 0.7 * group for row, group in enumerate(rows["factor"].factorize()[0])]
    caption = captions.within_seeds(found.n, "the mean of all (dotted)")
    together = shares.drop([*rows["factor"].unique(), "seed", f"effects{TIMES}seed"], errors="ignore")
    if len(together):
        caption.append(f"Interactions of factors have {percent(together.sum())} of the variance.")
    words = Words(
        x=metric.words,
        foot=" ".join(caption),
        ticks=_ticks(facets.frame, rows),
        beside=[*told.values()],
    )
    with panels(words, (5.5, max(1.2, _ROW * (places[-1] + 1)))) as (figure, axes):
        ax = axes[0, 0]
        ax.grid(False, axis="y")
        set_ticks(ax.xaxis, None, most=5)
        ax.set_ylim(places[-1] + 0.6, -0.6)
        ax.set_yticks(places, words.ticks)
        ax.axvline(float(rows["mean"].mean()), label="mean of all", **style.DOTTED)
        for number, (factor, own) in enumerate(rows.groupby("factor", sort=False)):
            at = [places[row] for row in own.index]
            _draw(ax, str(factor), own, at, style.PALETTE[number % len(style.PALETTE)])
            beside(ax, sum(at) / len(at), told[str(factor)], size=NAME, weight="bold")
    each = "; ".join(f"{factor}: {told[factor]}" for factor in rows["factor"].unique())
    alt = captions.alt(f"Main effects on {metric.words}", facets, f"{each}.")
    return Chart(figure, words.foot, alt, rows.assign(share=rows["factor"].map(shares)))


def _ticks(frame: DataFrame, rows: DataFrame) -> list[str]:
    """Return the names of the levels; the first of each factor begins with the factor."""
    ticks = []
    for factor, own in rows.groupby("factor", sort=False):
        first, *others = named(frame, str(factor), own["level"])
        ticks += [f"{factor_names(str(factor))}: {first}", *others]
    return [fit(tick, 3.5, LABEL) for tick in ticks]


def _draw(ax: Axes, factor: str, rows: DataFrame, at: list[float], colour: str) -> None:
    """Draw the levels of a factor, one below the other, joined by a line."""
    ax.plot(rows["mean"], at, color=colour, marker="o", markersize=6, linewidth=1.6, label=f"effect: {factor}")
    centre = rows["mean"] - rows["difference"]
    for low, high, row in zip(centre + rows["low"], centre + rows["high"], at, strict=True):
        if low == low:
            ax.plot((low, high), (row, row), color=colour, label=f"interval: {factor}", **style.INTERVAL)
