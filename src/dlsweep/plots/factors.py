"""Which factor is shown as rows of panels, as columns and as lines; and the levels of a factor, in their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlsweep.config.plots import COLUMNS
from dlsweep.errors import UsageError
from dlsweep.plots import style
from dlsweep.plots.base import DataFrame
from dlsweep.registry import nearest

if TYPE_CHECKING:
    from pandas import Series


@dataclass(frozen=True)
class Placed:
    """The factor (or "split", "seed", "arm") in each place, None where a place stays empty.

    left: factors that vary and have no place: a figure would have to average over them.
    """

    rows: str | None
    columns: str | None
    lines: str | None
    left: tuple[str, ...]


def place(frame: DataFrame, rows: str | None, columns: str | None, lines: str | None) -> Placed:
    """Check the factors that are given and choose what is not: one factor that varies makes lines, two make rows and
    columns, a third makes lines again. A `UsageError` says which factor is not there, or has two places."""
    given = [name for name in (rows, columns, lines) if name is not None]
    for name in given:
        if name not in frame.columns:
            known = [*factors(frame), *(c for c in COLUMNS if c in frame.columns)]
            raise UsageError(f"there is no factor {name!r} for rows, columns or lines{nearest(name, known)}")
        if given.count(name) > 1:
            raise UsageError(f"{name!r} can have one place only, as rows, as columns or as lines")

    left = [f for f in factors(frame) if f not in given and len(levels(frame, f)) > 1 and "arm" not in given]
    empty = [rows, columns].count(None)
    if lines is None:
        if len(left) == 1 and empty == 2:
            lines = left.pop()
        elif len(left) > empty:
            lines = left.pop(empty)
        elif "split" not in given:
            lines = "split"
    if rows is None and len(left) > (columns is None):
        rows = left.pop(0)
    if columns is None and left:
        columns = left.pop(0)
    return Placed(rows, columns, lines, tuple(left))


def factors(frame: DataFrame) -> list[str]:
    """The factors in the frame: its columns of words that do not say something else."""
    from pandas.api.types import is_numeric_dtype

    others = (*COLUMNS, "run_id", "status", "error", "landscape")
    return [str(c) for c in frame.columns if c not in others and not is_numeric_dtype(frame[c].dtype)]


def levels(frame: DataFrame, factor: str) -> list[str]:
    """The levels of a factor in the frame: in the sweep's order where the column is categorical, else sorted."""
    used = set(labels(frame, factor).dropna())
    return [level for level in all_levels(frame, factor) if level in used]


def all_levels(frame: DataFrame, factor: str) -> list[str]:
    """All levels that a factor has in the sweep, those that are not in the frame included."""
    column = frame[factor]
    if factor == "split":  # in the one order that legends have
        return [split for split in style.SPLITS if (column == split).any()]
    if hasattr(column, "cat"):
        return [str(level) for level in column.cat.categories]
    return list(dict.fromkeys(map(_label, sorted(column.dropna().unique()))))


def labels(frame: DataFrame, factor: str) -> Series[str]:
    """The factor's column as words: numbers (a learning rate) as they are written."""
    return frame[factor].map(_label, na_action="ignore")


def _label(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
