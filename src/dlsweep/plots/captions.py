"""Texts that all figures share: labels around the panels, numbers of seeds and of diverged runs, alternative texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from dlsweep.analysis.facets import Cell, Facets, levels
from dlsweep.analysis.scores import Scores
from dlsweep.analysis.statistics import INDEPENDENT, Replication
from dlsweep.config.seeds import crossed_words
from dlsweep.plots.names import factor_name, level_names, named
from dlsweep.text import plural, plural_range
from dlsweep.types import DataFrame

INTERVAL_FROM = 3  # seeds: the interval of two is too wide to read
MANY = 12  # levels that an alternative text does not list


def headings(facets: Facets, title: str = "") -> dict[str, Any]:
    """Return the labels of rows and columns, and a title: the levels that are fixed here and vary in the sweep."""
    return {
        "row_factor": factor_name(facets.rows or ""),
        "rows": named(facets.frame, facets.rows, facets.row_levels),
        "column_factor": factor_name(facets.columns or ""),
        "columns": named(facets.frame, facets.columns, facets.column_levels),
        "title": joined(*_fixed(facets), title),
    }


def joined(*parts: str) -> str:
    """Join the parts that are not empty with commas.

    >>> joined("init: he", "", "seed 0")
    'init: he, seed 0'
    """
    return ", ".join(filter(None, parts))


def _fixed(facets: Facets) -> list[str]:
    """Return the levels that are fixed here and vary in the sweep, each with its factor."""
    return [f"{factor_name(f)}: {level_names(facets.frame, f)[level]}" for f, level in facets.fixed.items()]


def plain_mean(counts: Sequence[int], mean: str = "Mean", single: str = "") -> str:
    """Explain a mean without an interval. single: how one seed is shown.

    >>> plain_mean([5, 4], "Geometric mean"), plain_mean([1])
    ('Geometric mean of 4 to 5 seeds.', 'One seed.')
    """
    return f"{mean} of {plural_range(counts, 'seed')}{single}." if max(counts, default=1) > 1 else "One seed."


def mean_of(
    counts: Iterable[int], single: str = "; a thin line is one seed", replication: Replication = INDEPENDENT
) -> str:
    """Explain a mean and its interval. single: how one seed is shown; replication: how the runs depend.

    >>> mean_of([6], "", Replication({"init": 3, "batches": 2}))
    'Mean of 3 seeds of init × 2 of batches with its 95 % interval over these sources of chance.'
    """
    n, crossed = sorted(set(counts)), replication.crossed
    if crossed:
        missing = "; no interval where a combination of seeds is missing" * (n[0] < prod(crossed.values()))
        return f"Mean of {crossed_words(crossed)} with its 95 % interval over these sources of chance{single}{missing}."
    if n[-1] == 1:
        return "One seed."
    if n[-1] < INTERVAL_FROM:
        return f"Mean of {plural_range(n, 'seed')}{single}; no interval below {INTERVAL_FROM} seeds."
    few = f"; no interval below {INTERVAL_FROM} seeds" * (n[0] < INTERVAL_FROM)
    kind = "interval, corrected for splits that overlap" if replication.overlap else "t interval"
    return f"Mean of {plural_range(n, 'seed')} with its 95 % {kind}{single}{few}."


def within_seeds(n: int, mean: str = "the mean of all") -> list[str]:
    """Explain means over other factors, and their bars. n: seeds; mean: of all, as the figure shows it.

    >>> within_seeds(1)
    ['Means over all other factors.']
    """
    bars = [f"Bars: 95 % interval of the difference to {mean}, within seeds."] * (n > 1)
    seeds = f" and {plural(n, 'seed')}" * (n > 1)
    return [f"Means over all other factors{seeds}.", *bars]


def divergence(diverged: bool, *, known: bool) -> list[str]:
    """Explain diverged runs in a mean. known: True where they count at chance."""
    return ["Diverged runs count at chance." if known else "No mean where a run has diverged."] * diverged


def comparison(counts: Sequence[int]) -> list[str]:
    """Explain the use of the intervals of several means: those of paired differences compare arms.

    >>> comparison([5, 5])
    ['To compare arms, see their differences, which are paired by seed (dlsweep show).']
    """
    drawn = len(counts) > 1 and max(counts) >= INTERVAL_FROM
    return ["To compare arms, see their differences, which are paired by seed (dlsweep show)."] * drawn


def of_scores(scores: Sequence[Scores], single: str, guess: float, *, paired: bool = False) -> list[str]:
    """Explain the means of some arms.

    single: how one seed is shown; guess: chance accuracy, NaN if unknown; paired: True if they are differences.
    """
    diverged = any(one.diverged.any() for one in scores)
    counts = [max(one.n, 1) for one in scores]
    values = np.concatenate([one.values for one in scores])
    return [
        mean_of(counts, single, scores[0].replication if scores else INDEPENDENT),
        *([] if paired else comparison(counts)),
        *divergence(diverged, known=bool(np.isfinite(guess))),
        *one_class(values, guess),
    ]


def one_class(accuracies: np.ndarray, chance: float) -> list[str]:
    """Explain the accuracy of networks that give every image the same class, if some seem to.

    Their accuracy is the share of that class, near chance, and the same number in several runs.
    """
    near = accuracies[(abs(accuracies - chance) < 0.6 * chance) & (accuracies != chance)]
    values, counts = np.unique(near, return_counts=True)
    if not (counts > 1).any():
        return []
    share = values[counts.argmax()]
    return [f"A network that gives all images one class is right on the share of that class, here {share:.4g}."]


def ended(runs: int, diverged: int, failed: int) -> str:
    """Return how many runs diverged, and how many failed and do not count; "" if none.

    >>> ended(5, 2, 1)
    '2 of 4 diverged, 1 failed'
    """
    return joined(f"{diverged} of {runs - failed} diverged" * bool(diverged), f"{failed} failed" * bool(failed))


def how_ended(runs: DataFrame) -> str:
    """Return `ended` of a frame with one row or more for each run."""
    status = runs.drop_duplicates("run_id")["status"].astype(str).tolist() if "status" in runs else []
    return ended(len(status), status.count("diverged"), status.count("failed"))


def notes(parts: Mapping[Cell, DataFrame]) -> dict[Cell, str]:
    """Return `how_ended` of each panel in which runs diverged or failed."""
    return {cell: note for cell, part in parts.items() if (note := how_ended(part))}


def alt(what: str, facets: Facets, *sentences: str, of: str = " of panels") -> str:
    """Return an alternative text: the content, the levels that divide it, and further sentences.

    of: the parts of the figure that are in rows and columns; empty for the cells of a matrix.
    """
    words = [f"{what}."]
    places = ((f"Rows{of}", facets.rows), (f"Columns{of}", facets.columns), ("Lines", facets.lines))
    for place, factor in places:
        if factor and factor in facets.frame:
            found = named(facets.frame, factor, levels(facets.frame, factor))
            many = f"{len(found)} levels, from {found[0]} to {found[-1]}" if len(found) > MANY else ", ".join(found)
            words.append(f"{place}: {factor_name(factor)} ({many}).")
    return " ".join([*words, *(f"{fixed}." for fixed in _fixed(facets)), *filter(None, sentences)])


def words_of(data: DataFrame) -> list[str]:
    """Return the columns of words."""
    from pandas.api.types import is_numeric_dtype

    return [str(c) for c in data if not is_numeric_dtype(data[c].dtype)]


def extremes(data: DataFrame, y: str, when: str = "", also: str = "") -> str:
    """Name the rows of a chart's data with the highest and the lowest value, by their columns of words.

    also: a column of numbers that belongs to the name.
    """
    known = data[np.isfinite(data[y].to_numpy(dtype=np.float64, na_value=np.nan))]
    if len(known) < 2:
        return ""
    words = [c for c in words_of(data) if data[c].nunique() > 1]
    ends = ((name, known.loc[at]) for name, at in (("Highest", known[y].idxmax()), ("lowest", known[y].idxmin())))
    found = []
    for name, row in ends:
        of = joined(*(str(row[c]) for c in words), f"{also} {row[also]:g}" if also else "")
        found.append(f"{name}{when}: {row[y]:.3g} ({of})")
    return "; ".join(found).replace(" ()", "") + "."
