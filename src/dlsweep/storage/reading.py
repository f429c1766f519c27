"""Read the tables of some results from their parts, while the sweep may be training."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlsweep.errors import ResultsDamaged, Unreadable, UsageError
from dlsweep.storage import changes, contents, parts, record
from dlsweep.storage.choosing import unknown_run
from dlsweep.storage.folder import Folder
from dlsweep.storage.parts import Gone
from dlsweep.storage.predictions import decoded
from dlsweep.storage.store import Store
from dlsweep.types import Array

MISSING = {
    "layers": "measurements of layers; train with evaluate.layers: true",
    "ensembles": "ensembles; train with evaluate.ensemble: true",
    "predictions": "predictions; they are kept by sweeps that evaluate test, unless evaluate.predictions is false. "
    "Results of an older dlsweep have none: --force trains them again",
}


@dataclass(frozen=True)
class Reader:
    """The tables in a folder of results. A table that the sweep lacks raises `UsageError`."""

    files: Folder
    record: record.Record

    @cached_property
    def run_rows(self) -> pa.Table:
        """The rows of runs/, in the order of their parts."""
        rows = _joined(self.run_parts.values(), self.record.tables.schemas["runs"])
        hidden = pc.is_in(rows["run_id"], pa.array(self.record.hidden, pa.string()))
        return rows.filter(pc.invert(hidden)) if self.record.hidden else rows

    @cached_property
    def run_parts(self) -> dict[str, pa.Table]:
        """The rows of runs/ by the stem of their part, listed once for all tables, since the sweep may be training.

        Each run is there once.
        """
        told = Store(self.files, self.record.tables, self.record.beside).counted({})
        for conflict in told.conflicts.values():
            raise ResultsDamaged(f"{conflict}; `dlsweep run` sets one of them aside in {self.files}")
        return told.parts

    def rows(self, table: str) -> pa.Table:
        """Return the rows of another table, in the order of its parts. Rows of an arm get the id of one of its runs."""
        own, schema = [*map(self._part(table), self.run_parts)], self.record.tables.schemas[table]
        if contents.owner(schema) == "arm":
            own = [*map(changes.with_members, own, self.run_parts.values())]
            schema = schema.append(pa.field("run_id", pa.string()))
        return _joined(own, schema)

    def columns(self, table: str, names: Sequence[str], **words: str) -> pa.Table:
        """Return some columns of another table, in a small share of the memory of all.

        words: only the rows with a word in a column, such as `split="test"`.
        """
        read = self._part(table, {*names, *words})
        found = [_rows(read(stem), words).select(names) for stem in self.run_parts]
        return _joined(found, pa.schema([self.record.tables.schemas[table].field(name) for name in names]))

    def _part(self, table: str, columns: Collection[str] | None = None) -> Callable[[str], pa.Table]:
        """Return a function that reads the part of another table with a stem, or some columns of it, and checks it."""
        schemas = self.record.tables.schemas
        if table not in schemas:
            raise UsageError(f"{self.files} has no {MISSING[table]}")
        there = parts.listing(self.files, table)
        if (lacking := self.run_parts.keys() - there.keys()) & parts.listing(self.files, "runs").keys():
            raise ResultsDamaged(f"{self.files}/{table} lacks parts; `dlsweep run` trains their runs again")
        of_part = cache(lambda: lru_cache(maxsize=1)(self._later._part(table, columns)))

        def read(stem: str) -> pa.Table:
            rows = self.run_parts[stem]
            if stem not in lacking:
                with suppress(Gone):
                    return contents.read_others(self.files, there[stem], schemas[table], rows, columns)
            if (united := self._later._stems.get(rows["run_id"][0].as_py())) is None:
                raise Unreadable(f"cannot read {self.files}/{table}: its results were replaced; open them again")
            return _of(rows, of_part()(united))

        return read

    @cached_property
    def _later(self) -> Reader:
        """The same tables, listed again after parts were united."""
        return Reader(self.files, self.record)

    def predictions(self, runs: Iterable[str]) -> dict[str, Array]:
        """Return the predictions of some runs, `(N,)`, by run. Runs that diverged or failed have none."""
        runs = list(runs)
        found = {run: own for ids, classes in self.predictions_by_part(runs) for run, own in zip(ids, classes)}
        return {run: found[run] for run in runs if run in found}

    def predictions_by_part(self, runs: Iterable[str]) -> Iterator[tuple[list[str], Array]]:
        """Yield the predictions of some runs part by part: the ids of those in a part, and their `(R, N)`."""
        read, wanted = self._read_predictions, dict.fromkeys(runs)
        for unknown in (run for run in wanted if run not in self._stems):
            raise unknown_run(self.files, unknown, self._stems)
        for stem in dict.fromkeys(self._stems[run] for run in wanted):
            ids, classes = read(stem)
            own = [row for row, run in enumerate(ids) if run in wanted]
            if own:
                yield [ids[row] for row in own], classes[own]

    @cached_property
    def _stems(self) -> dict[str, str]:
        """The part that each run is in."""
        return {run: stem for stem, rows in self.run_parts.items() for run in rows["run_id"].to_pylist()}

    @cached_property
    def _read_predictions(self) -> Callable[[str], tuple[list[str], Array]]:
        """Read runs and their classes from a part of predictions/. The last parts stay in memory: arms share parts."""
        part = self._part("predictions")

        @lru_cache(maxsize=32)
        def read(stem: str) -> tuple[list[str], Array]:
            rows, classes = part(stem), pc.max(self.run_parts[stem]["classes"]).as_py()
            ids = rows["run_id"].cast(pa.string()).to_pylist()
            return ids, decoded(rows, classes) if len(rows) else np.empty((0, 0), np.uint8)

        return read


def _rows(part: pa.Table, words: Mapping[str, str]) -> pa.Table:
    for column, word in words.items():
        if part[column].unique().to_pylist() != [word]:
            part = contents.only(part, column, [word])
    return part


def _of(runs: pa.Table, rows: pa.Table) -> pa.Table:
    """Return the rows of some runs. Their dictionaries have only the words of these rows."""
    rows = contents.of_runs(rows, runs)
    for i, one in enumerate(rows.schema):
        if pa.types.is_dictionary(one.type):
            rows = rows.set_column(i, one, rows[i].cast(pa.string()).dictionary_encode())
    return rows


def _joined(tables: Iterable[pa.Table], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([schema.empty_table(), *tables]).unify_dictionaries()
