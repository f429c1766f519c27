"""What all figures say in the same words: the levels around the panels, how many seeds, how many runs diverged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dlsweep.analysis.statistics import BOOTSTRAP_FROM
from dlsweep.plots import style
from dlsweep.plots.base import DataFrame
from dlsweep.plots.factors import Placed, all_levels, factors, levels


def around(frame: DataFrame, placed: Placed) -> dict[str, Any]:
    """The labels of rows and columns, and as a title the levels that are fixed here and vary in the sweep."""
    others = [f for f in factors(frame) if f not in (placed.rows, placed.columns, placed.lines)]
    fixed = [f for f in others if len(levels(frame, f)) == 1 < len(all_levels(frame, f))]
    return {
        "row_factor": placed.rows or "",
        "rows": _titles(frame, placed.rows),
        "column_factor": placed.columns or "",
        "columns": _titles(frame, placed.columns),
        "title": ", ".join(f"{factor}: {levels(frame, factor)[0]}" for factor in fixed),
    }


def _titles(frame: DataFrame, factor: str | None) -> list[str]:
    if factor is None:
        return [""]
    return [style.SPLITS[level] if factor == "split" else level for level in levels(frame, factor)]


def seeds(counts: Iterable[int]) -> str:
    """How many seeds there are in each of several places: "5 seeds", "4 to 5 seeds"."""
    n = sorted(set(counts))
    return f"{n[0]} seed{'s' if n[0] > 1 else ''}" if len(n) == 1 else f"{n[0]} to {n[-1]} seeds"


def mean_of(counts: Iterable[int], single: str = "; a thin line is one seed") -> str:
    """What a mean and its interval stand for, as a sentence. single: how one seed is seen."""
    n = sorted(set(counts))
    if n[-1] == 1:
        return "One seed."
    kind = "t " if n[-1] < BOOTSTRAP_FROM else "BCa " if n[0] >= BOOTSTRAP_FROM else ""
    return f"Mean of {seeds(n)} with its 95 % {kind}interval{single}."


def ended(runs: int, diverged: int, failed: int) -> str:
    """How many runs diverged, and how many failed and do not count; "" if none."""
    words = [f"{diverged} of {runs - failed} diverged"] if diverged else []
    return ", ".join([*words, *([f"{failed} failed"] if failed else [])])


def how_ended(runs: DataFrame) -> str:
    """`ended` of a frame with one row or more for each run."""
    status = runs.drop_duplicates("run_id")["status"].astype(str).tolist() if "status" in runs else []
    return ended(len(status), status.count("diverged"), status.count("failed"))
