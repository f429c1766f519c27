"""Read parts, and check that their rows fit: in runs/ the name of the part, in other tables the runs of the chunk.

A checksum shows that a part is as it was written. A received folder may hold a part that another program wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlsweep.storage import changes, parts, predictions
from dlsweep.storage.folder import Folder
from dlsweep.storage.parts import Damaged
from dlsweep.storage.tables import STATUSES, WORD
from dlsweep.types import Array, Split

# The columns that identify a row. A row of ensembles/ belongs to an arm, all others to a run.
IDENTITY = ("run_id", "arm", "iteration", "split", "layer")

# A part with more runs, or with a network of more layers, is not read.
_MOST_RUNS, _MOST_LAYERS = 100_000, 10_000


def read_runs(folder: Folder, name: str, schema: pa.Schema) -> pa.Table:
    """Return a part of runs/. Raise `Damaged` if its rows are not those of the runs in its name."""
    rows = parts.read_table(folder, name, schema, most=_MOST_RUNS)
    numbers = {"run_id", "seed", "iterations", "parameters"}
    whole = [f.name for f in schema if f.type == WORD or f.name in numbers or f.name.startswith("seed_")]
    ids = rows["run_id"].to_pylist()
    if parts.joint_name(map(str, ids)) != parts.key(name):
        reason = "its rows are not those of the runs in its name"
    elif len(set(ids)) < len(ids):
        reason = "it has a run twice"
    elif lacking := [column for column in whole if rows[column].null_count and not changes.is_new(rows, column)]:
        reason = f"it has no {lacking[0]} for some runs"
    elif strange := set(rows["status"].unique().to_pylist()) - set(STATUSES):
        reason = f"it has the status {min(strange)!r}"
    elif pc.min(rows["iterations"]).as_py() < 0 or pc.any(pc.less(rows["classes"], 1)).as_py():
        reason = "it has a negative number of iterations, or no classes"
    else:
        return rows
    raise Damaged(folder, name, f"is damaged: {reason}")


def read_others(
    folder: Folder, name: str, schema: pa.Schema, runs: pa.Table, columns: Collection[str] | None = None
) -> pa.Table:
    """Return a part of another table. runs: the rows of its chunk in runs/; columns: some, with those of `IDENTITY`.

    Raise `Damaged` if a row belongs to none of these runs, if a curve does not reach the end of its run, or if
    predictions lack a run that ended well.
    """
    if "predicted" in schema.names:
        rows = parts.read_table(folder, name, schema, most=len(runs))
        if fault := predictions.fault(rows, _ended_well(runs)):
            raise Damaged(folder, name, f"is damaged: {fault}")
        return rows
    by = owner(schema)
    last: dict[str, int] = {}
    for one, iterations in zip(runs[by].to_pylist(), runs["iterations"].to_pylist()):
        last[one] = max(iterations, last.get(one, 0))
    each = _MOST_LAYERS if "layer" in schema.names else len(get_args(Split))
    most = each * (sum(last.values()) + len(last))
    needed = None if columns is None else {*columns, *IDENTITY}.intersection(schema.names)
    rows = parts.read_table(folder, name, schema, most, needed)
    if not any(rows[column].null_count for column in IDENTITY if column in schema.names):
        rows = rows.unify_dictionaries()
        of = rows[by].combine_chunks()
        ends = np.array([last.get(word, -1) for word in of.dictionary.to_pylist()] or [-1])[of.indices.to_numpy()]
        iteration = rows["iteration"].to_numpy()
        if not ((iteration >= 0) & (iteration <= ends)).all():
            reason = "it has rows of other runs or iterations than its part of runs/"
        elif name.startswith("curves/") and not _whole(rows, iteration == ends, runs):
            reason = "the curve of a run does not reach its end"
        else:
            return rows
    else:
        reason = "it has rows without a run, an arm, an iteration, a split or a layer"
    raise Damaged(folder, name, f"is damaged: {reason}")


def owner(schema: pa.Schema) -> str:
    """Return the column with the owner of each row: a run or, in ensembles/, an arm."""
    return "run_id" if "run_id" in schema.names else "arm"


def only(rows: pa.Table, column: str, words: Collection[str]) -> pa.Table:
    """Return the rows that have one of these words in a column."""
    return rows.filter(pc.is_in(rows[column].cast(pa.string()), pa.array(words, pa.string())))


def of_runs(rows: pa.Table, runs: pa.Table) -> pa.Table:
    """Return the rows of another table that belong to these rows of runs/, or to their arms."""
    by = owner(rows.schema)
    return only(rows, by, runs[by].to_pylist())


def of_some(
    folder: Folder, names: Mapping[str, str], schemas: Mapping[str, pa.Schema], rows: pa.Table, runs: Collection[str]
) -> dict[str, pa.Table]:
    """Return the rows of some runs of a chunk in every table. names: of its parts; rows: all of its rows in runs/."""
    own = only(rows, "run_id", runs)
    others = ((t, read_others(folder, names[t], schema, rows)) for t, schema in schemas.items() if t != "runs")
    return {t: of_runs(found, own) for t, found in others} | {"runs": own}


def _whole(curves: pa.Table, at_end: Array, runs: pa.Table) -> bool:
    """Return True if every run that ended well has an evaluation of each split at its last iteration.

    at_end: True for the rows of the last iteration of their run.
    """
    # pyarrow's group_by imports many of its modules, which takes longer than a small sweep.
    run, split = (curves[name].combine_chunks() for name in ("run_id", "split"))
    splits = np.count_nonzero(np.bincount(split.indices.to_numpy()))
    reached = np.zeros((len(run.dictionary), len(split.dictionary)), bool)
    reached[run.indices.to_numpy()[at_end], split.indices.to_numpy()[at_end]] = True
    whole = reached.sum(axis=1) == max(splits, 1)
    return set(_ended_well(runs)["run_id"].to_pylist()) <= set(run.dictionary.filter(pa.array(whole)).to_pylist())


def _ended_well(runs: pa.Table) -> pa.Table:
    """Return the ids and the numbers of classes of the runs that ended well."""
    ended = pc.is_in(runs["status"].cast(pa.string()), pa.array(["done", "stopped"]))
    return runs.select(["run_id", "classes"]).filter(ended)
