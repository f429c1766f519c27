"""Unite folders that hold runs of one sweep, such as its shards, in one folder."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence, Set
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from dlsweep.config.resolved import differences
from dlsweep.errors import DlsweepError, ResultsDamaged, ResultsInUse, UsageError
from dlsweep.storage import changes, compatibility, contents, parts, recovery
from dlsweep.storage.compaction import compact
from dlsweep.storage.duplicates import has_failed, other_numbers
from dlsweep.storage.folder import Folder, make_folder, open_folder
from dlsweep.storage.location import is_remote, located
from dlsweep.storage.opening import open_results
from dlsweep.storage.record import Record
from dlsweep.storage.results import Results
from dlsweep.storage.store import WRITTEN, Store


@dataclass(frozen=True)
class Merged:
    """Result of a merge. results: the united folder. added: runs that it did not have.

    known: runs that were there already, or in two of the folders. missing: runs of the config that no folder has.
    notes: sentences on damaged parts of the target, which are set aside.
    """

    results: Results
    added: int
    known: int
    missing: int
    notes: list[str]


def merge(target: str | Path, sources: Sequence[str | Path]) -> Merged:
    """Copy the runs of some folders into the folder `target`, which may exist, and count them.

    A run is there once, however many folders have it. All folders are checked before anything is written; an
    interrupted merge is completed by another one. Raise a `UsageError` if a folder belongs to a different config,
    `ResultsDamaged` if two folders have different numbers for one run, or if a part is damaged, and `ResultsInUse`
    while one of the folders is trained.

    >>> import dlsweep
    >>> config = {"name": "two", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 4}
    >>> shards = [dlsweep.run(config, executor="inline", shard=(i, 2)).folder for i in range(2)]
    >>> merged = merge("results/two", shards)
    >>> merged.added, merged.missing, len(merged.results.runs)
    (4, 0, 4)
    """
    target = located(target)
    folders = {place.resolve(): place for place in map(located, sources)}
    folders.pop(target.resolve(), None)
    if not is_remote(target) and target.is_file():
        raise UsageError(f"{target} is a file; name a folder for the whole sweep first, such as results/{target.stem}")
    if not folders:
        raise UsageError("there is nothing to merge: name the folders of the shards")
    opened = [open_results(folder) for folder in folders.values()]
    _refuse_others(compatibility.open_record(open_folder(target))[0], opened, target)
    folder = make_folder(target.parent, target.name, (*WRITTEN, "figures"))
    with ExitStack() as held:
        for _, results in sorted(zip(folders, opened, strict=True), key=lambda one: one[0]):
            _hold(held, results.files)
        held.enter_context(folder.lock())
        opened = [open_results(results.folder) for results in opened]  # one may have been trained meanwhile
        old, _ = compatibility.open_record(folder)
        _refuse_others(old, opened, target)
        return _united(target, folder, old, opened)


def _hold(held: ExitStack, folder: Folder) -> None:
    """Lock a folder, unless nothing can be written into it: then no process of this machine trains it."""
    try:
        held.enter_context(folder.lock())
    except ResultsInUse:
        raise
    except DlsweepError as error:
        if getattr(error.__cause__, "errno", None) not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise


def _refuse_others(old: Record | None, opened: Sequence[Results], target: Path) -> None:
    """Raise a `UsageError` for results that are not of the same sweep as the target, or as the first of them."""
    first, place = (old, target) if old else (opened[0].record, opened[0].folder)
    for folder, own in [(place, first), *((results.folder, results.record) for results in opened)]:
        if own.further:
            raise UsageError(f"{folder} is being trained further; finish that with `dlsweep run` first")
        words = (f"in {place}", f"in {folder}", f"only in {place}", f"only in {folder}")
        different = differences(first.config, own.config, words)
        if first.randomness_version != own.randomness_version:
            versions = f"{first.randomness_version} {words[0]}, {own.randomness_version} {words[1]}"
            different.append(f"randomness version: {versions}")
        if not different and first.tables != own.tables:
            different.append("its tables have other columns")
        if first.looks != own.looks:
            different.append("its looks at the claims are planned differently")
        sources = [dict(one.sources or {}) for one in (first, own)]
        for name in sorted(sources[0].keys() & sources[1].keys()):
            if "" != sources[0][name] != sources[1][name] != "":
                different.append(f"the {name} has another source")
        if different:
            lines = [f"{folder} belongs to a different config than {place}:", *(f"  {line}" for line in different)]
            raise UsageError("\n".join(lines))


@dataclass(eq=False)
class _Chunk:
    """A chunk of one of the folders. rows: those in runs/; runs: the ids of those that it adds to the union."""

    source: Store
    place: Path
    stem: str
    rows: pa.Table
    runs: Sequence[str]

    def into(self, store: Store) -> None:
        """Commit its runs into another store."""
        folder, own = self.source.folder, self.source.tables
        names = {table: parts.listing(folder, table)[self.stem] for table in own.schemas}
        some = contents.only(self.rows, "run_id", self.runs)
        files = {name: folder.get(name) for name in map(parts.weights_name, parts.checksums(some))}
        if len(some) == len(self.rows) and own.sweep == store.tables.sweep:
            files |= {name: folder.get(name) for name in names.values()}
        else:
            tables = contents.of_some(folder, names, own.schemas, self.rows, self.runs)
            tables = {t: tables[t].replace_schema_metadata(other.metadata) for t, other in store.tables.schemas.items()}
            tables["runs"] = parts.noted(tables["runs"], parts.MADE_BY, parts.note(some.schema, parts.MADE_BY))
            files |= parts.encode_tables(tables)
        store.commit(files)


def _chunks(results: Results, asked: Set[str]) -> Iterator[_Chunk]:
    """Yield the chunks of a folder with the runs that are asked for. Raise `ResultsDamaged` if one is damaged."""
    source, place = Store(results.files, results.record.tables, results.record.beside), results.folder
    chunks, bad, _ = recovery.scan(source)
    if bad:
        raise ResultsDamaged("\n".join([*bad.values(), f"`dlsweep run` trains these runs again in {place}"]))
    for stem, rows in chunks.items():
        ids = rows["run_id"].to_pylist()
        if set(ids).difference(asked, results.record.hidden):
            raise UsageError(f"the data of {place} has changed since its runs were trained; merge with that data")
        yield _Chunk(source, place, stem, rows, [run for run in ids if run in asked])


def _owners(chunks: Sequence[_Chunk]) -> dict[str, _Chunk]:
    """Leave each run to the first chunk that has it, or the first in which it did not fail; return this chunk by run.

    Raise `ResultsDamaged` if two chunks have different numbers for a run.
    """
    owner: dict[str, _Chunk] = {}
    for chunk in sorted(chunks, key=lambda chunk: has_failed(chunk.rows)):
        known = {owner[run] for run in chunk.runs if run in owner}
        others = [one.rows for one in known if not one.rows.equals(chunk.rows)]
        if conflict := other_numbers(chunk.rows, others, chunk.source.tables.given):
            raise ResultsDamaged(
                f"{chunk.place} and another of the folders have different numbers for {': '.join(conflict)}; "
                "they come from different processors or versions: train the run in one of them only"
            )
        chunk.runs = [run for run in chunk.runs if run not in owner]
        owner |= dict.fromkeys(chunk.runs, chunk)
    return owner


def _united(target: Path, folder: Folder, old: Record | None, opened: Sequence[Results]) -> Merged:
    """Repair a folder, write a record that suits the union of its runs with some results, and copy these."""
    config, first = opened[0].expanded, old or opened[0].record
    runs = {run.id: run for run in config.runs()}
    store = Store(folder, first.tables, old.beside if old else "")
    committed = recovery.scan(store)[0]
    there = [_Chunk(store, target, stem, rows, rows["run_id"].to_pylist()) for stem, rows in committed.items()]
    found = [chunk for results in opened for chunk in _chunks(results, runs.keys())]
    count = sum(len(chunk.runs) for chunk in found)
    owner = _owners([*there, *found])
    own = [contents.only(chunk.rows, "run_id", chunk.runs) for chunk in (*there, *found)]
    relabelled, hidden = changes.differing(config, own, runs.values())
    notes = []
    if old:
        notes = recovery.repair(store)[1]
        store.discard()
    else:
        folder.clean()  # a killed merge may have left a file before there was a record
        with suppress(FileNotFoundError):  # it was lost, but results do not need it
            folder.put("sweep.yaml", opened[0].files.get("sweep.yaml"))
    record = _record(first, [results.record for results in opened])
    replace(record, relabelled=relabelled, hidden=hidden, runs=len(runs)).write(folder)
    store.remove([chunk.stem for chunk in there if len(chunk.runs) < len(chunk.rows)])  # failed here, and not elsewhere
    for chunk in found:
        if chunk.runs:
            chunk.into(store)
    compact(store)
    added = sum(len(chunk.runs) for chunk in found)
    return Merged(open_results(target), added, count - added, len(runs.keys() - owner.keys()), notes)


def _record(first: Record, others: Sequence[Record]) -> Record:
    """Return the record of the united folder: the claims of the first, and the sessions of all.

    A claim is late if it is late in one of them, or if one of them states it differently.
    """
    sessions: list[dict[str, Any]] = []
    late: set[str] = set()
    gone: dict[str, None] = {}
    asked = {claim.name: claim.question for claim in first.claims}
    for one in (first, *others):
        sessions += [session for session in one.sessions if session not in sessions]
        own = {claim.name: claim.question for claim in one.claims}
        late |= {name for name in asked if one.alpha != first.alpha or own.get(name) != asked[name]}.union(one.late)
        gone |= dict.fromkeys([*one.removed, *own])
    return replace(
        first,
        shard="",
        earlier="",
        sessions=sessions,
        late=[name for name in asked if name in late],
        removed=[name for name in gone if name not in asked],
    )
