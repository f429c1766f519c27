"""The write side of a results folder: chunks are committed whole, set aside, and deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from zlib import crc32

import pyarrow as pa

from dlsweep.config.runs import Run
from dlsweep.storage import contents, made_by, parts
from dlsweep.storage.duplicates import Counted, counted
from dlsweep.storage.folder import Folder
from dlsweep.storage.parts import FOLDERS, WEIGHTS, Damaged
from dlsweep.storage.tables import Tables
from dlsweep.training.result import TrainingResult

QUARANTINE = "quarantine"
WRITTEN = (*FOLDERS, *(f"{QUARANTINE}/{inside}" for inside in FOLDERS))  # every subfolder that a store writes to

# The rows of runs/ that count, by the stem of their part.
Committed = dict[str, pa.Table]

# The names of the files in each subfolder, by key.
Listed = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Store:
    """The tables and weights of a sweep in its results folder. One runner holds the folder; its workers commit.

    A chunk is committed when its part of runs/, which is written last, is there. beside: id of another sweep, whose
    parts may be in the folder, and do not count.
    """

    folder: Folder
    tables: Tables
    beside: str = ""

    def encode(self, runs: Sequence[Run], result: TrainingResult, error: str | None = None) -> dict[str, bytes]:
        """Return the files of a chunk, by name, in the order of a commit."""
        kept = {
            run.id: parts.encode_weights(kept.parameters, state)
            for run, kept, state in zip(runs, result.kept, result.states or [{}] * len(runs))
            if kept
        }
        rows = self.tables.rows(runs, result, {run: crc32(content) for run, content in kept.items()}, error)
        rows["runs"] = made_by.signed(rows["runs"])
        weights = {parts.weights_name(run): content for run, content in kept.items()}
        return weights | parts.encode_tables(rows)

    def commit(self, files: Mapping[str, bytes]) -> None:
        """Write the files of a chunk. None of it counts before this returns, and all of it is durable afterwards."""
        for name, content in files.items():
            self.folder.put(name, content)

    def committed(self, runs: Sequence[Run]) -> pa.Table | None:
        """Return the rows of the chunk that was committed as the first of these runs, or as all; None if there is none.

        A damaged part counts as none, and is set aside; so does a part without its partners in the other tables: a
        worker has outlived its killed runner, and the next runner has deleted these before the worker wrote runs/.
        """
        listed = self.listed()
        for stem in (parts.stem(runs[:count]) for count in range(1, len(runs) + 1)):
            if name := listed["runs"].get(stem):
                with suppress(Damaged):
                    rows = self.read_runs(name)
                    if all(key in listed[inside] for inside, key, _ in self.others(stem, rows)):
                        return rows
                self.set_aside([stem])
        return None

    def others(self, stem: str, rows: pa.Table | None) -> Iterator[tuple[str, str, pa.Schema | int]]:
        """Yield folder, key and expected content of every other file of a chunk with these rows in runs/."""
        yield from ((table, stem, schema) for table, schema in self.tables.schemas.items() if table != "runs")
        if rows is not None:
            yield from ((WEIGHTS, run, checksum) for run, checksum in parts.checksums(rows).items())

    def remove(self, keys: Collection[str]) -> None:
        """Delete the files with these keys from all folders: first the rows of runs/, without which no other counts."""
        for name in reversed(self._named(keys)):
            self.folder.delete(name)

    def clear(self) -> None:
        """Delete every part and all weights."""
        self.remove({key for inside in FOLDERS for key in parts.listing(self.folder, inside)})

    def discard(self) -> None:
        """Delete the parts and weights of the sweep beside this one, their rows in runs/ last."""
        keys: set[str] = set()
        for stem, name in parts.listing(self.folder, "runs").items():
            with suppress(Damaged):  # `repair` sets it aside
                if self.is_beside(name):
                    keys |= {stem, *parts.checksums(self.read_runs(name, beside=True))}
        for name in self._named(keys):
            self.folder.delete(name)

    def listed(self) -> Listed:
        """List the folders of the sweep, runs/ first: its workers may commit meanwhile, and write runs/ last."""
        folders = [*self.tables.schemas, *([WEIGHTS] if self.tables.kept else [])]
        first = {"runs": parts.steady_listing(self.folder)}
        return first | {inside: parts.listing(self.folder, inside) for inside in folders if inside != "runs"}

    @parts.steadily
    def counted(self, known: dict[str, pa.Table | None]) -> Counted:
        """Sort the parts of runs/, which another process may unite meanwhile.

        known: the parts that were read before, by name, None for one of the sweep beside this one; it is brought up to
        date.
        """
        listed = parts.steady_listing(self.folder)
        for name in known.keys() - listed.values():
            del known[name]
        for name in listed.values():
            if name not in known:
                known[name] = None if self.is_beside(name) else self.read_runs(name)
        found = {stem: rows for stem, name in listed.items() if (rows := known[name]) is not None}
        return counted(found, self.tables.given)

    def is_beside(self, name: str) -> bool:
        """Tell if a part belongs to the sweep beside this one."""
        return bool(self.beside) and parts.sweep(self.folder, name) == self.beside

    def read_runs(self, name: str, beside: bool = False) -> pa.Table:
        """Return a part of runs/. beside: True for the sweep beside this one. Raise `Damaged` if it was changed."""
        tables = replace(self.tables, sweep=self.beside) if beside else self.tables
        return contents.read_runs(self.folder, name, tables.schemas["runs"])

    def set_aside(self, stems: Collection[str]) -> None:
        """Move parts to the quarantine, those of runs/ last: until then the next runner finds them damaged again."""
        for name in self._named(stems):
            self.folder.move(name, f"{QUARANTINE}/{name}")

    def _named(self, keys: Collection[str]) -> list[str]:
        """Return the names of all files with these keys, runs/ last."""
        return [name for inside in FOLDERS if keys for name in self.folder.list(inside) if parts.key(name) in keys]


def statuses(committed: Committed) -> dict[str, str]:
    """Return the status of every committed run, by id."""
    columns = ((rows["run_id"].to_pylist(), rows["status"].to_pylist()) for rows in committed.values())
    return {run: status for runs, own in columns for run, status in zip(runs, own, strict=True)}
