"""A sweep whose config has changed: older rows, with the arms and the columns of the config.

An id identifies a run. Its arm, labels and columns depend on the whole config: a second level of a factor renames the
arms, a new optimizer adds a column. For runs whose rows have another arm or other labels, `sweep.json` has the present
ones; it also has the ids of the runs that the config does not ask for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from dlsweep.config import Config
from dlsweep.config.claims import Claim
from dlsweep.config.runs import Run
from dlsweep.factors import BY_NAME
from dlsweep.text import NUMBER, identifier
from dlsweep.types import DataFrame

if TYPE_CHECKING:
    from dlsweep.storage.record import Record


def differing(
    config: Config, committed: Iterable[pa.Table], asked: Iterable[Run]
) -> tuple[dict[str, list[str]], list[str]]:
    """Return the arm and labels of the runs whose rows have others, by id; and the runs that are not asked for."""
    stored: dict[str, list[str | None]] = {}
    for rows in committed:
        ids = rows["run_id"].to_pylist()
        columns = [
            rows[c].to_pylist() if c in rows.column_names else [None] * len(ids) for c in ("arm", *config.factors)
        ]
        stored |= dict(zip(ids, map(list, zip(*columns, strict=True)), strict=True))
    relabelled: dict[str, list[str]] = {}
    for run in asked if stored else ():
        labels = [run.arm.name, *(run.arm.levels[factor] for factor in config.factors)]
        if run.id in stored and stored.pop(run.id) != labels:
            relabelled[run.id] = labels
    return relabelled, sorted(stored)


def claims(config: Config, old: Record | None, trained: bool) -> dict[str, Any]:
    """Return the claims of a config as fields of a record, with those that were stated after the results.

    old: the record so far; trained: True if the folder has results. A claim is `late` unless it was stated before any
    run was trained, with the same level of the tests; it may have been removed for a while. A claim that the config no
    longer has is `removed`.
    """
    names = [claim.name for claim in config.claims]
    now = {claim.name: _digest(claim, config.alpha) for claim in config.claims}
    early = [_digest(claim, old.alpha) for claim in old.claims if claim.name not in old.late] if old else []
    early += old.early if old else []
    late = [name for name in names if trained and now[name] not in early]
    gone = [*old.removed, *(claim.name for claim in old.claims if trained)] if old else []
    return {
        "claims": config.claims,
        "alpha": config.alpha,
        "late": late,
        "removed": [name for name in dict.fromkeys(gone) if name not in names],
        "early": [one for one in dict.fromkeys(early) if trained and one not in now.values()],
    }


def _digest(claim: Claim, alpha: float) -> str:
    """Return a hash of a claim, without the verdict that is expected, and of the level of the tests."""
    content = json.dumps([asdict(claim.question), alpha], sort_keys=True)
    return identifier(content)


def as_now(
    frame: DataFrame, runs: Iterable[str], factors: Iterable[str], relabelled: Mapping[str, list[str]]
) -> DataFrame:
    """Return the rows of the runs that a config asks for, with the arms and the labels that it gives them.

    runs: the ids of these runs. The rows of an ensemble have the id of one of its members.
    """
    frame = frame[frame["run_id"].isin(set(runs))]
    words = {str(column): frame[column].cat.remove_unused_categories() for column in frame.select_dtypes("category")}
    keys = frame["run_id"].astype(str)
    for i, column in enumerate(("arm", *factors) if relabelled else ()):
        now = keys.map({run: own[i] for run, own in relabelled.items()})
        words[column] = now.where(now.notna(), words[column].astype(object)).astype("category")
    return frame.assign(**words)


def with_members(rows: pa.Table, runs: pa.Table) -> pa.Table:
    """Return a part's rows of ensembles with the id of a run of their arm. Arms of two parts may have the same name.

    runs: the rows of runs/ of the same part.
    """
    arms, of = (table["arm"].cast(pa.string()) for table in (runs, rows))
    return rows.append_column("run_id", runs["run_id"].take(pc.index_in(of, arms.combine_chunks())))


def with_columns(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a part's table with the columns of a schema; those that it lacks are null."""
    if table.schema.equals(schema):
        return table
    return pa.table([_column(table, field) for field in schema], schema=schema.with_metadata(table.schema.metadata))


def _column(table: pa.Table, field: pa.Field) -> Any:
    """Return a column of a part with the type of a field. A setting may have been a factor, whose labels are words."""
    if field.name not in table.column_names:
        return pa.nulls(len(table), field.type)
    column = table[field.name]
    if column.type == field.type:
        return column
    if field.type != pa.float64():
        return pa.nulls(len(table), field.type)
    words = column.to_pylist()
    return pa.array([float(word) if word and NUMBER.fullmatch(word) else None for word in words], field.type)


def fits(own: pa.Schema, schema: pa.Schema) -> bool:
    """Tell if a part has the columns of a schema, except for those of factors and of settings."""
    if own.equals(schema):
        return True
    fixed = {name for name in {*own.names, *schema.names} if not _may_change(name)}
    there = fixed.intersection(own.names, schema.names)
    return there == fixed and all(own.field(name).type == schema.field(name).type for name in fixed)


def is_new(rows: pa.Table, column: str) -> bool:
    """Tell if a column belongs to a factor that the sweep did not have yet when these rows were written."""
    return _may_change(column) and rows[column].null_count == len(rows)


def _may_change(column: str) -> bool:
    """Tell if a column belongs to a factor or a setting, which a changed config may have or not."""
    return column in BY_NAME or "." in column
