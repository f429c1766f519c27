"""Churn: on how many test images two seeds of an arm disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from dlsweep.analysis.facets import Facets, arms
from dlsweep.analysis.frames import crossing
from dlsweep.analysis.luck import source_words
from dlsweep.analysis.networks import Networks
from dlsweep.analysis.predictions import arms_of, disagreement
from dlsweep.plots import captions, style
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.kinds.final import MEAN
from dlsweep.plots.layout import LABEL, fit
from dlsweep.plots.legend import mark
from dlsweep.plots.names import factor_name
from dlsweep.plots.panels import Words, beside, name_rows, panels
from dlsweep.text import plural_range
from dlsweep.types import Axes, DataFrame


@plots.register(table="predictions", arrange=Facets.whole, needs=("two seeds",))
def churn(facets: Networks, *, order: Literal["config", "value"] = "config") -> Chart:
    """Share of test images on which two seeds of an arm disagree: a row per arm, a dot per pair, and the mean.

    arm: levels, such as {activation: relu}, of the arms to show, by default all. seed: of no use here, since one seed
    has no pair. order: of the rows, as in the config, or by value, the arm whose seeds agree best above.

    A ring is the mean test error of the seeds: the churn of two networks that are wrong on the same images is at most
    their error. Pairs of crossed seeds differ in one source of chance. Runs that diverged have no predictions.

    >>> list(plots["churn"].settings)[:3]
    ['arm', 'seed', 'order']
    """
    import pandas as pd

    rows = [_row(facets, own) for own in arms_of(facets.frame)]
    if order == "value":
        rows.sort(key=lambda row: row["churn"] if row["seeds"] > 1 else np.inf)
    names, of = arms(facets.frame, ())
    by = dict(zip(facets.frame["arm"].astype(str), names))
    words = Words(
        x="share of test images",
        y="" if of == "arm" else factor_name(of),
        **captions.headings(facets),
        legend=[("", [mark("two seeds disagree", **_DOT), mark("mean", **MEAN), mark("mean test error", **_RING)])],
        foot=_caption(facets, rows),
        ticks=[fit(by[row["arm"]], 4, LABEL) for row in rows],
        beside=[row["ended"] for row in rows],
    )
    height = float(np.clip(5.6 / len(rows), 0.17, 0.32))
    with panels(words, (6.0, max(1.0, height * len(rows)))) as (figure, axes):
        ax = axes[0, 0]
        name_rows(ax, words.ticks)
        for i, row in enumerate(rows):
            _draw(ax, row, i)
        ax.set_xlim(0, None)
    data = pd.DataFrame(rows).drop(columns=["ended", "pairs"])
    alt = captions.alt("Dots of the share of test images on which two seeds disagree, a row for each arm", facets)
    return Chart(figure, words.foot, f"{alt} {captions.extremes(data[['arm', 'churn']], 'churn')}".strip(), data)


def _caption(facets: Networks, rows: Sequence[Mapping[str, Any]]) -> str:
    """Explain how to read the figure."""
    if not (seeds := [row["seeds"] for row in rows if row["seeds"] > 1]):
        return "No arm has predictions of two seeds, so there is nothing to compare."
    pairs = f"two of {plural_range(seeds, 'seed')}"
    if sources := [source_words(source) for source, count in crossing(facets.frame).items() if count > 1]:
        pairs = f"two runs that differ in one source of chance ({' or '.join(sources)})"
    return f"A dot: {pairs}. Pairs share seeds, so there is no interval."


_DOT: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 3.5, "markeredgewidth": 0, "alpha": 0.7}
_RING: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 6, "fillstyle": "none"}


def _row(facets: Networks, runs: DataFrame) -> dict[str, Any]:
    """Return the numbers of an arm."""
    facets.results.split_of(runs)
    found = facets.predicted(runs)
    pairs, ended = disagreement(runs, found), runs[runs["run_id"].isin(found)]
    return {
        "arm": str(runs["arm"].iloc[0]),
        "seeds": len(found),
        "churn": float(pairs.mean()) if len(pairs) else np.nan,
        "error": 1 - float(ended["final_test_accuracy"].mean()) if found else np.nan,
        "ended": captions.how_ended(runs),
        "pairs": pairs,
    }


def _draw(ax: Axes, row: dict[str, Any], at: int) -> None:
    """Draw an arm, and how its runs ended beside it; without two seeds to compare there is nothing else."""
    common: dict[str, Any] = {"clip_on": False, "color": style.PALETTE[0]}
    if len(row["pairs"]):
        ax.plot(row["pairs"], [at] * len(row["pairs"]), label=f"pairs: {row['arm']}", **common, **_DOT)
        ax.plot([row["churn"]], [at], label=f"mean: {row['arm']}", **common, **MEAN)
        ax.plot([row["error"]], [at], label=f"error: {row['arm']}", **{**common, "color": style.INK}, **_RING)
    beside(ax, at, row["ended"], color=style.ALARM)
