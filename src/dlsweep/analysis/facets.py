"""Facets: the panels of a figure, one for each pair of levels of two factors, and the levels of its lines."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, get_args

import numpy as np

from dlsweep.errors import UsageError
from dlsweep.text import nearest, without_setting
from dlsweep.types import DataFrame, NameOf, Series, Split

PLACES = ("rows", "columns", "lines")  # where a figure can show a factor
COLUMNS = ("split", "seed", "arm")  # of a frame; they can have a place too

# In the annotations of a plot's settings. A config that names an unknown factor, split or setting is then refused.
FactorName = Annotated[str, NameOf("factor", COLUMNS)]
SplitName = Annotated[Split, NameOf("split")]
SettingName = Annotated[str, NameOf("setting")]

MOST_LINES = 8  # colours that readers can tell apart

Cell = tuple[int, int]  # the row and the column of a panel


@dataclass(frozen=True)
class Facets:
    """Frame divided into panels. `for cell, part in facets` gives each panel's row and column, and its rows.

    frame: a tidy frame with a column `arm` and a column of words for each factor. rows, columns, lines: the factor (or
    "split", "seed", "arm") in each place, None for an empty place. left: factors that vary and have no place: a figure
    of the whole frame would average over them.
    """

    frame: DataFrame = field(compare=False, repr=False)
    rows: str | None = None
    columns: str | None = None
    lines: str | None = None
    left: tuple[str, ...] = ()

    @classmethod
    def of(cls, frame: DataFrame, given: Mapping[str, Any], places: Collection[str] = PLACES) -> Facets:
        """Check the given factors and choose a factor for each other place.

        One factor that varies makes lines, or columns if its levels are many words; two make rows and columns; a third
        makes lines again. Without lines, one factor makes columns. Where x is a numeric setting, few panels with
        several lines are easier to read: the last factor makes lines. A factor that moves together with the given ones,
        or with x, needs no place. Where arms have a place, no factor is left. A `UsageError` names a factor that is
        missing or has two places.

        given: the plot's settings, of which `rows`, `columns`, `lines` and `x` count. places: the plot's places.
        """
        rows, columns, lines = (given.get(name) if name in places else None for name in PLACES)
        asked = [name for name in (rows, columns, lines) if name is not None]
        for name in asked:
            if name not in frame.columns:
                known = [*factors(frame), *(c for c in COLUMNS if c in frame.columns)]
                raise UsageError(f"there is no factor {name!r} for {_either(places)}{nearest(name, known)}")
            if asked.count(name) > 1:
                raise UsageError(f"{name!r} can have one place only: {_either(places)}")

        x = given.get("x") or ""
        told = [f for f in factors(frame) if follows(frame, f, asked) or ("." in x and _together(frame, f, x))]
        left = [f for f in varying(frame) if f not in (*asked, *told)]
        if "arm" in (x, *asked):
            left = []
        empty = [rows, columns].count(None)
        if lines is None and "lines" in places:
            if (left and "." in x) or (len(left) == 1 and empty == 2 and _tell_apart(frame, left[0])):
                lines = left.pop()
            elif len(left) > empty:
                lines = left.pop(empty)
            elif "split" not in asked and "split" in frame.columns:
                lines = "split"
        if rows is None and "rows" in places and len(left) > (columns is None):
            rows = left.pop(0)
        if columns is None and "columns" in places and left:
            columns = left.pop(0)
        return cls(frame, rows, columns, lines, tuple(left))

    @property
    def places(self) -> dict[str, str]:
        """Factor in each place that is not empty."""
        found = {name: getattr(self, name) for name in PLACES}
        return {name: factor for name, factor in found.items() if factor is not None}

    @cached_property
    def row_levels(self) -> list[str]:
        """Level of each row of panels; [""] without a factor."""
        return levels(self.frame, self.rows) if self.rows else [""]

    @cached_property
    def column_levels(self) -> list[str]:
        """Level of each column of panels; [""] without a factor."""
        return levels(self.frame, self.columns) if self.columns else [""]

    @property
    def shape(self) -> Cell:
        """Number of rows and columns of panels."""
        return len(self.row_levels), len(self.column_levels)

    @property
    def fixed(self) -> dict[str, str]:
        """Level of each factor that has one level in this frame and several in the sweep."""
        others = [f for f in factors(self.frame) if f not in self.places.values()]
        of = {f: levels(self.frame, f) for f in others}
        return {f: of[f][0] for f in others if len(of[f]) == 1 < len(all_levels(self.frame, f))}

    def __iter__(self) -> Iterator[tuple[Cell, DataFrame]]:
        return self.parts(self.frame)

    def parts(self, frame: DataFrame) -> Iterator[tuple[Cell, DataFrame]]:
        """Divide another frame of the same sweep into the same panels. Each panel holds the rows of every split."""
        rows = self._masks(frame, self.rows, self.row_levels)
        columns = self._masks(frame, self.columns, self.column_levels)
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                yield (i, j), frame[row & column]

    def _masks(self, frame: DataFrame, factor: str | None, names: Sequence[str]) -> list[Any]:
        if factor is None or factor == "split":
            return [np.ones(len(frame), bool)] * len(names)
        words = labels(frame, factor)
        return [words == name for name in names]

    def levels_at(self, cell: Cell, line: str = "") -> dict[str, str]:
        """Level of each placed factor in a panel, and of a line in it."""
        found = {self.rows: self.row_levels[cell[0]], self.columns: self.column_levels[cell[1]], self.lines: line}
        return {factor: level for factor, level in found.items() if factor and level}

    def tidy(self, parts: Iterable[tuple[Cell, str, Mapping[str, Any]]], columns: Sequence[str]) -> DataFrame:
        """Return numbers as one frame that begins with the levels of their panel and line.

        parts: each with its panel, the level of its line or "", and its columns or the values of one row. columns: of a
        frame without parts.
        """
        import pandas as pd

        found = ({**self.levels_at(cell, line), **numbers} for cell, line, numbers in parts)
        frames = [pd.DataFrame(one if any(map(np.ndim, one.values())) else [one]) for one in found]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(columns))

    @classmethod
    def whole(cls, frame: DataFrame, given: Mapping[str, Any], places: Collection[str] = ()) -> Facets:
        """Give no factor a place: for a figure that shows all arms together."""
        return cls(frame)

    def on(self, frame: DataFrame) -> Facets:
        """Same places for another frame."""
        return replace(self, frame=frame)


def _tell_apart(frame: DataFrame, factor: str) -> bool:
    """True if lines in one panel can show the levels of a factor: there are few, or they are numbers in order."""
    found = levels(frame, factor)
    return len(found) <= MOST_LINES or len({re.sub(r"[-+\d.e]+$", "", level) for level in found}) == 1


def follows(frame: DataFrame, factor: str, others: Collection[str]) -> bool:
    """True if each combination of levels of the others has a single level of the factor."""
    by = [name for name in others if name != "split"]
    return bool(by) and bool(frame.groupby(by, observed=True)[factor].nunique().max() < 2)


def _together(frame: DataFrame, factor: str, x: str) -> bool:
    """True if a factor and a setting have a single value for each of the other."""
    return follows(frame, factor, [x]) and follows(frame, x, [factor])


def moving_with(frame: DataFrame, x: str) -> dict[str, dict[str, str]]:
    """Return the other settings that change together with a setting, each with its level by the setting's value."""
    found = {}
    frame = frame.sort_values(x)
    settings = (column for column in map(str, frame.columns) if "." in column and not column.endswith(".value"))
    for name in (column for column in settings if column != x):
        pairs = frame[[x, name]].drop_duplicates()
        by = dict(zip(labels(pairs, x), labels(pairs, name)))
        moves = len(set(by.values())) > 1 and any(value != level for value, level in by.items())
        if moves and _together(frame, name, x):
            found[name] = by
    return found


def _either(places: Collection[str]) -> str:
    """Return the places in words: "rows, columns or lines"."""
    *most, last = (name for name in PLACES if name in places)
    return f"{', '.join(most)} or {last}" if most else last


def refuse_mixed(group: DataFrame, what: str, places: Collection[str] = PLACES) -> None:
    """Raise a `UsageError` if the group holds several arms: a mean over it would hide the factors that differ."""
    if group["arm"].nunique() > 1:
        mixed = [f for f in factors(group) if group[f].nunique() > 1]
        raise UsageError(f"a {what} would be the mean over {' and '.join(mixed)}; show it as {_either(places)}")


def along(frame: DataFrame, x: str | None) -> tuple[DataFrame, str]:
    """Prepare a frame of runs for an axis of a numeric setting; return it with the setting's name.

    x: the setting; None for the one that varies most. Its column becomes numbers, NaN for an arm without the setting.
    A factor whose levels name the setting loses that part: "sgd lr=0.1" becomes "sgd". A `UsageError` says that there
    is no such setting, or none that varies.
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
    owner, _, setting = x.rpartition(".")
    frame = frame.assign(**{x: numeric[x].astype(float)})
    if (factor := owner.partition(".")[0]) in factors(frame):
        without = {level: without_setting(level, setting) for level in all_levels(frame, factor)}
        names = labels(frame, factor).map(without)
        frame[factor] = pd.Categorical(names, list(dict.fromkeys(without.values())))
    return frame, x


def factors(frame: DataFrame) -> list[str]:
    """Return the factors of the frame: its columns of words, without those that describe a run or a measurement."""
    from pandas.api.types import is_numeric_dtype

    histograms = ("activation_histogram", "weight_histogram")
    others = (*COLUMNS, "run_id", "status", "error", "landscape", "layer", *histograms)
    return [str(c) for c in frame.columns if c not in others and not is_numeric_dtype(frame[c].dtype)]


def varying(frame: DataFrame) -> list[str]:
    """Return the factors with more than one level in the frame."""
    return [f for f in factors(frame) if len(levels(frame, f)) > 1]


def levels(frame: DataFrame, factor: str) -> list[str]:
    """Return a factor's levels in the frame: in the sweep's order where the column is categorical, else sorted."""
    used = set(labels(frame, factor).dropna())
    return [level for level in all_levels(frame, factor) if level in used]


def all_levels(frame: DataFrame, factor: str) -> list[str]:
    """Return a factor's levels in the sweep, including levels that the frame lacks."""
    column = frame[factor]
    if factor == "arm":
        return list(dict.fromkeys(column.astype(str)))
    if factor == "split":  # in the order of every legend
        return [split for split in get_args(Split) if (column == split).any()]
    if hasattr(column, "cat"):
        return [str(level) for level in column.cat.categories]
    return list(dict.fromkeys(map(_label, sorted(column.dropna().unique()))))


def arms(frame: DataFrame, placed: Collection[str | None]) -> tuple[Series[str], str]:
    """Return each row's arm, named by the factors that vary and have no place; and the name of such names."""
    import pandas as pd

    left = [f for f in varying(frame) if f not in placed]
    names = [", ".join(words) for words in zip(*(labels(frame, f) for f in left))] if left else ["all"] * len(frame)
    return pd.Series(names, frame.index), left[0] if len(left) == 1 else "arm"


def labels(frame: DataFrame, factor: str) -> Series[str]:
    """Return the factor's column as words: numbers (a learning rate) as they are written."""
    return frame[factor].map(_label, na_action="ignore")


def pages(frame: DataFrame, left: Sequence[str]) -> Iterator[tuple[dict[str, str], DataFrame]]:
    """Divide a frame by the factors without a place: a figure for each combination of their levels."""
    if not left:
        yield {}, frame
    for level in levels(frame, left[0]) if left else ():
        for page, part in pages(frame[labels(frame, left[0]) == level], left[1:]):
            yield {left[0]: level, **page}, part


def _label(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
