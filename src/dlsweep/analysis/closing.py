"""Leaderboard for readers: the rows that are asked for, as a table with its notes in every form, or values for JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from dlsweep.analysis.board import Asked, Board
from dlsweep.analysis.frames import ENDED, csv_of, metric_columns, summary
from dlsweep.analysis.leaderboard import ensembles, rows_of
from dlsweep.analysis.metrics import metric_of
from dlsweep.analysis.notes import ALIKE, notes
from dlsweep.analysis.predictions import with_new_images
from dlsweep.errors import UsageError
from dlsweep.metrics import Metric
from dlsweep.storage.results import Results
from dlsweep.tabular import Column, Form, interval_texts, json_value, measured_each, table_of, with_notes
from dlsweep.text import measured, nearest, number, printable, significant
from dlsweep.types import DataFrame, Series

MOST = 50  # arms that `run` shows
SHORT = ("low", "high", "difference", "pairing", "iteration", "not_reached", "ensemble")  # names of columns to sort by


class Shown(NamedTuple):
    """Rows of a leaderboard that are shown. names: columns that tell rows apart; left: the number of other rows."""

    board: Board
    frame: DataFrame
    names: list[str]
    left: int

    @staticmethod
    def of(results: Results, asked: Asked) -> Shown:
        """Rows that are asked for, in their order."""
        board = Board(results, asked)
        frame = rows_of(board)
        if asked.sort_by is not None:
            frame = _sorted(frame, asked.sort_by, board)
        varying = [factor for factor in board.factors if asked.rows != "factors" and frame[factor].nunique() > 1]
        names = {"arms": varying or ["arm"], "factors": ["factor", "level"], "runs": [*varying, "seed", *board.sources]}
        shown = with_new_images(board, frame if asked.top is None else frame.head(asked.top))
        return Shown(board, shown, names[asked.rows], len(frame) - len(shown))

    @property
    def rows(self) -> str:
        """Kind of rows: arms, factors or runs."""
        return self.board.asked.rows

    @property
    def numbers(self) -> DataFrame:
        """Frame with the iteration in the names of its metrics, if one is given."""
        frame = self.frame
        for metric in self.board.metrics:
            new = self.board.label(metric).replace(" ", "_")
            frame = frame.set_axis(frame.columns.str.replace(f"^{re.escape(metric.name)}", new, regex=True), axis=1)
        return frame

    @property
    def minus(self) -> str:
        """Name of the reference in the head of a column of differences."""
        given = ", ".join(map(str, self.board.asked.reference.values()))
        return f"{given} or the best" if given and self.rows == "factors" else given or "the best"

    @property
    def several(self) -> bool:
        """True if there is an arm to compare with."""
        return len(self.board.arms[2]) > 1 and any(one.reference is not None for one in self.board.compared)

    @property
    def seeds(self) -> tuple[int, int]:
        """Fewest and the most runs of an arm that count."""
        n = self.frame["n"] if self.rows != "runs" else [1]
        return min(n, default=0), max(n, default=0)


def _sorted(frame: DataFrame, column: str, board: Board) -> DataFrame:
    """Sort by a column: metrics and differences with the better ones first, others from small to large."""
    name = board.metrics[0].name
    short = {end: f"{name}_{end}" for end in SHORT if f"{name}_{end}" in frame}
    try:
        found = column if column in frame else short.get(column) or metric_of(board.results, column).name
    except UsageError:
        found = ""
    if found not in frame:
        raise UsageError(f"there is no column {column!r} to sort by{nearest(column, {*map(str, frame), *short})}")
    metric = next((one for one in board.metrics if found in (one.name, f"{one.name}_difference")), None)
    return frame.sort_values(found, ascending=metric is None or metric.less_is_better is not False, kind="stable")


def text(shown: Shown, form: Form = "plain") -> str:
    """Return a leaderboard as a table with its notes; in CSV all numbers, and no notes."""
    if form == "csv":
        return csv([shown])
    told = table_of(_columns(shown), form)
    return with_notes(told, notes(shown), form)


def _columns(shown: Shown) -> Iterator[Column]:
    """Yield the names of the rows, their metrics, and how their runs ended."""
    for name in shown.names:
        yield Column(name, shown.frame[name].astype(str).tolist(), right=name.startswith("seed"))
    for metric in shown.board.metrics:
        yield from _of_runs(shown, metric) if shown.rows == "runs" else _of_arms(shown, metric)
    if shown.rows == "runs":
        yield Column("status", shown.frame["status"].astype(str).tolist(), right=False)
    else:
        yield Column("n", shown.frame["n"].astype(str).tolist())
        for status in ENDED:
            if shown.frame[status].any():
                yield Column(status, shown.frame[status].astype(str).tolist())
    if "seconds" not in [metric.name for metric in shown.board.metrics]:
        yield Column("seconds", [significant(value, 3) for value in shown.frame["seconds"]])


def _of_arms(shown: Shown, metric: Metric) -> Iterator[Column]:
    """Yield the columns of a metric: marks, mean, interval, and the difference with its interval."""
    frame, name = shown.frame, metric.name
    columns = (column for column in map(str, frame) if column.startswith(f"{name}_"))
    own = {column.removeprefix(f"{name}_"): frame[column] for column in columns}
    if shown.several and shown.seeds[1] > 1 and metric.less_is_better is not None:
        marks = ["best" if best else ALIKE if alike else "" for best, alike in zip(own["best"], own["marked"])]
        yield Column("", marks, right=False)
    begin = ("low", "high", *["new_images"] * (not shown.several))  # of several arms, for differences only
    ends = {end: column for end, column in own.items() if end.startswith(begin)}
    yield from _with_intervals(shown, shown.board.label(metric), frame[name], ends)
    for end, header in (("iteration", "at iteration"), ("not_reached", "not reached")):
        if end in own:
            yield Column(header, list(map(significant, own[end])))
    if "ensemble" in own:
        yield Column("ensemble", list(map(number, own["ensemble"])))
    if shown.several and (metric.less_is_better is not None or shown.board.asked.reference):
        ends = {end.removeprefix("difference_"): column for end, column in own.items() if end.startswith("difference_")}
        difference = own["difference"].where(~own["reference"])
        yield from _with_intervals(shown, f"minus {shown.minus}", difference, ends, sign=True)


def _with_intervals(
    shown: Shown, header: str, values: Series[float], ends: Mapping[str, Any], *, sign: bool = False
) -> Iterator[Column]:
    """Yield the column of some values, of their intervals and, if there are any, of those on new images."""
    yield Column(header, measured_each(values, ends["low"], ends["high"], sign=sign))
    for of, name in (("", "95 % interval"), ("new_images_", "on new images")):
        if shown.seeds[1] > 1 and f"{of}low" in ends:
            low = ends[f"{of}low"].where(values.notna())
            yield Column(name, interval_texts(low, ends[f"{of}high"], sign=sign))


def _of_runs(shown: Shown, metric: Metric) -> Iterator[Column]:
    frame, name = shown.frame, metric.name
    yield Column(shown.board.label(metric), list(map(number, frame[name])))
    if f"{name}_iteration" in frame:
        yield Column("at iteration", list(map(significant, frame[f"{name}_iteration"])))
    if shown.several and f"{name}_difference" in frame:
        differences = frame[f"{name}_difference"]
        yield Column(f"minus {shown.minus}", [measured(d, np.nan, sign=True) for d in differences])


def csv(boards: Sequence[Shown]) -> str:
    """Return all numbers of some leaderboards as CSV; of several, the first column names the sweep."""
    return csv_of([(one.board.results.name, one.numbers) for one in boards])


def closing_table(results: Results, metric: str | None = None, *, most: int | None = None) -> str:
    """Return the leaderboard that `run` ends with: the best `most` arms, and its notes."""
    return text(Shown.of(results, Asked([metric] if metric else [], top=most)))


def page(results: Results) -> str:
    """Return the leaderboard of arms as HTML, for notebooks."""
    board = text(Shown.of(results, Asked(top=MOST)), "html")
    return f"<p><b>{escape(printable(results.name))}</b> {escape(printable(str(results.folder)))}</p>\n{board}"


def closing_data(results: Results, asked: Asked | None = None) -> dict[str, Any]:
    """Return every metric of every arm with its interval, and the leaderboard, as values for JSON."""
    arms = summary(results.runs)
    names = metric_columns(results.runs)
    together = {m: values for m in names if (values := ensembles(results, metric_of(results, m)))}
    shown = Shown.of(results, asked or Asked()) if len(arms) else None
    found: dict[str, Any] = json_value(
        {
            "name": results.name,
            "folder": str(results.folder),
            "runs": {"total": len(results.runs), **results.counts},
            "arms": [
                {
                    "arm": str(arm["arm"]),
                    "factors": {factor: str(arm[factor]) for factor in results.record.levels},
                    **{column: int(arm[column]) for column in ("n", *ENDED)},
                    "metrics": {m: {"mean": arm[m], "low": arm[f"{m}_low"], "high": arm[f"{m}_high"]} for m in names},
                    **({"ensemble": {m: of.get(str(arm["arm"])) for m, of in together.items()}} if together else {}),
                }
                for arm in arms.to_dict("records")
            ],
            "leaderboard": shown.numbers.to_dict("records") if shown else [],
            "notes": notes(shown) if shown else [],
        }
    )
    return found
