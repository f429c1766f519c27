"""Read the tables of some results as frames, with the arms and labels that their record has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlsweep.config.seeds import Replicates
from dlsweep.errors import ResultsDamaged, Unreadable, UsageError
from dlsweep.randomness import Seeds
from dlsweep.storage import changes, contents, parts, record
from dlsweep.storage.choosing import unknown_run
from dlsweep.storage.folder import Folder
from dlsweep.storage.parts import Gone
from dlsweep.storage.predictions import decoded
from dlsweep.types import Array

if TYPE_CHECKING:
    from pandas import DataFrame

MISSING = {
    "layers": "measurements of layers; train with evaluate.layers: true",
    "ensembles": "ensembles; train with evaluate.ensemble: true",
    "predictions": "predictions; they are kept by sweeps that evaluate test, without evaluate.predictions: false. "
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
        if len(set(rows["run_id"].to_pylist())) < len(rows):
            raise ResultsDamaged(f"{self.files}/runs has runs in two parts; `dlsweep run` sets one of them aside")
        hidden = pc.is_in(rows["run_id"], pa.array(self.record.hidden, pa.string()))
        return rows.filter(pc.invert(hidden)) if self.record.hidden else rows

    @cached_property
    def run_parts(self) -> dict[str, pa.Table]:
        """The rows of runs/ by the stem of their part, listed once for all tables, since the sweep may be training."""
        schema, beside = self.record.tables.schemas["runs"], self.record.beside
        known = dict[str, pa.Table]()

        def read() -> dict[str, pa.Table]:
            listed = parts.steady_listing(self.files)
            for stem, name in listed.items():
                if stem not in known and not (beside and parts.sweep(self.files, name) == beside):
                    known[stem] = contents.read_runs(self.files, name, schema)
            found = {stem: known[stem] for stem in listed if stem in known}
            replaced = {stem for rows in found.values() for stem in parts.replaced(rows)}
            return {stem: rows for stem, rows in found.items() if stem not in replaced}

        with advised():
            return parts.steadily(read)

    def measured(self, table: str, by: str, runs: DataFrame) -> DataFrame:
        """Return another table, in the order in which `runs` has the values of the column `by`."""
        own, schema = [*self._parts(table)], self.record.tables.schemas[table]
        if of_arms := "run_id" not in schema.names:
            own = [*map(changes.with_members, own, self.run_parts.values())]
            schema = schema.append(pa.field("run_id", pa.string()))
        frame = self.frame(_joined(own, schema)).drop(columns=["run_id"] if of_arms else [])
        rank = {name: i for i, name in enumerate(dict.fromkeys(runs[by]))}
        ranks = np.array([rank[name] for name in frame[by].cat.categories], np.int64)
        order = np.argsort(ranks[frame[by].cat.codes], kind="stable")
        return frame.iloc[order].reset_index(drop=True)

    def columns(self, table: str, names: Sequence[str], **words: str) -> pa.Table:
        """Return some columns of another table, as its parts have them: a small share of the memory of all.

        words: only the rows with a word in a column, such as `split="test"`.
        """
        found = [_rows(part, words).select(names) for part in self._parts(table, {*names, *words})]
        return _joined(found, pa.schema([self.record.tables.schemas[table].field(name) for name in names]))

    def _parts(self, table: str, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        """Yield the checked parts of another table, or some columns of them, in the order of those of runs/."""
        read = self._part(table, columns)
        yield from map(read, self.run_parts)

    def _part(self, table: str, columns: Collection[str] | None = None) -> Callable[[str], pa.Table]:
        """Return a function that reads the part of another table with a stem, and checks it."""
        schemas = self.record.tables.schemas
        if table not in schemas:
            raise UsageError(f"{self.files} has no {MISSING[table]}")
        there = parts.listing(self.files, table)
        if (lacking := self.run_parts.keys() - there.keys()) & parts.listing(self.files, "runs").keys():
            raise ResultsDamaged(f"{self.files}/{table} lacks parts; `dlsweep run` trains their runs again")
        of_part = cache(lambda: lru_cache(maxsize=1)(self._later._part(table, columns)))

        def read(stem: str) -> pa.Table:
            rows = self.run_parts[stem]
            with advised():
                if stem not in lacking:
                    with suppress(Gone):
                        return contents.read_others(self.files, there[stem], schemas[table], rows, columns)
                if (united := self._later.stem_of(rows["run_id"][0].as_py())) is None:
                    raise Unreadable(f"cannot read {self.files}/{table}: its results were replaced; open them again")
                by = "run_id" if "run_id" in schemas[table].names else "arm"
                return _of(rows[by], of_part()(united), by)

        return read

    @cached_property
    def _later(self) -> Reader:
        """The same tables, listed again, since parts were united meanwhile."""
        return Reader(self.files, self.record)

    def stem_of(self, run: str) -> str | None:
        """Return the stem of the part that a run is in; None if there is no such run."""
        return self._stems.get(run)

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
        """Read a part of predictions/: its runs, and their classes. The last ones stay in memory: arms share parts."""
        part = self._part("predictions")

        @lru_cache(maxsize=32)
        def read(stem: str) -> tuple[list[str], Array]:
            rows, classes = part(stem), pc.max(self.run_parts[stem]["classes"]).as_py()
            ids = rows["run_id"].cast(pa.string()).to_pylist()
            return ids, decoded(rows, classes) if len(rows) else np.empty((0, 0), np.uint8)

        return read

    def frame(self, table: pa.Table) -> DataFrame:
        """Return a table with the arms, labels and levels of the record."""
        frame: DataFrame = table.to_pandas()
        if self.record.hidden or self.record.relabelled:
            runs = self.run_rows["run_id"].to_pylist()
            frame = changes.as_now(frame, runs, self.record.levels, self.record.relabelled)
        if self.record.tables.sources and "seed" in frame:
            frame["seed"] = self._numbers(frame)
        for factor, levels in self.record.levels.items():
            if unknown := set(frame[factor].cat.categories) - set(levels):
                raise ResultsDamaged(
                    f"{self.files}/{record.FILE} has no {factor} {min(unknown)!r}, and there are runs with it: it is "
                    "not the record of these runs; give their sweep another name, or replace its results with --force"
                )
            frame[factor] = frame[factor].cat.set_categories(levels)
            self._add_numbers(frame, factor, levels)
        return frame

    def _numbers(self, frame: DataFrame) -> np.ndarray:
        """Return the number of each row's replicate: the position of its seeds among all combinations.

        They are not on disk, since they change when a source gets further seeds.
        """
        replicates = Replicates.of(self.record.config["seeds"])
        number = dict(zip(replicates, replicates.numbers))
        columns = (frame[f"seed_{source}"] for source in self.record.tables.sources)
        keys = zip(*(column.tolist() for column in columns))
        try:
            return np.array(
                [number[Seeds.crossed(dict(zip(self.record.tables.sources, own)))] for own in keys], np.int64
            )
        except KeyError as unknown:
            raise ResultsDamaged(
                f"{self.files}/{record.FILE} has no seeds {unknown.args[0]}, and there are runs with them: it is not "
                "the record of these runs; give their sweep another name, or replace its results with --force"
            ) from unknown

    @staticmethod
    def _add_numbers(frame: DataFrame, factor: str, levels: Sequence[str]) -> None:
        """Add the numbers beside the labels of a setting: `optimizer.lr.value`; NaN in an arm without the setting."""
        import pandas as pd

        numbers = pd.to_numeric(pd.Series(levels).replace("-", None), errors="coerce")
        if "." in factor and set(levels) - {"-"} <= {level for level, x in zip(levels, numbers) if x == x}:
            column = frame[factor].astype(object).map(dict(zip(levels, numbers))).astype(float)
            frame.insert(list(frame.columns).index(factor) + 1, f"{factor}.value", column)


@contextmanager
def advised(again: str = "its runs") -> Iterator[None]:
    """Turn `Damaged` into `ResultsDamaged`, with a way to go on."""
    try:
        yield
    except parts.Damaged as damage:
        raise ResultsDamaged(f"{damage}; `dlsweep run` sets it aside and trains {again} again") from damage


def _rows(part: pa.Table, words: Mapping[str, str]) -> pa.Table:
    for column, word in words.items():
        if part[column].unique().to_pylist() != [word]:
            part = part.filter(pc.equal(part[column].cast(pa.string()), word))
    return part


def _of(runs: pa.ChunkedArray, rows: pa.Table, by: str) -> pa.Table:
    """Return the rows of some runs or arms. Their dictionaries have only the words of these rows."""
    rows = rows.filter(pc.is_in(rows[by].cast(pa.string()), runs.cast(pa.string()).combine_chunks()))
    for i, one in enumerate(rows.schema):
        if pa.types.is_dictionary(one.type):
            rows = rows.set_column(i, one, rows[i].cast(pa.string()).dictionary_encode())
    return rows


def _joined(tables: Iterable[pa.Table], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([schema.empty_table(), *tables]).unify_dictionaries()
