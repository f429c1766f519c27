"""The training of the runs in a folder so far, from which a longer training goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlsweep.config.runs import Run
from dlsweep.storage import parts
from dlsweep.storage.store import Store
from dlsweep.training.observers.probes import BINS
from dlsweep.training.result import Begun, Checkpoint, TrainingResult
from dlsweep.types import Array


class Before(NamedTuple):
    """A run before it goes on: its id, the stem of its parts, and the updates of a run that did not end early."""

    id: str
    stem: str
    steps: int


@dataclass(frozen=True)
class Earlier:
    """The runs that go on, by the ids that they will have, and the store that holds them."""

    store: Store
    runs: Mapping[str, Before]

    def only(self, chunk: Sequence[Run]) -> Earlier:
        """Return the earlier runs of a chunk alone."""
        return replace(self, runs={run.id: self.runs[run.id] for run in chunk if run.id in self.runs})

    def begun(self, chunk: Sequence[Run]) -> Begun | None:
        """Return the training of a chunk so far; None if one of its runs starts from the beginning."""
        before = [self.runs[run.id] for run in chunk if run.id in self.runs]
        if len(before) < len(chunk):
            return None
        ids = [own.id for own in before]
        rows = {row["run_id"]: row for part in self._read("runs", before).values() for row in part.to_pylist()}
        found = [rows[id] for id in ids]
        curves, layers = (self._columns(table, before, "run_id", ids) for table in ("curves", "layers"))
        ensembles = self._columns("ensembles", before, "arm", [row["arm"] for row in found])
        kept, states = zip(*map(self._kept, found), strict=True)
        status, iterations = ([row[column] for row in found] for column in ("status", "iterations"))
        seconds, parameters = sum(row["seconds"] for row in found), found[0]["parameters"]
        result = TrainingResult(
            curves, status, iterations, iterations, parameters, seconds, ensembles, layers, list(kept), states
        )
        return Begun(before[0].steps, result)

    def _read(self, table: str, before: Sequence[Before]) -> dict[str, pa.Table]:
        """Return the parts of a table that these runs are in, by stem."""
        listed = parts.listing(self.store.folder, table)
        schema = self.store.tables.schemas[table]
        stems = dict.fromkeys(own.stem for own in before)
        return {stem: parts.read_table(self.store.folder, listed[stem], schema) for stem in stems}

    def _columns(self, table: str, before: Sequence[Before], by: str, names: Sequence[str]) -> dict[str, Array]:
        """Return the measurements of a table as training had them; `run`: the position of a row's owner in `names`."""
        if table not in self.store.tables.schemas:
            return {}
        found, which = [], []
        for stem, rows in self._read(table, before).items():  # arms of two parts may have the same name
            own = pa.array([name if run.stem == stem else None for run, name in zip(before, names)], pa.string())
            index = pc.index_in(rows[by].cast(pa.string()), own)
            found.append(rows.filter(index.is_valid()))
            which.append(index.drop_null().to_numpy().astype(int))
        rows = pa.concat_tables(found).unify_dictionaries()
        measured = rows.column_names[rows.column_names.index("iteration") :]
        measured += ["members"] if "members" in rows.column_names else []
        columns = {name: _numbers(rows[name]) for name in measured}
        return columns | {"run": np.concatenate(which)} if len(rows) else {}

    def _kept(self, row: Mapping[str, Any]) -> tuple[Checkpoint | None, dict[str, Array]]:
        """Return the parameters and the state that a run has kept; none if it diverged or failed."""
        if row["kept_checksum"] is None:
            return None, {}
        name = parts.weights_name(row["run_id"])
        parameters, state = parts.read_weights(self.store.folder, name, row["kept_checksum"])
        return Checkpoint(row["kept_iteration"], parameters), state


def _numbers(column: pa.ChunkedArray) -> Array:
    """Return a column as training had it: words, numbers with NaN for null, or rows of counts with −1 for null."""
    if pa.types.is_dictionary(column.type):
        return np.array(column.cast(pa.string()).to_pylist(), str)
    if not pa.types.is_list(column.type):
        return np.array(column.to_numpy())
    there = column.is_valid().to_numpy()
    rows = np.full((len(there), BINS), -1)
    rows[there] = pc.list_flatten(column).to_numpy().reshape(-1, BINS)
    return rows
