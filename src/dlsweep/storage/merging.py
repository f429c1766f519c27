"""Unite folders that hold runs of one sweep, such as its shards, in one folder."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlsweep.config.resolved import differences
from dlsweep.errors import ResultsDamaged, UsageError
from dlsweep.storage import compatibility, contents, parts
from dlsweep.storage.folder import Folder, make_folder
from dlsweep.storage.location import located
from dlsweep.storage.opening import open_results
from dlsweep.storage.record import Record
from dlsweep.storage.results import Results
from dlsweep.storage.store import WRITTEN, Committed, Store, statuses
from dlsweep.storage.tables import TABLES

# Columns of runs/ that two trainings of one run need not share.
_ASIDE = ("seconds", "error")


@dataclass(frozen=True)
class Merged:
    """Result of a merge. results: the united folder. added: runs that it did not have.

    known: runs that were there already, or in two of the folders. missing: runs of the config that no folder has.
    machines: descriptions of the processors that trained the runs, if there are several.
    """

    results: Results
    added: int
    known: int
    missing: int
    machines: list[str]


def merge(target: str | Path, sources: Sequence[str | Path]) -> Merged:
    """Copy the runs of some folders into the folder `target`, which may exist, and count them.

    A run is there once, however many folders have it. An interrupted merge is completed by another one. Raise a
    `UsageError` if a folder belongs to a different config, `ResultsDamaged` if two folders have different numbers for
    one run, or if a part is damaged, and `ResultsInUse` while one of the folders is trained.

    >>> import dlsweep
    >>> config = {"name": "two", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 4}
    >>> shards = [dlsweep.run(config, executor="inline", shard=(i, 2)).folder for i in range(2)]
    >>> merged = merge("results/two", shards)
    >>> merged.added, merged.missing, len(merged.results.runs)
    (4, 0, 4)
    """
    target = located(target)
    opened = [open_results(source) for source in sources if located(source).absolute() != target.absolute()]
    if not opened:
        raise UsageError("there is nothing to merge: name the folders of the shards")
    folder = make_folder(target.parent, target.name, (*WRITTEN, "figures"))
    with ExitStack() as held:
        for results in sorted(opened, key=lambda one: str(one.folder.absolute())):
            held.enter_context(results.files.lock())
        held.enter_context(folder.lock())
        old, _ = compatibility.open_record(folder)
        for results in opened:
            _refuse_other(old or opened[0].record, results, target)
        united = _united(old, [results.record for results in opened])
        store = Store(folder, united.tables)
        committed = store.repair()[0] if old else Committed()
        folder.put("sweep.yaml", opened[0].files.get("sweep.yaml"))
        united.write(folder)
        added = known = 0
        for results in opened:
            more, same = _copy(results, store, committed)
            added, known = added + more, known + same
    found = open_results(target)
    asked = {run.id for run in found.expanded.runs()}
    missing = len(asked - statuses(committed).keys())
    machines = sorted({_machine(session) for session in united.sessions})
    return Merged(found, added, known, missing, machines if len(machines) > 1 else [])


def _refuse_other(first: Record, results: Results, target: Path) -> None:
    """Raise a `UsageError` if results are not of the same sweep as a record."""
    own = results.record
    if own.further:
        raise UsageError(f"{results.folder} is being trained further; finish that with `dlsweep run` first")
    different = differences(first.config, own.config)
    if first.randomness_version != own.randomness_version:
        different.append(f"randomness version: {first.randomness_version} there, {own.randomness_version} here")
    if first.tables != own.tables:
        different.append("its tables have other columns")
    if different:
        lines = [f"{results.folder} belongs to a different config than {target}:", *(f"  {line}" for line in different)]
        raise UsageError("\n".join(lines))


def _united(old: Record | None, records: Sequence[Record]) -> Record:
    """Return the record of the united folder: the sessions of all, and the claims that are late in any."""
    every = [*([old] if old else []), *records]
    sessions: list[dict[str, Any]] = []
    for one in every:
        sessions += [session for session in one.sessions if session not in sessions]
    first = records[0]
    late = {name for one in every for name in one.late}
    gone = {name: None for one in every for name in one.removed}
    names = [claim.name for claim in first.claims]
    return replace(
        first,
        shard="",
        earlier="",
        sessions=sessions,
        late=[name for name in names if name in late],
        removed=[name for name in gone if name not in names],
    )


def _copy(results: Results, store: Store, committed: Committed) -> tuple[int, int]:
    """Copy the chunks of some results that a store lacks; return the numbers of runs that are new, and known."""
    source = Store(results.files, results.record.tables, results.record.beside)
    chunks, bad = source.scan()
    if bad:
        raise ResultsDamaged("\n".join([*bad.values(), f"`dlsweep run` trains these runs again in {results.folder}"]))
    listed = {table: parts.listing(source.folder, table) for table in source.tables.schemas}
    there = {row["run_id"]: (stem, row) for stem, rows in committed.items() for row in rows.to_pylist()}
    added = known = 0
    for stem, rows in chunks.items():
        new = [row["run_id"] for row in rows.to_pylist() if _is_new(row, there, results.folder, store.folder)]
        known += len(rows) - len(new)
        if not new:
            continue
        if replaced := {there[run][0] for run in new if run in there}:  # failed runs, each in a part of its own
            store.remove(replaced)
            for one in replaced:
                committed.pop(one, None)
        if len(new) == len(rows):
            files = {listed[table][stem]: source.folder.get(listed[table][stem]) for table in _in_order(listed)}
        else:
            files = _some(source, listed, stem, rows, new)
        weights = [parts.weights_name(run) for run in parts.checksums(rows) if run in new]
        store.commit({name: source.folder.get(name) for name in weights} | files)
        own = parts.joint_name(new)
        committed[own] = rows.filter(pc.is_in(rows["run_id"].cast(pa.string()), pa.array(new)))
        there |= {row["run_id"]: (own, row) for row in committed[own].to_pylist()}
        added += len(new)
    return added, known


def _is_new(row: Mapping[str, Any], there: Mapping[str, tuple[str, Any]], source: Path, target: Folder) -> bool:
    """Tell if a run is to be copied. Raise `ResultsDamaged` if the target has other numbers for it.

    A run that failed gives way to one that did not.
    """
    if row["run_id"] not in there:
        return True
    known = there[row["run_id"]][1]
    if "failed" in (known["status"], row["status"]):
        return bool(known["status"] == "failed" != row["status"])
    for column in [column for column in row if column not in _ASIDE and column in known]:
        a, b = row[column], known[column]
        if a != b and (a == a or b == b):
            run = f"the run {row['run_id']} ({row['arm']}, seed {row['seed']})"
            raise ResultsDamaged(
                f"{source} and {target} have different numbers for {run}: {column} is {a} and {b}; "
                "they come from different processors or versions: train the run in one of the two only"
            )
    return False


def _in_order(tables: Collection[str]) -> list[str]:
    """Return tables in the order of a commit."""
    return [table for table in TABLES if table in tables]


def _some(
    source: Store, listed: Mapping[str, Mapping[str, str]], stem: str, rows: pa.Table, new: Sequence[str]
) -> dict[str, bytes]:
    """Return the files of a chunk with some of its runs only."""
    own = rows.filter(pc.is_in(rows["run_id"].cast(pa.string()), pa.array(new)))
    found = {}
    for table in _in_order(listed):
        schema = source.tables.schemas[table]
        whole = rows if table == "runs" else contents.read_others(source.folder, listed[table][stem], schema, rows)
        by = "run_id" if "run_id" in schema.names else "arm"
        kept = whole.filter(pc.is_in(whole[by].cast(pa.string()), pa.array(set(own[by].to_pylist()))))
        content = parts.encode_table(kept.replace_schema_metadata(schema.metadata))
        found[parts.part_name(table, parts.joint_name(new), content)] = content
    return found


def _machine(session: Mapping[str, Any]) -> str:
    """Describe the processor and the libraries of a session, on which the bits of its runs depend."""
    versions = session.get("versions", {})
    kernels = {str(blas.get("architecture")) for blas in versions.get("blas") or []}
    processor = session.get("machine", {}).get("processor")
    return f"{processor}, BLAS kernel {', '.join(sorted(kernels))}, NumPy {versions.get('numpy')}"
