"""The write side of a results folder: chunks are committed whole, and what is not whole is cleared away."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from dlsweep import files
from dlsweep.config.runs import Run
from dlsweep.storage import parts, weights
from dlsweep.storage.tables import TABLES, Tables

QUARANTINE = "quarantine"
FOLDERS = (*TABLES, weights.FOLDER, QUARANTINE)

# The rows of runs/ that are in a folder, by the stem of their part.
Held = dict[str, pa.Table]


@dataclass(frozen=True)
class Store:
    """The tables and weights of a sweep in its results folder. One runner holds the folder; its workers commit."""

    folder: Path
    tables: Tables

    def commit(self, runs: Sequence[Run], rows: Mapping[str, pa.Table], kept: Mapping[str, bytes]) -> None:
        """Add a chunk to the tables, with the weights that its runs keep. Before this returns nothing of it counts,
        after it all of it is durable."""
        for run, content in kept.items():
            files.write(self.folder / weights.FOLDER / weights.name(run), content)
        stem = parts.stem(runs)
        for table in self.tables.schemas:
            content = parts.encode(rows[table])
            files.write(self.folder / table / parts.name(stem, content), content)

    def committed(self, runs: Sequence[Run]) -> pa.Table | None:
        """The rows of the chunk that was committed as the first of these runs, or as all; None if there is none.

        A damaged part is none: it is set aside.
        """
        listed = parts.listing(self.folder / "runs")
        for stem in (parts.stem(runs[:count]) for count in range(1, len(runs) + 1)):
            if path := listed.get(stem):
                try:
                    return parts.decode(path, self.tables.runs)
                except parts.Damaged:
                    self._set_aside([stem])
        return None

    def survey(self) -> tuple[Held, dict[str, str]]:
        """The rows of the runs that count, and a sentence for every stem whose parts do not. Changes nothing.

        Raises `Unreadable` if one of the files cannot be read at the moment: then nothing is known of its runs.
        """
        others = {table: schema for table, schema in self.tables.schemas.items() if table != "runs"}
        listed = {table: parts.listing(self.folder / table) for table in ("runs", *others)}  # a sweep may go on
        held: Held = {}
        bad: dict[str, str] = {}
        ids: set[str] = set()
        for stem, path in listed["runs"].items():
            try:
                for table, schema in others.items():
                    if stem not in listed[table]:
                        raise parts.Damaged(f"{path} lacks its part of {table}/")
                    parts.check(listed[table][stem], schema)
                rows = parts.decode(path, self.tables.runs)
                weights.check(self.folder / weights.FOLDER, rows)
            except parts.Damaged as damage:
                bad[stem] = str(damage)
                continue
            own = set(rows["run_id"].to_pylist())
            if own & ids:
                # A worker that outlived its killed runner by a moment has committed what the next one trained again.
                bad[stem] = f"{path} holds runs that are in another part"
            else:
                held[stem] = rows
                ids |= own
        return held, bad

    def recover(self) -> tuple[Held, list[str]]:
        """Bring the folder to a state in which every part counts; give the rows of the runs, and what had to be done.

        Everything is read before anything is changed. A part that does not count is set aside, with its partners in the
        other tables; and so are the weights of no run, since the runs of a damaged part are not known.
        """
        held, bad = self.survey()
        if bad:
            counting = {run for rows in held.values() for run in weights.checksums(rows)}
            self._set_aside_weights(counting)
            self._set_aside(bad)
        self.tidy()
        return held, [f"{why}; it is set aside in {QUARANTINE}/ and its runs train again" for why in bad.values()]

    def tidy(self) -> None:
        """Remove what a commit that was cut short has left: unfinished files, and parts without a row in runs/.

        Weights of no run are set aside, as they may belong to runs of a part that is damaged. Raises `Unreadable`,
        before anything is removed, if a file that says what counts cannot be read at the moment.
        """
        committed = parts.listing(self.folder / "runs")
        counting: set[str] = set()
        for path in committed.values() if self.tables.kept else ():
            with suppress(parts.Damaged):
                counting.update(weights.checksums(parts.decode(path, self.tables.runs)))
        listed = {table: parts.listing(self.folder / table) for table in self.tables.schemas}
        files.remove_temporaries(self.folder)
        for table, there in listed.items():
            folder = self.folder / table
            files.make_folder(folder)
            files.remove_temporaries(folder)
            counted = {path.name for stem, path in there.items() if stem in committed}
            for name in files.names(folder):
                if not name.startswith(".") and name not in counted:
                    files.remove(folder / name)
        if self.tables.kept:
            files.make_folder(self.folder / weights.FOLDER)
            files.remove_temporaries(self.folder / weights.FOLDER)
            self._set_aside_weights(counting)

    def _set_aside_weights(self, counting: Collection[str]) -> None:
        """Set the weights aside that are those of no run that counts."""
        for run, path in weights.listing(self.folder / weights.FOLDER).items() if self.tables.kept else ():
            if run not in counting:
                files.move(path, self.folder / QUARANTINE / weights.FOLDER)

    def remove(self, stems: Collection[str]) -> None:
        """Remove parts from all tables: first the rows that make them count."""
        for path in reversed(self._parts(stems)):
            files.remove(path)

    def clear(self) -> None:
        """Remove every part and all weights."""
        self.remove({stem for table in TABLES for stem in parts.listing(self.folder / table)})
        for path in weights.listing(self.folder / weights.FOLDER).values():
            files.remove(path)

    def _set_aside(self, stems: Collection[str]) -> None:
        """Move parts to the quarantine, last those of `runs/`: until then the next runner finds them damaged again."""
        for path in self._parts(stems):
            files.move(path, self.folder / QUARANTINE / path.parent.name)

    def _parts(self, stems: Collection[str]) -> list[Path]:
        """The parts with one of these stems, those of `runs/` last."""
        folders = [self.folder / table for table in TABLES if stems]
        return [folder / name for folder in folders for name in files.names(folder) if name.partition("-")[0] in stems]


def statuses(held: Held) -> dict[str, str]:
    """The status of every run that is there, by id."""
    found: dict[str, str] = {}
    for rows in held.values():
        found.update(zip(rows["run_id"].to_pylist(), rows["status"].to_pylist(), strict=True))
    return found
