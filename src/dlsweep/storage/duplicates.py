"""Runs that are in two parts: a worker outlived its killed runner, and wrote a chunk of which the next one cut others.

A run has the same numbers whenever it is trained, so it counts once. Other numbers are a conflict.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlsweep.storage import contents, parts

# Columns of runs/ that two trainings of one run need not share.
ASIDE = {"seconds", "error"}


@dataclass(frozen=True)
class Counted:
    """Parts of runs/ by what their runs are to those of other parts.

    parts: those that count, each run once. replaced: stems of parts that were united with others. spare: stems of parts
    whose runs are all in these. mixed: stems of parts with some of their runs. conflicts: a sentence, by the stem of a
    part with other numbers for one of their runs.
    """

    parts: dict[str, pa.Table]
    replaced: set[str]
    spare: set[str] = field(default_factory=set)
    mixed: set[str] = field(default_factory=set)
    conflicts: dict[str, str] = field(default_factory=dict)


def counted(found: Mapping[str, pa.Table], given: Collection[str] = ()) -> Counted:
    """Sort parts of runs/, given by stem; large ones count before small ones, those of failed runs last.

    given: columns that the config decides.
    """
    replaced = {stem for rows in found.values() for stem in parts.replaced(rows)}
    found = {stem: rows for stem, rows in found.items() if stem not in replaced}
    if not share_runs(found.values()):
        return Counted(found, replaced)
    ids = {stem: set(rows["run_id"].to_pylist()) for stem, rows in found.items()}
    owner = dict[str, str]()
    for stem in sorted(found, key=lambda stem: (has_failed(found[stem]), -len(found[stem]))):
        if ids[stem].isdisjoint(owner):
            owner |= dict.fromkeys(ids[stem], stem)
    counting = set(owner.values())
    told = Counted({stem: rows for stem, rows in found.items() if stem in counting}, replaced)
    for stem in found.keys() - counting:
        shared = ids[stem] & owner.keys()
        if conflict := other_numbers(found[stem], [found[other] for other in {owner[run] for run in shared}], given):
            told.conflicts[stem] = "{} has different numbers in two parts: {}".format(*conflict)
        else:
            (told.spare if shared == ids[stem] else told.mixed).add(stem)
    return told


def other_numbers(rows: pa.Table, known: Iterable[pa.Table], given: Collection[str] = ()) -> tuple[str, str] | None:
    """Return the first run, and its numbers, that rows of runs/ have otherwise than known ones; None if there is none.

    Failed runs have no numbers. given: columns that the config decides.
    """
    own = {} if has_failed(rows) else {row["run_id"]: row for row in rows.to_pylist()}
    for row in chain.from_iterable(contents.only(part, "run_id", [*own]).to_pylist() for part in known if own):
        mine = own[row["run_id"]]
        if column := difference(mine, row, given):
            run = f"the run {row['run_id']} ({mine['arm']}, seed {mine['seed']})"
            return run, f"{column} is {mine[column]} and {row[column]}"
    return None


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


def has_failed(rows: pa.Table) -> bool:
    """Tell if all runs in rows of runs/ have failed."""
    return set(rows["status"].unique().to_pylist()) == {"failed"}
