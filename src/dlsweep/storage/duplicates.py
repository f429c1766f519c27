"""Runs that are in two parts: a worker outlived its killed runner, and wrote a chunk of which the next one cut others.

A run has the same numbers whenever it is trained, so it counts once. Other numbers are a conflict.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# Columns of runs/ that two trainings of one run need not share.
ASIDE = {"seconds", "error"}


@dataclass(frozen=True)
class Counted:
    """Parts of runs/ by what their runs are to those of other parts.

    parts: those that count, each run once. spare: stems of parts whose runs are all in these. mixed: stems of parts
    with some of their runs. conflicts: a sentence, by the stem of a part with other numbers for one of their runs.
    """

    parts: dict[str, pa.Table]
    spare: set[str] = field(default_factory=set)
    mixed: set[str] = field(default_factory=set)
    conflicts: dict[str, str] = field(default_factory=dict)


def counted(found: Mapping[str, pa.Table], given: Collection[str] = ()) -> Counted:
    """Sort parts of runs/, given by stem; large ones count before small ones, those of failed runs last.

    given: columns that the config decides.
    """
    if not share_runs(found.values()):
        return Counted(dict(found))
    ids = {stem: set(rows["run_id"].to_pylist()) for stem, rows in found.items()}
    owner = dict[str, str]()
    for stem in sorted(found, key=lambda stem: (_failed(found[stem]), -len(found[stem]))):
        if ids[stem].isdisjoint(owner):
            owner |= dict.fromkeys(ids[stem], stem)
    counting = set(owner.values())
    told = Counted({stem: rows for stem, rows in found.items() if stem in counting})
    for stem in found.keys() - counting:
        shared = ids[stem] & owner.keys()
        known = [row for other in {owner[run] for run in shared} for row in _rows(found[other], shared)]
        own = {} if _failed(found[stem]) else {row["run_id"]: row for row in _rows(found[stem], shared)}
        conflicts = (_conflict(own[row["run_id"]], row, given) for row in known if own)
        if conflict := next(filter(None, conflicts), ""):
            told.conflicts[stem] = conflict
        else:
            (told.spare if shared == ids[stem] else told.mixed).add(stem)
    return told


def share_runs(found: Iterable[pa.Table]) -> bool:
    """Tell if a run is in two of some parts.

    >>> share_runs([pa.table({"run_id": ["a", "b"]}), pa.table({"run_id": ["c"]})])
    False
    """
    ids = pa.chunked_array([chunk for rows in found for chunk in rows["run_id"].chunks], pa.string())
    return bool(pc.count_distinct(ids).as_py() < len(ids))


def difference(a: Mapping[str, Any], b: Mapping[str, Any], given: Collection[str] = ()) -> str | None:
    """Return the first column in which two rows of one run differ; None if they do not. given: columns left out.

    >>> difference({"final_test_loss": 0.5, "seconds": 1.0}, {"final_test_loss": 0.25, "seconds": 2.0})
    'final_test_loss'
    """
    columns = [column for column in a if column in b and column not in ASIDE and column not in given]
    return next((c for c in columns if a[c] != b[c] and (a[c] == a[c] or b[c] == b[c])), None)


def _failed(rows: pa.Table) -> bool:
    return set(rows["status"].unique().to_pylist()) == {"failed"}


def _rows(part: pa.Table, runs: Collection[str]) -> list[dict[str, Any]]:
    own: list[dict[str, Any]] = part.filter(pc.is_in(part["run_id"], pa.array(runs, pa.string()))).to_pylist()
    return own


def _conflict(row: Mapping[str, Any], known: Mapping[str, Any], given: Collection[str]) -> str:
    column = difference(row, known, given)
    who = f"the run {row['run_id']} ({row['arm']}, seed {row['seed']})"
    return f"{who} has different numbers in two parts: {column} is {row[column]} and {known[column]}" if column else ""
