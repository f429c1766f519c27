"""Mean ranks of arms over tasks, with lines over arms that cannot be distinguished."""

from __future__ import annotations

from collections.abc import Iterator

from dlsweep.analysis.facets import Facets
from dlsweep.analysis.statistics import fewest_seeds
from dlsweep.config.claims import ALPHA
from dlsweep.plots import captions, style
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.layout import NAME
from dlsweep.plots.panels import Words, panels
from dlsweep.text import plural
from dlsweep.types import DataFrame

_ROW, _LINE = 0.34, 0.18  # inches, of an arm; ranks between two lines


@plots.register(table="ranks", arrange=Facets.whole)
def ranking(facets: Facets) -> Chart:
    """Mean ranks of the arms of five or more sweeps, one for each task; a line joins arms that are not distinguished.

    The tests are those of `dlsweep show --rank`: exact signed-rank tests of each pair over the tasks, corrected for the
    number of pairs (Holm 1979), at the level 0.05.

    >>> import pandas as pd
    >>> pairs = pd.DataFrame({"first": ["a", "a", "b"], "second": ["b", "c", "c"], "p_holm": [0.5, 0.01, 0.01]})
    >>> pairs = pairs.assign(rank_first=[1.2, 1.2, 1.8], rank_second=[1.8, 3, 3], tasks=8, metric="final_test_accuracy")
    >>> plots["ranking"](pairs).alt
    'Mean ranks over 8 tasks: a 1.20, b 1.80, c 3.00. Not distinguished: a to b.'
    """
    pairs = facets.frame
    ranks = {**dict(zip(pairs["first"], pairs["rank_first"])), **dict(zip(pairs["second"], pairs["rank_second"]))}
    arms, tasks = list(ranks), int(pairs["tasks"].iloc[0])
    together = list(groups(pairs, arms))
    foot = (
        f"Ranks of {pairs['metric'].iloc[0].replace('_', ' ')} over {plural(tasks, 'task')}, 1 for the best. A line "
        f"joins arms of which no pair is distinguished (signed-rank tests, Holm, level {ALPHA:g})."
    )
    if (needed := fewest_seeds(len(pairs), ALPHA)) > tasks:  # the task is the unit of these tests
        foot += f" {plural(tasks, 'task')} cannot distinguish any pair; {needed} can."
    words = Words(x="mean rank", ticks=arms, foot=foot)
    with panels(words, (5.5, max(1.0, _ROW * len(arms)))) as (figure, axes):
        ax = axes[0, 0]
        right = len(arms) + 0.4 + _LINE * len(together)
        ax.set(xlim=(0.8, right), ylim=(len(arms) - 0.5, -0.5), xticks=range(1, len(arms) + 1))
        ax.set_yticks(range(len(arms)), arms)
        ax.plot(list(ranks.values()), range(len(arms)), "o", color=style.PALETTE[0], label="mean rank")
        for i, rank in enumerate(ranks.values()):
            ax.annotate(f"{rank:.2f}", (rank, i), (6, 0), textcoords="offset points", va="center", size=NAME)
        for i, (first, last) in enumerate(together):
            at = right - _LINE * (len(together) - i)
            ax.plot([at, at], [first - 0.15, last + 0.15], color=style.INK, linewidth=3, label="not distinguished")
    told = captions.joined(*(f"{arm} {rank:.2f}" for arm, rank in ranks.items()))
    same = captions.joined(*(f"{arms[first]} to {arms[last]}" for first, last in together)) or "none"
    alt = f"Mean ranks over {plural(tasks, 'task')}: {told}. Not distinguished: {same}."
    return Chart(figure, words.foot, alt, pairs)


def groups(pairs: DataFrame, arms: list[str]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last arm of each largest group of neighbours of which no pair is distinguished."""
    apart = {*zip(pairs["first"], pairs["second"], pairs["p_holm"] <= ALPHA)}
    reached = 0
    for first in range(len(arms)):
        last = first
        while last + 1 < len(arms) and all((one, arms[last + 1], True) not in apart for one in arms[first : last + 1]):
            last += 1
        if last > max(first, reached):
            yield first, last
        reached = max(reached, last)
