"""The write side of a results folder: chunks are committed whole, the remains of interrupted commits are deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from zlib import crc32

import pyarrow as pa

from dlsweep.config.runs import Run
from dlsweep.storage import contents, made_by, parts
from dlsweep.storage.folder import Folder
from dlsweep.storage.parts import FOLDERS, WEIGHTS, Damaged, Gone
from dlsweep.storage.tables import Tables
from dlsweep.training.result import TrainingResult

QUARANTINE = "quarantine"
WRITTEN = (*FOLDERS, *(f"{QUARANTINE}/{inside}" for inside in FOLDERS))  # every subfolder that a store writes into

# The rows of runs/ that count, by the stem of their part.
Committed = dict[str, pa.Table]


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
        tables = {table: parts.encode_table(own) for table, own in rows.items()}
        stem = parts.stem(runs)
        return {
            **{parts.weights_name(run): content for run, content in kept.items()},
            **{parts.part_name(table, stem, content): content for table, content in tables.items()},
        }

    def commit(self, files: Mapping[str, bytes]) -> None:
        """Write the files of a chunk. None of it counts before this returns, and all of it is durable afterwards."""
        for name, content in files.items():
            self.folder.put(name, content)

    def committed(self, runs: Sequence[Run]) -> pa.Table | None:
        """Return the rows of the chunk that was committed as the first of these runs, or as all; None if there is none.

        A damaged part counts as none, and is set aside.
        """
        listed = parts.listing(self.folder, "runs")
        for stem in (parts.stem(runs[:count]) for count in range(1, len(runs) + 1)):
            if name := listed.get(stem):
                try:
                    return self._runs(name)
                except Damaged:
                    self._set_aside([stem])
        return None

    def scan(self) -> tuple[Committed, dict[str, str]]:
        """Return the rows of the runs that count, and the reason for each stem whose parts do not. Change nothing.

        A part that was united with others does not count. Raise `Unreadable` if one of the files cannot be read at the
        moment: its runs are then unknown.
        """
        return parts.steadily(self._scan)

    def _scan(self) -> tuple[Committed, dict[str, str]]:
        listed = self._listed()
        found, bad = Committed(), dict[str, str]()
        for stem, name in listed["runs"].items():
            try:
                if not self._is_beside(name):
                    found[stem] = self._runs(name)
            except Damaged as damage:
                bad[stem] = str(damage)
        committed, ids, replaced = Committed(), set[str](), set[str]()
        # United parts first, the largest before those that it replaces.
        for stem in sorted(found, key=lambda stem: -len(found[stem]) if parts.replaced(found[stem]) else 0):
            if stem in replaced:
                continue
            rows, name = found[stem], listed["runs"][stem]
            try:
                for inside, key, expected in self._others(stem, rows):
                    if key not in listed[inside]:
                        raise self._lacking(name, inside)
                    contents.check(self.folder, listed[inside][key], expected, rows)
                if ids & (own := set(rows["run_id"].to_pylist())):
                    # A worker outlived its killed runner for a moment. The next runner trained the same runs again.
                    raise Damaged(f"{self.folder}/{name} holds runs that are in another part")
                committed[stem] = rows
                ids |= own
                replaced.update(parts.replaced(rows))
            except Damaged as damage:
                bad[stem] = str(damage)
        return committed, {stem: why for stem, why in bad.items() if stem not in replaced}

    def _lacking(self, name: str, inside: str) -> Exception:
        """Return the error of a part of runs/ whose partner is not there: it may have been united meanwhile."""
        gone = name not in self.folder.list("runs")
        return (Gone if gone else Damaged)(f"{self.folder}/{name} lacks its part of {inside}/")

    def repair(self) -> tuple[Committed, list[str]]:
        """Set aside the parts that do not count, and clean; return the rows of the runs that do, and notes.

        Everything is read before anything changes. The partners of a bad part in the other tables go with it; so do
        the weights of its runs, which `clean` finds to belong to no run.
        """
        committed, bad = self.scan()
        self._set_aside(bad)
        self.remove({stem for rows in committed.values() for stem in parts.replaced(rows)})
        self.clean()
        return committed, [f"{why}; it is set aside in {QUARANTINE}/ and its runs train again" for why in bad.values()]

    def clean(self) -> None:
        """Delete the remains of interrupted commits: unfinished files, and parts without a row in runs/.

        Weights of no run are set aside instead, since they may belong to the runs of a damaged part. Raise `Unreadable`
        before anything is deleted, if a file that decides this cannot be read at the moment.
        """
        listed = self._listed()
        counting = set(listed["runs"].values())
        for stem, name in listed["runs"].items():
            try:
                rows = self._runs(name, self._is_beside(name)) if self.tables.kept else None
            except Damaged:
                rows = None
            counting.update(listed[inside].get(key, "") for inside, key, _ in self._others(stem, rows))
        for inside in ("", *listed):
            self.folder.clean(inside)
        for inside in listed:
            for name in self.folder.list(inside):
                if name not in counting and inside == WEIGHTS:
                    self.folder.move(name, f"{QUARANTINE}/{name}")
                elif name not in counting:
                    self.folder.delete(name)

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
                if self._is_beside(name):
                    keys |= {stem, *parts.checksums(self._runs(name, beside=True))}
        for name in self._named(keys):
            self.folder.delete(name)

    def is_shared(self) -> bool:
        """Tell if the folder has parts of the sweep beside this one."""
        return any(map(self._is_beside, self.folder.list("runs")))

    def _is_beside(self, name: str) -> bool:
        return bool(self.beside) and parts.sweep(self.folder, name) == self.beside

    def _runs(self, name: str, beside: bool = False) -> pa.Table:
        tables = replace(self.tables, sweep=self.beside) if beside else self.tables
        return contents.read_runs(self.folder, name, tables.schemas["runs"])

    def _others(self, stem: str, rows: pa.Table | None) -> Iterator[tuple[str, str, pa.Schema | int]]:
        """Yield folder, key and expected content of every other file of a chunk with these rows in runs/."""
        yield from ((table, stem, schema) for table, schema in self.tables.schemas.items() if table != "runs")
        if rows is not None:
            yield from ((WEIGHTS, run, checksum) for run, checksum in parts.checksums(rows).items())

    def _listed(self) -> dict[str, dict[str, str]]:
        """List the folders of the sweep, runs/ first: its workers may commit meanwhile, and write runs/ last."""
        folders = [*self.tables.schemas, *([WEIGHTS] if self.tables.kept else [])]
        first = {"runs": parts.steady_listing(self.folder)}
        return first | {inside: parts.listing(self.folder, inside) for inside in folders if inside != "runs"}

    def _set_aside(self, stems: Collection[str]) -> None:
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
