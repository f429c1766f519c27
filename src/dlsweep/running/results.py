"""The read side of a results folder. Reading changes nothing, and takes nothing that is not as it was written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dlsweep.config.nodes import plural
from dlsweep.errors import ResultsDamaged, UsageError
from dlsweep.running import parts, record

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Results:
    """A sweep's results. Open them with `open_results`; the tables are read when they are first asked for.

    Rows are in the order of the config, and a factor's column is categorical with its levels in that order. Damaged
    or foreign files raise `ResultsDamaged`.
    """

    folder: Path
    record: record.Record

    def __repr__(self) -> str:
        try:
            count = plural(len(self.runs), "run")
        except ResultsDamaged:
            count = "damaged"
        return f"Results({str(self.folder)!r}, {count})"

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self.record.name

    @property
    def config(self) -> Mapping[str, Any]:
        """The resolved config that the results answer."""
        return self.record.config

    @cached_property
    def runs(self) -> DataFrame:
        """One row per run: what it was, how it ended, its final, best and last metrics."""
        frame = self._frame(self._run_rows)
        return frame.sort_values([*self.record.tables.factors, "arm", "seed"], kind="stable", ignore_index=True)

    @property
    def counts(self) -> dict[str, int]:
        """How many runs there are, by how they ended; without pandas, whose import takes longer than a small sweep."""
        found = Counter(self._run_rows["status"].to_pylist())
        return {status: found[status] for status in ("done", "diverged", "stopped", "failed")}

    @cached_property
    def curves(self) -> DataFrame:
        """One row per run, iteration and split: loss, penalty and accuracy."""
        return self._by_run("curves")

    @cached_property
    def layers(self) -> DataFrame:
        """One row per run, iteration and layer: sizes of weights, gradients and activations, and at some iterations
        histograms. A `UsageError` says so if the sweep has none."""
        if "layers" not in self.record.tables.schemas:
            raise UsageError(f"{self.folder} has no measurements of layers; train with evaluate.layers: true")
        return self._by_run("layers")

    def _by_run(self, table: str) -> DataFrame:
        """A table that has rows for every run, in the order of the runs."""
        rank = {run: i for i, run in enumerate(self.runs["run_id"])}
        frame = self._beside_runs(table)
        ranks = np.array([rank[run] for run in frame["run_id"].cat.categories], np.int64)
        order = np.argsort(ranks[frame["run_id"].cat.codes], kind="stable")
        return frame.iloc[order].reset_index(drop=True)

    @cached_property
    def ensembles(self) -> DataFrame:
        """One row per arm, iteration and split: loss and accuracy of its runs' averaged predictions.

        A `UsageError` says that the sweep has none.
        """
        if "ensembles" not in self.record.tables.schemas:
            raise UsageError(f"{self.folder} has no ensembles; train with evaluate.ensemble: true")
        frame = self._beside_runs("ensembles")
        rank = {arm: i for i, arm in enumerate(dict.fromkeys(self.runs["arm"]))}
        order = np.argsort(frame["arm"].map(rank).to_numpy(dtype=np.int64), kind="stable")
        return frame.iloc[order].reset_index(drop=True)

    @cached_property
    def _run_rows(self) -> pa.Table:
        return self._read(self._run_parts.values(), self.record.tables.runs)

    @cached_property
    def _run_parts(self) -> dict[str, Path]:
        # Listed once, for all tables: a sweep may go on meanwhile.
        return parts.listing(self.folder / "runs")

    def _beside_runs(self, table: str) -> DataFrame:
        """Another table, of the runs that there are."""
        there = parts.listing(self.folder / table)
        if self._run_parts.keys() - there.keys():
            raise ResultsDamaged(f"{self.folder / table} lacks parts; `dlsweep run` trains their runs again")
        return self._frame(self._read((there[stem] for stem in self._run_parts), self.record.tables.schemas[table]))

    def _read(self, paths: Iterable[Path], schema: pa.Schema) -> pa.Table:
        try:
            tables = [parts.decode(path, schema) for path in paths]
        except parts.Damaged as damage:
            raise ResultsDamaged(f"{damage}; `dlsweep run` sets it aside and trains its runs again") from damage
        return pa.concat_tables(tables).unify_dictionaries() if tables else schema.empty_table()

    def _frame(self, table: pa.Table) -> DataFrame:
        frame: DataFrame = table.to_pandas()
        for factor, levels in self.record.levels.items():
            frame[factor] = frame[factor].cat.set_categories(levels)
        return frame


def open_results(path: str | Path) -> Results:
    """The results in the folder `path`, such as `results/activation-init`."""
    folder = Path(path)
    if folder.is_file():
        meant = folder.parent if folder.name == record.FILE else Path("results", folder.stem)
        raise UsageError(f"{folder} is a file; give the folder of a sweep, such as {meant}")
    found = record.read(folder)
    if found is None:
        inside = ", ".join(str(results.folder) for results in _inside(folder))
        hint = f"; there are some in {inside}" if inside else ""
        raise UsageError(f"there are no results in {folder}{hint}")
    return Results(folder, found)


def open_all(path: str | Path) -> list[Results]:
    """The results in the folder `path`; or, where it is a folder of sweeps, those of each of them, by name."""
    inside = _inside(Path(path))
    return inside if inside and not (Path(path) / record.FILE).exists() else [open_results(path)]


def _inside(folder: Path) -> list[Results]:
    return [open_results(path.parent) for path in sorted(folder.glob(f"*/{record.FILE}"))]
