"""Which factor is shown as rows of panels, as columns and as lines; and the levels of a factor, in their order."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlsweep.config.plots import COLUMNS, PLACES
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


def place(frame: DataFrame, given: Mapping[str, str | None], places: Collection[str] = PLACES) -> Placed:
    """Check the factors that are given and choose what is not: one factor that varies makes lines, two make rows and
    columns, a third makes lines again. A `UsageError` says which factor is not there, or has two places.

    places: those that a plot has. Without lines, one factor makes columns. Where x is a numeric setting, a plot of few
    panels with several lines is easier to read: the last factor makes lines. A factor that moves together with those
    that are given, or with x, needs no place; where arms have one, nothing is left.
    """
    rows, columns, lines = (given.get(name) for name in PLACES)
    asked = [name for name in (rows, columns, lines) if name is not None]
    for name in asked:
        if name not in frame.columns:
            known = [*factors(frame), *(c for c in COLUMNS if c in frame.columns)]
            raise UsageError(f"there is no factor {name!r} for {_either(places)}{nearest(name, known)}")
        if asked.count(name) > 1:
            raise UsageError(f"{name!r} can have one place only: {_either(places)}")

    x = given.get("x") or ""
    told = [f for f in factors(frame) if _follows(frame, f, asked) or ("." in x and _together(frame, f, x))]
    left = [f for f in factors(frame) if f not in (*asked, *told) and len(levels(frame, f)) > 1]
    if "arm" in (x, *asked):
        left = []
    empty = [rows, columns].count(None)
    if lines is None and "lines" in places:
        if (left and "." in x) or (len(left) == 1 and empty == 2):
            lines = left.pop()
        elif len(left) > empty:
            lines = left.pop(empty)
        elif "split" not in asked and "split" in frame.columns:
            lines = "split"
    if rows is None and "rows" in places and len(left) > (columns is None):
        rows = left.pop(0)
    if columns is None and "columns" in places and left:
        columns = left.pop(0)
    return Placed(rows, columns, lines, tuple(left))


def _follows(frame: DataFrame, factor: str, others: Collection[str]) -> bool:
    """Whether each combination of levels of the others has a single level of the factor."""
    by = [name for name in others if name != "split"]
    return bool(by) and bool(frame.groupby(by, observed=True)[factor].nunique().max() < 2)


def _together(frame: DataFrame, factor: str, x: str) -> bool:
    """Whether a factor and a setting have a single value for each of the other."""
    return _follows(frame, factor, [x]) and _follows(frame, x, [factor])


def _either(places: Collection[str]) -> str:
    """The places in words: "rows, columns or lines"."""
    *most, last = (name for name in PLACES if name in places)
    return f"{', '.join(most)} or {last}"


def panel_levels(frame: DataFrame, placed: Placed) -> dict[tuple[int, int], tuple[str, str]]:
    """The levels of rows and columns that each panel stands for, by its row and column; "" without a factor."""
    rows = levels(frame, placed.rows) if placed.rows else [""]
    columns = levels(frame, placed.columns) if placed.columns else [""]
    return {(i, j): (row, column) for i, row in enumerate(rows) for j, column in enumerate(columns)}


def panel(frame: DataFrame, placed: Placed, row: str, column: str) -> DataFrame:
    """The rows of a frame that belong to a panel. A run has curves on every split."""
    for factor, level in ((placed.rows, row), (placed.columns, column)):
        if factor and factor != "split":
            frame = frame[labels(frame, factor) == level]
    return frame


def refuse_mixed(group: DataFrame, what: str, places: Collection[str] = PLACES) -> None:
    """A `UsageError` if the group holds several arms: a mean over it would hide the factors in which they differ."""
    if group["arm"].nunique() > 1:
        mixed = [f for f in factors(group) if group[f].nunique() > 1]
        raise UsageError(f"a {what} would be the mean over {' and '.join(mixed)}; show it as {_either(places)}")


def along(frame: DataFrame, x: str | None) -> tuple[DataFrame, str]:
    """A frame of runs for an axis of a numeric setting, and the setting's name: the one that varies most, if x is None.

    Its column is made numbers, NaN for an arm without the setting; and a factor that says it as well does so no more:
    "sgd lr=0.1" is "sgd". A `UsageError` says that there is no such setting, or none that varies.
    """
    import pandas as pd

    numeric = {c: pd.to_numeric(frame[c].astype(object), errors="coerce") for c in map(str, frame) if "." in c}
    counts = {name: values.nunique() for name, values in numeric.items() if values.notna().any()}
    if x is None:
        x = max(counts, key=lambda name: counts[name], default="")
        if counts.get(x, 0) < 2:
            raise UsageError("there is nothing to show along x: no numeric setting varies")
    if x not in counts:
        raise UsageError(f"there is no numeric setting {x!r} for x{nearest(x, counts)}")
    field, _, setting = x.rpartition(".")
    frame = frame.assign(**{x: numeric[x].astype(float)})
    if (factor := field.partition(".")[0]) in factors(frame):
        said = re.compile(rf" {re.escape(setting)}=\S+")
        without = {level: said.sub("", level) for level in all_levels(frame, factor)}
        names = labels(frame, factor).map(without)
        frame[factor] = pd.Categorical(names, list(dict.fromkeys(without.values())))
    return frame, x


def factors(frame: DataFrame) -> list[str]:
    """The factors in the frame: its columns of words that do not say something else."""
    from pandas.api.types import is_numeric_dtype

    histograms = ("activation_histogram", "weight_histogram")
    others = (*COLUMNS, "run_id", "status", "error", "landscape", "layer", *histograms)
    return [str(c) for c in frame.columns if c not in others and not is_numeric_dtype(frame[c].dtype)]


def levels(frame: DataFrame, factor: str) -> list[str]:
    """The levels of a factor in the frame: in the sweep's order where the column is categorical, else sorted."""
    used = set(labels(frame, factor).dropna())
    return [level for level in all_levels(frame, factor) if level in used]


def all_levels(frame: DataFrame, factor: str) -> list[str]:
    """All levels that a factor has in the sweep, those that are not in the frame included."""
    column = frame[factor]
    if factor == "arm":
        return list(dict.fromkeys(column.astype(str)))
    if factor == "split":  # in the one order that legends have
        return [split for split in style.SPLITS if (column == split).any()]
    if hasattr(column, "cat"):
        return [str(level) for level in column.cat.categories]
    return list(dict.fromkeys(map(_label, sorted(column.dropna().unique()))))


def arms(frame: DataFrame, placed: Collection[str | None]) -> tuple[Series[str], str]:
    """Each row's arm, named by the factors that vary and are not placed already; and what to call such a name."""
    import pandas as pd

    left = [f for f in factors(frame) if f not in placed and len(levels(frame, f)) > 1]
    names = [", ".join(words) for words in zip(*(labels(frame, f) for f in left))] if left else ["all"] * len(frame)
    return pd.Series(names, frame.index), left[0] if len(left) == 1 else "arm"


def labels(frame: DataFrame, factor: str) -> Series[str]:
    """The factor's column as words: numbers (a learning rate) as they are written."""
    return frame[factor].map(_label, na_action="ignore")


def _label(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
