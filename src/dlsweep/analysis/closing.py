"""Leaderboard for readers: a table with its notes, in every form; and values for JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from dlsweep.analysis.frames import ENDED, csv_of, metric_columns, summary
from dlsweep.analysis.leaderboard import ensembles
from dlsweep.analysis.metrics import metric_of
from dlsweep.analysis.notes import ALIKE, notes
from dlsweep.analysis.shown import Asked, Shown
from dlsweep.metrics import Metric
from dlsweep.storage.results import Results
from dlsweep.tabular import Column, Form, interval_texts, json_value, markdown, measured_each, table_of
from dlsweep.text import measured, number, printable, significant

if TYPE_CHECKING:
    from pandas import Series

MOST = 50  # arms that `run` shows


def text(shown: Shown, form: Form = "plain") -> str:
    """Return a leaderboard as a table with its notes; in CSV all numbers, and no notes."""
    if form == "csv":
        return csv([shown])
    told = table_of([*_names(shown), *_metrics(shown), *_counts(shown)], form)
    return with_notes(told, notes(shown), form)


def with_notes(told: str, sentences: list[str], form: Form) -> str:
    """Return a table with sentences below it."""
    return told + _NOTES[form](sentences) if sentences else told


def _names(shown: Shown) -> Iterator[Column]:
    for name in shown.names:
        yield Column(name, shown.frame[name].astype(str).tolist(), right=name.startswith("seed"))


def _metrics(shown: Shown) -> Iterator[Column]:
    for metric in shown.board.metrics:
        yield from _of_runs(shown, metric) if shown.rows == "runs" else _of_arms(shown, metric)


def _counts(shown: Shown) -> Iterator[Column]:
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
    if shown.several and (metric.less_is_better is not None or shown.board.reference):
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


_NOTES: dict[str, Callable[[list[str]], str]] = {
    "plain": lambda notes: "".join(f"\n{printable(note)}" for note in ["", *notes]),
    "markdown": lambda notes: "\n" + "".join(f"\n- {markdown(note)}" for note in notes),
    "latex": lambda notes: "".join(f"\n% {printable(note)}" for note in notes),
    "html": lambda notes: f"\n<p>{'<br>'.join(escape(printable(note)) for note in notes)}</p>",
}


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
