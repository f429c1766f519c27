"""Unite folders that hold runs of one sweep, such as its shards, in one folder."""

from __future__ import annotations

import errno
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from dlsweep.config.resolved import differences
from dlsweep.errors import DlsweepError, ResultsDamaged, ResultsInUse, UsageError
from dlsweep.storage import changes, compatibility, contents, made_by, parts, recovery
from dlsweep.storage.compaction import compact
from dlsweep.storage.duplicates import difference
from dlsweep.storage.folder import Folder, make_folder, open_folder
from dlsweep.storage.location import is_remote, located
from dlsweep.storage.opening import open_results
from dlsweep.storage.record import Record
from dlsweep.storage.results import Results
from dlsweep.storage.store import WRITTEN, Committed, Store


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
        union = _united(folder, old, opened)
        for copy in union.copies:
            copy.into(union.store)
        compact(union.store)
    missing = len(union.asked - union.stems.keys())
    return Merged(open_results(target), union.added, union.known, missing, union.notes)


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


@dataclass(frozen=True)
class _Copy:
    """A chunk to be copied, or some runs of it. replaced: stems of failed runs that give way to it."""

    source: Store
    stem: str
    rows: pa.Table
    runs: Sequence[str]
    replaced: Collection[str]

    def into(self, store: Store) -> None:
        """Commit the chunk into another store."""
        store.remove(self.replaced)
        folder = self.source.folder
        names = {table: parts.listing(folder, table)[self.stem] for table in store.tables.schemas}
        own = contents.only(self.rows, "run_id", self.runs)
        files = {name: folder.get(name) for name in map(parts.weights_name, parts.checksums(own))}
        if len(own) == len(self.rows) and self.source.tables.sweep == store.tables.sweep:
            files |= {name: folder.get(name) for name in names.values()}
        else:
            some = {t: self._some(t, names[t], own, schema) for t, schema in store.tables.schemas.items()}
            files |= parts.encode_tables(some, parts.joint_name(self.runs))
        store.commit(files)

    def _some(self, table: str, name: str, own: pa.Table, schema: pa.Schema) -> pa.Table:
        """Return the rows of some runs in a table, with the metadata of another sweep."""
        if table == "runs":
            return own.replace_schema_metadata({**(schema.metadata or {}), **made_by.signature(own.schema)})
        rows = contents.read_others(self.source.folder, name, self.source.tables.schemas[table], self.rows)
        return contents.of_runs(rows, own).replace_schema_metadata(schema.metadata)


@dataclass
class _Union:
    """The runs of the united folder: its own, and those to be copied.

    asked: ids of the runs of the config. chunks: rows of runs/ by stem; stems: the stem of each run.
    """

    store: Store
    asked: set[str]
    chunks: Committed
    stems: dict[str, str] = field(default_factory=dict)
    copies: list[_Copy] = field(default_factory=list)
    added: int = 0
    known: int = 0
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for stem, rows in self.chunks.items():
            self.stems |= dict.fromkeys(rows["run_id"].to_pylist(), stem)
        self._row = lru_cache(maxsize=64)(self._rows)

    def _rows(self, stem: str) -> dict[str, dict[str, Any]]:
        return {row["run_id"]: row for row in self.chunks[stem].to_pylist()}

    def add(self, source: Store, hidden: Collection[str], place: Path) -> None:
        """Plan the copies of the chunks of a folder. Raise `ResultsDamaged` for damage, and for other numbers."""
        chunks, bad = recovery.scan(source)
        if bad:
            raise ResultsDamaged("\n".join([*bad.values(), f"`dlsweep run` trains these runs again in {place}"]))
        for stem, rows in chunks.items():
            ids = rows["run_id"].to_pylist()
            if not self.asked.issuperset(set(ids).difference(hidden)):
                raise UsageError(f"the data of {place} has changed since its runs were trained; merge with that data")
            own = [run for run in ids if run in self.asked]
            if stem in self.chunks and rows.equals(self.chunks[stem]):
                self.known += len(own)
            elif own:
                self._add(source, stem, rows, own, place)

    def _add(self, source: Store, stem: str, rows: pa.Table, own: Sequence[str], place: Path) -> None:
        given = source.tables.given
        here = {row["run_id"]: row for row in rows.to_pylist()} if self.stems.keys() & set(own) else {}
        new = [run for run in own if run not in self.stems or self._gives_way(run, here[run], given, place)]
        self.known += len(own) - len(new)
        self.added += len(new)
        if not new:
            return
        replaced = {self.stems[run] for run in new if run in self.stems}  # failed runs, each in a part of its own
        self.copies.append(_Copy(source, stem, rows, new, replaced))
        for one in replaced:
            self.chunks.pop(one, None)
        joint = parts.joint_name(new)
        self.chunks[joint] = contents.only(rows, "run_id", new)
        if replaced:
            self._row.cache_clear()
        self.stems |= dict.fromkeys(new, joint)

    def _gives_way(self, run: str, row: Mapping[str, Any], given: Collection[str], place: Path) -> bool:
        """Tell if a known run failed and the same run of another folder did not. Raise an error for other numbers."""
        known = self._row(self.stems[run])[run]
        if "failed" in (known["status"], row["status"]):
            return bool(known["status"] == "failed" != row["status"])
        if column := difference(row, known, given):
            raise ResultsDamaged(
                f"{place} and {self.store.folder}, or another of the folders, have different numbers for the run "
                f"{run} ({row['arm']}, seed {row['seed']}): {column} is {row[column]} and {known[column]}; "
                "they come from different processors or versions: train the run in one of them only"
            )
        return False


def _united(folder: Folder, old: Record | None, opened: Sequence[Results]) -> _Union:
    """Plan the union of some results in a folder, then repair it and write its record, which suits the copies, too."""
    config = opened[0].expanded
    runs = list(config.runs())
    first = old or opened[0].record
    store = Store(folder, first.tables, old.beside if old else "")
    committed = recovery.scan(store)[0]
    union = _Union(replace(store, beside=""), {run.id for run in runs}, dict(committed))
    for results in opened:
        source = Store(results.files, results.record.tables, results.record.beside)
        union.add(source, results.record.hidden, results.folder)
    relabelled, hidden = changes.differing(config, union.chunks, runs)
    if old:
        union.notes += recovery.repair(store)[1]
        store.discard()
    else:
        with suppress(FileNotFoundError):  # it was lost, but results do not need it
            folder.put("sweep.yaml", opened[0].files.get("sweep.yaml"))
    record = _record(first, [results.record for results in opened])
    replace(record, relabelled=relabelled, hidden=hidden, runs=len(runs)).write(folder)
    return union


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
