"""The tables of a sweep: their columns, which are the same in every part, and the rows of a chunk's result."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

from dlsweep.config.runs import Arm, Run
from dlsweep.config.words import FIELDS, numbers
from dlsweep.datasets import data_of
from dlsweep.errors import DlsweepError
from dlsweep.metrics import MEASURED
from dlsweep.tasks import CLASSIFICATION, TASKS, Task
from dlsweep.training.observers.curves import long_columns
from dlsweep.training.plan import last_kept
from dlsweep.training.result import PREDICTED, TrainingResult
from dlsweep.types import Array

# Words repeat from row to row: their column holds codes and a dictionary of words, on disk, in Arrow and in pandas.
WORD = pa.dictionary(pa.int32(), pa.string())

# In the order of a commit: a run exists when its row in runs/ does. A sweep may lack the optional tables.
OPTIONAL = ("ensembles", "layers", "predictions")
TABLES = ("curves", *OPTIONAL, "runs")

# The metrics of runs/ for each split: final, of the trained network, which early stopping may take from an earlier
# iteration; best, of the curve; and last, of the curve, for any status of the run.
Moment = Literal["final", "best", "last"]
MOMENTS: tuple[Moment, ...] = get_args(Moment)
METRICS = {"accuracy": np.fmax, "loss": np.fmin, "distance": np.fmin}

STATUSES = ("done", "diverged", "stopped", "failed")

# The columns of runs/ on kept weights; null in a run without.
KEPT = ("kept_iteration", "kept_checksum")

# A histogram of a layer has equal bins from low to high, and is null at iterations without one.
HISTOGRAM = {"low": pa.float64(), "high": pa.float64(), "histogram": pa.list_(pa.float64())}


@dataclass(frozen=True)
class Tables:
    """The parts of the tables that depend on the sweep.

    factors, settings, splits: each has columns. task: name of the task, which has metrics and columns of its own.
    optional: the `OPTIONAL` tables of this sweep. kept: `KEPT`, if the sweep keeps weights. sources: those of crossed
    seeds, each with a column. overlap: True if seeds draw their own test samples: a column has their ratio to other
    samples, by which the splits of two seeds overlap. sweep: an id shared by `sweep.json` and every part; "" in results
    older than this id.
    """

    factors: tuple[str, ...]
    settings: tuple[str, ...]
    splits: tuple[str, ...]
    task: str = CLASSIFICATION.name
    optional: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    overlap: bool = False
    sweep: str = field(default="", compare=False)

    @property
    def of_task(self) -> Task:
        """Task of the sweep."""
        return TASKS[self.task]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics of every split, the main one first."""
        return self.of_task.metrics

    @property
    def given(self) -> set[str]:
        """Columns of runs/ that the config decides, and not training."""
        seeds = {"seed", *(f"seed_{source}" for source in self.sources)}
        return {"run_id", "arm", "classes", *self.factors, *self.settings, *self.of_task.run_columns, *seeds}

    @cached_property
    def schemas(self) -> dict[str, pa.Schema]:
        """Columns of every table of the sweep, in the order of `TABLES`."""
        arm = {"arm": WORD, **dict.fromkeys(self.factors, WORD)}
        seed = {"seed": pa.int64(), **{f"seed_{source}": pa.int64() for source in self.sources}}
        iteration = {"iteration": pa.int32()}
        run = {"run_id": WORD, **arm, **seed}
        evaluation = {**iteration, "epoch": pa.float64(), "split": WORD}
        columns = {
            "curves": {**run, **evaluation, **_numbers("loss", "penalty", "accuracy", *self.of_task.columns)},
            "ensembles": {**arm, "members": pa.int32(), **evaluation, **_numbers("loss", "accuracy")},
            "layers": {
                **run,
                **iteration,
                "layer": WORD,
                **_numbers(*MEASURED),
                **{f"{name}_{part}": type for name in ("activation", "weight") for part, type in HISTOGRAM.items()},
            },
            "predictions": {"run_id": WORD, "split": WORD, "predicted": pa.binary()},
            "runs": {
                "run_id": pa.string(),
                **arm,
                **_numbers(*self.settings),
                **dict.fromkeys(self.of_task.run_columns, WORD),
                **seed,
                **(_numbers("overlap") if self.overlap else {}),
                "status": WORD,
                **_numbers(*(f"{m}_{s}_{name}" for s in self.splits for m in MOMENTS for name in self.metrics)),
                "iterations": pa.int32(),
                "parameters": pa.int64(),
                "classes": pa.int32(),  # of the data: 1 / classes is chance accuracy
                "seconds": pa.float64(),
                "error": pa.string(),
                **dict.fromkeys(self.kept, pa.int64()),
            },
        }
        tables = [table for table in TABLES if table not in OPTIONAL or table in self.optional]
        return {table: pa.schema(list(columns[table].items()), self._about(table)) for table in tables}

    def _about(self, table: str) -> dict[str, str] | None:
        """Return the metadata of a part: its sweep, and for other programs its table and the kinds of its columns."""
        about = {"table": table, "factors": self.factors, "splits": self.splits, "metrics": self.metrics}
        about |= {"settings": self.settings} if table == "runs" else {}
        return {"sweep": self.sweep, "dlsweep": json.dumps(about)} if self.sweep else None

    def rows(
        self, runs: Sequence[Run], result: TrainingResult, checksums: Mapping[str, int], error: str | None = None
    ) -> dict[str, pa.Table]:
        """Return a chunk's rows of every table. checksums: of the kept weights, by run."""
        each = np.arange(len(runs))
        settings, (classes, overlap) = last_kept(_settings), _of_data(runs[0].arm)
        values = [settings(run.arm) for run in runs]
        per_run = {
            **self._names(runs, each),
            **{setting: pa.array([v.get(setting) for v in values], pa.float64()) for setting in self.settings},
            "run_id": [run.id for run in runs],
            "overlap": [overlap] * len(runs),
            "landscape": _words([run.arm.model.name for run in runs], each),
            "status": _words(result.status, each),
            **_metrics(result, self.splits, self.metrics),
            "iterations": result.iterations,
            "parameters": [result.parameters] * len(runs),
            "classes": [classes] * len(runs),
            "seconds": [result.seconds / len(runs)] * len(runs),
            "error": [error] * len(runs),
            "kept_iteration": [kept.iteration if kept else None for kept in result.kept or [None] * len(runs)],
            "kept_checksum": [checksums.get(run.id) for run in runs],
        }
        measured = {"curves": result.curves, "ensembles": result.ensembles, "layers": result.layers}
        columns = {"runs": per_run} | {t: self._measured(runs, rows) for t, rows in measured.items() if rows}
        if predicted := {run.id: own.tobytes() for run, own in zip(runs, result.predictions) if own is not None}:
            split = [PREDICTED] * len(predicted)
            columns["predictions"] = {"run_id": [*predicted], "split": split, "predicted": [*predicted.values()]}
        return {
            table: _table(columns[table], schema) if table in columns else schema.empty_table()
            for table, schema in self.schemas.items()
        }

    def _measured(self, runs: Sequence[Run], rows: Mapping[str, Array]) -> dict[str, Any]:
        """Return the columns of measurements during training; `run` is the index of each row's run."""
        columns = {name: _nullable(values) for name, values in rows.items()} | self._names(runs, rows["run"])
        for name in rows.keys() & {"split", "layer"}:
            # Few different words in many rows: code them by position.
            words, codes = np.unique(rows[name], return_inverse=True)
            columns[name] = _words(words.tolist(), codes)
        return columns

    def _names(self, runs: Sequence[Run], which: Array) -> dict[str, Any]:
        """Return the columns that identify the run of a row; `which` is the index of each row's run."""
        return {
            "run_id": _words([run.id for run in runs], which),
            "arm": _words([run.arm.name for run in runs], which),
            **{f: _words([run.arm.levels[f] for run in runs], which) for f in self.factors},
            "seed": np.array([run.seed for run in runs], np.int64)[which],
            **{f"seed_{s}": np.array([run.seeds.of(s) for run in runs], np.int64)[which] for s in self.sources},
        }


def _numbers(*names: str) -> dict[str, pa.DataType]:
    return dict.fromkeys(names, pa.float64())


def _metrics(result: TrainingResult, splits: Sequence[str], metrics: Sequence[str]) -> dict[str, pa.Array]:
    """Return the final, best and last metrics per run and split, null if there are none."""
    columns = {}
    trained = np.isin(result.status, ["done", "stopped"])
    final_at = np.where(trained, result.final, -1)
    for split in splits:
        rows = result.curves["split"] == split
        run = result.curves["run"][rows]
        chosen = result.curves["iteration"][rows] == final_at[run]
        for metric in metrics:
            values = result.curves[metric][rows].astype(np.float64)
            final, best, last = np.full((3, len(trained)), np.nan)
            METRICS[metric].at(best, run, values)
            last[run] = values  # rows are in the order of iterations: the last one stays
            final[run[chosen]] = values[chosen]
            for moment, column in zip(MOMENTS, (final, best, last), strict=True):
                columns[f"{moment}_{split}_{metric}"] = pa.array(column, from_pandas=True)
    return columns


def nothing_learned(runs: Sequence[Run]) -> TrainingResult:
    """Return the result of failed runs: no curve."""
    further = (name for task in TASKS.values() for name in task.columns)
    empty = long_columns([], "run", "iteration", "epoch", "split", "loss", "penalty", "accuracy", *further)
    return TrainingResult(empty, ["failed"] * len(runs), [0] * len(runs), [0] * len(runs), parameters=0, seconds=0.0)


def _nullable(values: Array) -> Any:
    """Return a column in which NaN is null, or, in a table of counts, a row of −1."""
    if values.ndim == 2:
        taken = values[:, 0] >= 0
        ends = np.concatenate([[0], np.cumsum(np.where(taken, values.shape[1], 0))]).astype(np.int32)
        return pa.ListArray.from_arrays(ends, values[taken].ravel(), mask=pa.array(~taken))
    return pa.array(values, from_pandas=True) if values.dtype.kind == "f" else values


def _settings(arm: Arm) -> dict[str, float]:
    """Return an arm's numeric settings by column."""
    return {column: value for field in FIELDS for column, value in numbers(field, getattr(arm, field)).items()}


def _words(words: Sequence[str], which: Array) -> pa.Array:
    """Return a column with `words[i]` for each `i` of `which`."""
    code = {word: i for i, word in enumerate(dict.fromkeys(words))}
    codes = np.array([code[word] for word in words], np.int32)
    return pa.DictionaryArray.from_arrays(codes[which], pa.array(list(code), pa.string()))


def _table(columns: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    return pa.table([pa.array(columns[f.name]).cast(f.type) for f in schema], schema=schema)


def _of_data(arm: Arm) -> tuple[int | None, float | None]:
    """Return the number of classes of an arm's data, None for a landscape; and the ratio of test samples to others.

    The ratio is None if all seeds share the test samples; both are None for data that is gone.
    """
    try:
        data = data_of(arm)
    except DlsweepError:
        return None, None
    return data.classes or None, data.division.overlap if data.division else None
