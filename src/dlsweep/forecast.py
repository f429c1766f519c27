"""Dry runs: the runs, the time, the memory and the disk space that a sweep will take."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from dlsweep.config import Config, load
from dlsweep.datasets import Arrays, Dataset, data_of
from dlsweep.errors import UsageError
from dlsweep.execution.executors import Executor, Options, choose
from dlsweep.machine import BLAS_BUFFER, keep_freed_memory
from dlsweep.randomness import stream
from dlsweep.storage import compatibility, further, recovery
from dlsweep.storage.earlier import Before
from dlsweep.storage.folder import Folder, open_folder
from dlsweep.storage.location import located
from dlsweep.storage.store import Store, statuses
from dlsweep.text import size
from dlsweep.training.costs import FLOAT
from dlsweep.training.observers.probes import HISTOGRAMS
from dlsweep.training.pace import seconds_of_a_run
from dlsweep.training.plan import Chunk, Cohort, Plan
from dlsweep.training.shards import Shard

# Bytes of a row in compressed Parquet: of curves/, of layers/ without histograms, of the histograms, of runs/; and
# bytes of a part besides its rows.
CURVE_ROW, LAYER_ROW, HISTOGRAMS_ROW, RUN_ROW, PART = 16, 50, 100, 250, 12_000

# Compressed bytes of a run's prediction for an image: the predictions of a chunk's runs are alike.
PREDICTION = 0.2

# Bytes of the histograms of a layer at an evaluation, in a file of weights.
STATE_ROW = 280

# Bytes of an array in a file of weights besides its numbers.
ARRAY = 280

# Number of cohorts that are timed, the largest first, if all take less than BUDGET seconds together; the others are
# estimated from their arithmetic.
MEASURED = 4
BUDGET = 1.5

# Seconds that a command takes besides training: to import and to read the data; to import Matplotlib; to draw a figure.
START_UP, DRAWING, FIGURE = 1.5, 0.5, 0.6


@dataclass(frozen=True)
class Forecast:
    """A prediction of a sweep.

    folded: arms that train the same network as another one, with its name. done: runs on disk. workers: chunks
    that train at once. seconds: predicted from timing a few steps. memory: maximal bytes of a worker for its stack, the
    data and BLAS. disk: bytes to be written. notes: sentences for the user.
    """

    runs: int
    done: int
    folded: list[tuple[str, str]]
    cohorts: list[CohortForecast]
    chunks: int
    workers: int
    seconds: float
    memory: int
    disk: int
    notes: list[str]


@dataclass(frozen=True)
class CohortForecast:
    """A cohort; in texts for users, a stack.

    levels: its labels of each varying factor, without factors of which it has every label. missing: runs that are not
    done. parameters: numbers that one run trains.
    """

    levels: dict[str, list[str]]
    arms: int
    runs: int
    missing: int
    parameters: int


def dry_run(
    config: Config | str | Path | Mapping[str, Any],
    *,
    output: str | Path = "results",
    jobs: int | None = None,
    executor: str | None = None,
    force: bool = False,
    retry: bool = False,
    timeout: float | None = None,
    max_memory: int | None = None,
    shard: tuple[int, int] | None = None,
) -> Forecast:
    """Predict what `run` does with the same arguments. This writes nothing, and trains a few steps to time them.

    Raises the errors that `run` raises before it trains, and a `DlsweepError` if those few steps fail.

    >>> told = dry_run({"name": "x", "train": {"iterations": 2}, "grid": {"activation": ["relu", "tanh"]}, "seeds": 5})
    >>> told.runs, told.done
    (10, 0)
    """
    own = Shard(*shard) if shard else None
    options = Options(located(output), jobs, executor, force, retry, timeout, max_memory, shard=own)
    return predict(config if isinstance(config, Config) else load(config), options)


def predict(config: Config, options: Options) -> Forecast:
    """Do what `dry_run` does, with its options in one record."""
    if config.is_open:
        raise UsageError(
            "the config has `tune`, so its settings are chosen first: write dlsweep.dry_run(dlsweep.tune(config))"
        )
    chosen = choose(options)
    folder = open_folder(options.output / options.folder(config.name))
    if not options.force:
        config = further.adopted(config, folder)
    whole = options.plan(config)
    done, goes_on, repaired = ({}, {}, []) if options.force else _done(whole, folder, options.retry)
    every = _todo(whole, done, chosen, goes_on)
    todo = [work for work in every if work.chunks]
    keep_freed_memory()
    with threadpool_limits(1):
        seconds = _seconds(todo)
    stacks = (len(work.largest) * work.cohort.memory + _data(work.cohort) for work in todo)
    hints = [*chosen.notes(whole), *_hints(whole)] if seconds else []
    return Forecast(
        runs=whole.runs,
        done=len(done),
        folded=config.folds(),
        cohorts=[
            CohortForecast(_levels(config, c), c.arms, c.runs, work.runs, c.parameters)
            for work in every
            for c in [work.cohort]
        ],
        chunks=len(seconds),
        workers=chosen.workers,
        seconds=max(sum(seconds) / chosen.workers, *seconds) + _besides(config) if seconds else 0.0,
        memory=max((BLAS_BUFFER + stack for stack in stacks), default=0),
        disk=sum(work.runs * _rows(work.cohort) + PART * len(work.chunks) for work in todo),
        notes=[*config.notes, *repaired, *hints],
    )


@dataclass
class _Work:
    """The missing runs of a cohort. chunks: for each, the number of runs, and the steps that they have trained already.

    largest: one of the chunks with most runs; the others are not kept, since a sweep may have millions of runs.
    """

    cohort: Cohort
    chunks: list[tuple[int, int]] = field(default_factory=list)
    largest: Chunk = ()

    @property
    def runs(self) -> int:
        return sum(runs for runs, _ in self.chunks)


def _todo(plan: Plan, done: Collection[str], executor: Executor, goes_on: Mapping[str, Before]) -> list[_Work]:
    """Return the missing runs of each cohort."""
    todo, number = [_Work(cohort) for cohort in plan.cohorts], plan.numbering()
    for chunk in plan.chunks(done, executor.workers, executor.stack_memory, apart=goes_on):
        work = todo[number(chunk[0].arm)]
        begun = goes_on.get(chunk[0].id) if goes_on else None
        work.chunks.append((len(chunk), begun.steps if begun else 0))
        work.largest = max(work.largest, chunk, key=len)
    return todo


def _done(whole: Plan, folder: Folder, retry: bool) -> tuple[dict[str, str], Mapping[str, Before], list[str]]:
    """Return the status of the runs on disk, the runs that go on, and notes on a record that `run` will repair.

    retry: True to leave out failed runs, since these are tried again.
    """
    config = whole.config
    old, damage = compatibility.open_record(folder, config)
    notes = [f"{damage}; run writes it again"] if damage else []
    if old is None:
        return {}, {}, notes
    committed, *_ = recovery.scan(Store(folder, old.tables, old.beside))
    goes_on: Mapping[str, Before] = {}
    if further.before(config, old):
        goes_on, _ = further.goes_on(config, old, committed, folder)
        tables = compatibility.tables(config)
        begun = Store(folder, tables, old.tables.sweep)
        committed = recovery.scan(begun)[0] if old.further == tables.sweep else {}
    else:
        compatibility.check(config, old, committed, folder)
    found = compatibility.asked(whole.missing(()), statuses(committed))
    done = {run: status for run, status in found.items() if not (retry and status == "failed")}
    return done, goes_on, notes


def _besides(config: Config) -> float:
    """Predict the seconds that a command takes besides training."""
    return START_UP + (DRAWING + FIGURE * len(config.plots) if config.plots else 0.0)


def _hints(whole: Plan) -> list[str]:
    """Return notes on the accuracy of the prediction."""
    patient = any(cohort.patient for cohort in whole.cohorts)
    hints = ["runs with patience may stop early; the prediction is for all that never do"] if patient else []
    sources = {source.name: source for c in whole.cohorts if (source := data_of(c.arm).source) and not source.here}
    for name, source in sources.items():
        total = size(sum(file.size for file in source.files))
        hints.append(f"{name} is not here yet: the run fetches it first ({total}); the prediction is from noise")
    return hints


def _levels(config: Config, cohort: Cohort) -> dict[str, list[str]]:
    """Return a cohort's labels of the varying factors, without factors of which it has every label."""
    return {f: list(labels) for f, labels in cohort.labels.items() if len(labels) < len(config.levels(f))}


def _seconds(todo: Sequence[_Work]) -> list[float]:
    """Predict the seconds of every chunk: some cohorts are timed, the others estimated from their arithmetic."""
    measured: dict[int, float] = {}
    start = time.perf_counter()
    for i in sorted(range(len(todo)), key=lambda i: -todo[i].cohort.work * todo[i].runs):
        cohort = todo[i].cohort
        if not measured or (len(measured) < MEASURED and time.perf_counter() - start < BUDGET):
            measured[i] = seconds_of_a_run(cohort, todo[i].largest, _available(data_of(cohort.arm)))
    pace = sum(measured.values()) / sum(todo[i].cohort.work for i in measured) if measured else 0.0
    each = [measured.get(i, pace * work.cohort.work) for i, work in enumerate(todo)]
    return [
        runs * (1 - begun / work.cohort.steps) * one  # as many runs from the beginning take as long
        for one, work in zip(each, todo, strict=True)
        for runs, begun in work.chunks
    ]


def _rows(cohort: Cohort) -> int:
    """Return the bytes on disk of a run of the cohort."""
    evaluate, times = cohort.arm.evaluate, cohort.evaluations
    layer = LAYER_ROW * times + HISTOGRAMS_ROW * min(times, HISTOGRAMS + 1) if evaluate.layers else 0
    layer += STATE_ROW * times if evaluate.layers and evaluate.keep == "final" else 0
    kept = cohort.kept * (FLOAT * cohort.parameters + 2 * ARRAY * cohort.kernels)
    predictions = round(PREDICTION * data_of(cohort.arm).sizes["test"]) if evaluate.predicts else 0
    return RUN_ROW + CURVE_ROW * times * len(evaluate.on) + layer * cohort.kernels + kept + predictions


def _data(cohort: Cohort) -> int:
    """Return the bytes of the data set in a worker: as it was read, and in float32 for each evaluated split."""
    data = _available(data_of(cohort.arm))
    features = math.prod(data.shape)
    arrays = data.arrays
    shared = [] if data.division else [split for split in cohort.arm.evaluate.on if split != "batch"]
    evaluated = sum(data.sizes[split] for split in shared)
    return sum(x.nbytes for x in (arrays.x_train, arrays.x_validation, arrays.x_test)) + 4 * features * evaluated


def _available(data: Dataset) -> Dataset:
    """Return the data set, or noise of the same shape if it is not fetched yet."""
    return data if data.source is None or data.source.here else replace(data, read=lambda: _noise(data))


def _noise(data: Dataset) -> Arrays:
    draw = stream(0, "noise")

    def split(name: str) -> tuple[np.ndarray, np.ndarray]:
        count = data.sizes[name]
        return draw.integers(0, 256, (count, *data.shape), np.uint8), draw.integers(0, data.classes, count)

    return Arrays(*split("train"), *split("validation"), *split("test"), scale=1 / 255)
