"""Unite small parts, so that the number of files stays bounded.

A united part is a part like any other, with the stem of all its runs. It names in its metadata the stems that it
replaces. When it is committed, the replaced parts stop counting. So a crash at any moment loses nothing: either the
replaced parts count, or the united one. A reader that has listed the replaced parts finds their rows in the united one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from dlsweep.storage import parts
from dlsweep.storage.duplicates import counted, has_failed
from dlsweep.storage.parts import Damaged
from dlsweep.storage.store import Listed, Store

MOST = 256  # parts of a table; damage of one costs its runs, so there are not fewer
MOST_RUNS, MOST_BYTES = 50_000, 64 << 20  # in a united part, so that reading it takes little memory

Chunk = Mapping[str, pa.Table]  # the rows of each table


def compact(store: Store, check: Callable[[], None] = lambda: None) -> None:
    """Unite parts with few runs if a table has more than `MOST` parts. Afterwards it has at most `MOST` of each kind.

    It has more only if there are more than `MOST` × `MOST_RUNS` runs, or `MOST` × `MOST_BYTES` bytes, or while parts of
    another sweep, whose tables may differ, or two parts with the same run are in the folder. check: raises to stop.
    """
    listed = store.listed()
    if len(listed["runs"]) <= MOST or any(map(store.is_beside, listed["runs"].values())):
        return
    told = counted({s: rows for s in listed["runs"] for rows in _read(store, listed, s, ["runs"]).values()})
    store.remove(told.replaced.intersection(listed["runs"]))  # a worker that outlived its killed runner wrote it late
    if told.spare or told.mixed or told.conflicts:
        return
    found = sorted((str(rows["arm"][0]), rows["seed"][0].as_py(), len(rows), s) for s, rows in told.parts.items())
    enough = min(MOST_RUNS, -(-2 * sum(runs for *_, runs, _ in found) // MOST))
    unite(store, [stem for *_, runs, stem in found if 2 * runs < enough], enough, check)


def unite(
    store: Store, stems: Iterable[str], enough: int = MOST_RUNS, check: Callable[[], None] = lambda: None
) -> None:
    """Unite parts with these stems, and delete them. A united part is full if it has `enough` runs, or `MOST_BYTES`.

    stems: in an order that keeps the runs of an arm together, since a reader may want some arms only. Parts of several
    kinds stay apart. Failed runs keep parts of their own, since training them again removes these. Damaged parts are
    not united, and neither are parts with a run that another part has as well: `repair` sets one of these aside.
    """
    listed = store.listed()
    groups: dict[Hashable, _Group] = {}
    for stem in stems:
        check()
        chunk = _read(store, listed, stem, store.tables.schemas)
        if not chunk or has_failed(chunk["runs"]):
            continue
        kind = _kind(chunk)
        # Nothing would tell the ensembles of two arms with the same name apart.
        if kind in groups and not groups[kind].arms.isdisjoint(chunk["runs"]["arm"].to_pylist()):
            groups.pop(kind).commit(store)
        group = groups.setdefault(kind, _Group())
        if group.ids.isdisjoint(chunk["runs"]["run_id"].to_pylist()):
            group.add(stem, chunk)
        if len(group.ids) >= enough or group.bytes >= MOST_BYTES:
            groups.pop(kind).commit(store)
    for group in groups.values():
        group.commit(store)


def _read(store: Store, listed: Listed, stem: str, tables: Iterable[str]) -> Chunk:
    """Return the rows of a chunk as they were written; none if a part is damaged or missing."""
    try:
        return {table: parts.stored(store.folder, listed[table][stem]) for table in tables}
    except (Damaged, KeyError):
        return {}


def _kind(chunk: Chunk) -> Hashable:
    """Return a key that chunks share if one part can hold both.

    They have the same columns, the same sweep and machine in their metadata, and predictions of as many images.
    """
    schemas = [rows.schema for rows in chunk.values()]
    metadata = [{**(one.metadata or {}), parts.REPLACES: b""} for one in schemas]
    images = {len(one.as_py()) for one in chunk["predictions"]["predicted"][:1]} if "predictions" in chunk else set()
    columns = tuple(one.with_metadata(own).serialize().to_pybytes() for one, own in zip(schemas, metadata))
    return pc.max(chunk["runs"]["classes"]).as_py(), *images, *columns


@dataclass
class _Group:
    """Chunks of one kind, by their stems. arms: the names of those with ensembles. ids: of the runs."""

    chunks: dict[str, Chunk] = field(default_factory=dict)
    arms: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    bytes: int = 0

    def add(self, stem: str, chunk: Chunk) -> None:
        self.chunks[stem] = chunk
        self.arms |= set(chunk["runs"]["arm"].to_pylist()) if "ensembles" in chunk else set()
        self.ids.update(chunk["runs"]["run_id"].to_pylist())
        self.bytes += sum(rows.nbytes for rows in chunk.values())

    def commit(self, store: Store) -> None:
        """Commit one part with the runs of the group, and delete its parts."""
        if len(self.chunks) < 2:
            return
        united = {
            table: pa.concat_tables([chunk[table] for chunk in self.chunks.values()]).unify_dictionaries()
            for table in store.tables.schemas
        }
        united["runs"] = parts.noted(united["runs"], parts.REPLACES, " ".join(self.chunks))
        store.commit(parts.encode_tables(united))
        store.remove(self.chunks)
