"""The write side of a results folder: chunks are committed whole, and what is not whole is cleared away."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from dlsweep.config.runs import Run
from dlsweep.running import files, parts, weights
from dlsweep.running.tables import TABLES, Tables

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
        """The rows of the runs that count, and a sentence for every stem whose parts do not. Changes nothing."""
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

        A part that does not count is set aside, with its partners in the other tables and the weights of its runs.
        """
        self.tidy()
        held, bad = self.survey()
        self._set_aside(bad)
        for path in self._idle_weights():
            files.move(path, self.folder / QUARANTINE / weights.FOLDER)
        return held, [f"{why}; it is set aside in {QUARANTINE}/ and its runs train again" for why in bad.values()]

    def tidy(self) -> None:
        """Remove what counts for nothing: unfinished files, a chunk's second part, curves and weights of runs that were
        never committed."""
        files.remove_temporaries(self.folder)
        committed = parts.listing(self.folder / "runs").keys()
        for table in self.tables.schemas:
            folder = self.folder / table
            files.make_folder(folder)
            files.remove_temporaries(folder)
            counting = {path for stem, path in parts.listing(folder).items() if stem in committed}
            for path in set(folder.glob("[!.]*")) - counting:
                files.remove(path)
        if self.tables.kept:
            folder = self.folder / weights.FOLDER
            files.make_folder(folder)
            files.remove_temporaries(folder)
            for path in self._idle_weights():
                files.remove(path)

    def _idle_weights(self) -> list[Path]:
        """Weights that count for nothing: those of no run, or of runs in a damaged part."""
        if not self.tables.kept:
            return []
        counting: set[str] = set()
        for path in parts.listing(self.folder / "runs").values():
            with suppress(parts.Damaged):
                counting.update(weights.checksums(parts.decode(path, self.tables.runs)))
        return [path for run, path in weights.listing(self.folder / weights.FOLDER).items() if run not in counting]

    def remove(self, stems: Collection[str]) -> None:
        """Remove parts from all tables: first the rows that make them count."""
        for path in self._parts(stems):
            files.remove(path)

    def clear(self) -> None:
        """Remove every part and all weights."""
        self.remove({stem for table in TABLES for stem in parts.listing(self.folder / table)})
        for path in weights.listing(self.folder / weights.FOLDER).values():
            files.remove(path)

    def _set_aside(self, stems: Collection[str]) -> None:
        for path in self._parts(stems):
            files.move(path, self.folder / QUARANTINE / path.parent.name)

    def _parts(self, stems: Collection[str]) -> list[Path]:
        """The parts with one of these stems, those of `runs/` first."""
        folders = [folder for table in reversed(TABLES) if stems and (folder := self.folder / table).is_dir()]
        return [path for folder in folders for path in folder.iterdir() if path.name.partition("-")[0] in stems]


def statuses(held: Held) -> dict[str, str]:
    """The status of every run that is there, by id."""
    found: dict[str, str] = {}
    for rows in held.values():
        found.update(zip(rows["run_id"].to_pylist(), rows["status"].to_pylist(), strict=True))
    return found
