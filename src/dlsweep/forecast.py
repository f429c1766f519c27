"""A dry run: what a sweep would train, and about how long that takes, without training or writing it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from dlsweep.config import Config, load
from dlsweep.config.runs import Run
from dlsweep.datasets import Arrays, Dataset, data_of
from dlsweep.errors import DlsweepError
from dlsweep.execution.choice import crew
from dlsweep.execution.machine import BLAS_BUFFER, keep_freed_memory
from dlsweep.randomness import stream
from dlsweep.storage import compatibility, record
from dlsweep.storage.store import Store, statuses
from dlsweep.text import size
from dlsweep.training.cohorts import train
from dlsweep.training.costs import FLOAT
from dlsweep.training.minibatches import evaluations, iterations
from dlsweep.training.observers.probes import HISTOGRAMS
from dlsweep.training.plan import Chunk, Cohort, Plan, code, plan

# Bytes of a row of curves/, of layers/ without and for its histograms, and of runs/, as Parquet with its compression
# takes them, and of a part around them.
CURVE_ROW, LAYER_ROW, HISTOGRAMS_ROW, RUN_ROW, PART = 16, 50, 100, 250, 12_000

# Bytes around an array in a file of weights.
ARRAY = 280

# How many cohorts are measured (the others are reckoned from their arithmetic), and the seconds of steps for each.
MEASURED = 4
STEPPING = 0.3


@dataclass(frozen=True)
class Forecast:
    """What running a sweep would mean.

    folded: arms that another arm stands for, with its name. done: runs on disk. workers: how many train at once.
    seconds: predicted from timing a few steps. memory: bytes that a worker takes at most for its stack, the data
    and BLAS. disk: bytes that are still to be written. notes: sentences that a person should know.
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
    """One cohort, which is one stack to its readers.

    levels: the labels that its arms have of each varying factor, but of those of which they have all. missing: runs
    that are not done. parameters: numbers that one run trains.
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
) -> Forecast:
    """Tell what `run` with the same arguments would do. Writes nothing; trains a few steps, to time them.

    Raises what `run` raises before it trains, and a `DlsweepError` where those few steps fail.

    >>> told = dry_run({"name": "x", "train": {"iterations": 2}, "grid": {"activation": ["relu", "tanh"]}, "seeds": 5})
    >>> told.runs, told.done
    (10, 0)
    """
    config = config if isinstance(config, Config) else load(config)
    team = crew(executor, jobs, timeout, max_memory)
    whole = plan(config)
    done = {} if force else _done(config, Path(output) / config.name, retry)
    cohorts = {code(cohort.arm): cohort for cohort in whole.cohorts}
    sizes: dict[Hashable, list[int]] = {key: [] for key in cohorts}
    widest: dict[Hashable, Chunk] = {}
    for chunk in whole.chunks(done, team.workers, team.memory):
        key = code(chunk[0].arm)
        sizes[key].append(len(chunk))
        widest[key] = max(widest.get(key, ()), chunk, key=len)
    keep_freed_memory()
    with threadpool_limits(1):
        seconds = _seconds(cohorts, sizes, widest)
    levels = _levels(config)
    stacks = (len(chunk) * cohorts[key].memory + _data(cohorts[key]) for key, chunk in widest.items())
    return Forecast(
        runs=whole.runs,
        done=len(done),
        folded=config.folds(),
        cohorts=[
            CohortForecast(levels[key], cohort.arms, cohort.runs, sum(sizes[key]), cohort.parameters)
            for key, cohort in cohorts.items()
        ],
        chunks=len(seconds),
        workers=team.workers,
        seconds=max([sum(seconds) / team.workers, *seconds], default=0.0),
        memory=max((BLAS_BUFFER + stack for stack in stacks), default=0),
        disk=sum(sum(sizes[key]) * _rows(cohorts[key]) + len(sizes[key]) * PART for key in cohorts),
        notes=[*team.notes(whole), *_hints(config, whole)] if seconds else [],
    )


def _done(config: Config, folder: Path, retry: bool) -> dict[str, str]:
    """The runs that are on disk, with their status; those that failed are not done if they are to be tried again."""
    old = record.read(folder)
    if old is None:
        return {}
    held, _ = Store(folder, old.tables).survey()
    compatibility.check(config, old, held, folder)
    return {run: status for run, status in statuses(held).items() if not (retry and status == "failed")}


def _hints(config: Config, whole: Plan) -> list[str]:
    """What a person should know about the prediction."""
    patient = any(arm.train.stopping for arm in config.arms())
    hints = ["runs with patience may stop early; the prediction is for all that never do"] if patient else []
    sources = {source.name: source for c in whole.cohorts if (source := data_of(c.arm).source) and not source.here}
    for name, source in sources.items():
        total = size(sum(file.size for file in source.files))
        hints.append(f"{name} is not here yet: the run fetches it first ({total}); the prediction is from noise")
    return hints


def _levels(config: Config) -> dict[Hashable, dict[str, list[str]]]:
    """What tells the cohorts apart: of each, its labels of the varying factors, but where it has all of them."""
    found: dict[Hashable, dict[str, dict[str, None]]] = {}
    for arm in config.arms():
        own = found.setdefault(code(arm), {factor: {} for factor in config.varying})
        for factor, labels in own.items():
            labels[arm.levels[factor]] = None
    return {
        key: {f: list(labels) for f, labels in own.items() if len(labels) < len(config.levels(f))}
        for key, own in found.items()
    }


def _seconds(
    cohorts: Mapping[Hashable, Cohort], sizes: Mapping[Hashable, Sequence[int]], widest: Mapping[Hashable, Chunk]
) -> list[float]:
    """The predicted seconds of every chunk: some cohorts are measured, the others go by their arithmetic."""
    measured = {key: _measure(widest[key]) / len(widest[key]) for key in list(widest)[:MEASURED]}
    pace = sum(measured.values()) / sum(cohorts[key].work for key in measured) if measured else 0.0
    return [size * measured.get(key, pace * cohorts[key].work) for key, own in sizes.items() for size in own]


def _measure(chunk: Chunk) -> float:
    """Predict a chunk's seconds from short trainings, which tell a step, an evaluation and the start apart."""
    arm = chunk[0].arm
    data = _at_hand(data_of(arm))

    def seconds(steps: int, every: int) -> float:
        train_ = replace(arm.train, iterations=steps, epochs=None, stopping=None)
        evaluate = replace(arm.evaluate, every=every)
        runs = [Run(replace(run.arm, train=train_, evaluate=evaluate), run.seeds) for run in chunk]
        try:
            return train(runs, data).seconds
        except DlsweepError:
            raise
        except Exception as error:  # from a registered function: `run` would store such runs as failed
            raise DlsweepError(f"training the cohort of {arm.name} fails: {type(error).__name__}: {error}") from error

    seconds(1, 1)  # reads the data, and wakes up what else sleeps
    one, few, evaluated = seconds(1, 1), seconds(6, 6), seconds(4, 1)
    more = round(min(100, max(5, STEPPING * 5 / max(few - one, 1e-9))))
    step = max(0.0, seconds(6 + more, 6 + more) - few) / more
    evaluation = max(0.0, evaluated - one - 3 * step) / 3
    start = max(0.0, one - step - 2 * evaluation)
    steps = iterations(arm.train, data.sizes["train"])
    return start + steps * step + evaluations(arm.evaluate, steps) * evaluation


def _rows(cohort: Cohort) -> int:
    """Bytes on disk for a run of the cohort."""
    arm = cohort.arm
    steps = iterations(arm.train, data_of(arm).sizes["train"])
    times = evaluations(arm.evaluate, steps)
    layer = LAYER_ROW * times + HISTOGRAMS_ROW * min(times, HISTOGRAMS + 1) if arm.evaluate.layers else 0
    kept = FLOAT * cohort.parameters + 2 * ARRAY * cohort.kernels if arm.evaluate.keep else 0
    return RUN_ROW + CURVE_ROW * times * len(arm.evaluate.on) + layer * cohort.kernels + kept


def _data(cohort: Cohort) -> int:
    """Bytes of the data set in a worker: as read, and once more in float32 for every split that is evaluated."""
    data = _at_hand(data_of(cohort.arm))
    features = math.prod(data.shape)
    arrays = data.arrays
    evaluated = sum(data.sizes[split] for split in cohort.arm.evaluate.on if split != "batch")
    return sum(x.nbytes for x in (arrays.x_train, arrays.x_validation, arrays.x_test)) + 4 * features * evaluated


def _at_hand(data: Dataset) -> Dataset:
    """The data set, with noise of its form in place of samples that are still to be fetched."""
    return data if data.source is None or data.source.here else replace(data, read=lambda: _noise(data))


def _noise(data: Dataset) -> Arrays:
    draw = stream(0, "noise")

    def split(name: str) -> tuple[np.ndarray, np.ndarray]:
        count = data.sizes[name]
        return draw.integers(0, 256, (count, *data.shape), np.uint8), draw.integers(0, data.classes, count)

    return Arrays(*split("train"), *split("validation"), *split("test"), scale=1 / 255)
