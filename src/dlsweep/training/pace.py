"""Pace of training: the seconds of a run, predicted from some steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from statistics import median

import numpy as np

from dlsweep.config.runs import Run
from dlsweep.datasets.base import Dataset
from dlsweep.errors import DlsweepError
from dlsweep.tasks import DESCENT
from dlsweep.training.loop import Training
from dlsweep.training.plan import Chunk, Cohort, train

STEPPING = 0.1  # seconds of steps, and of evaluations, that are timed
AT_ONCE = 1 << 30  # multiplications of a step that is timed
SAMPLES = 960  # of a split that is evaluated


def seconds_of_a_run(cohort: Cohort, chunk: Chunk, data: Dataset) -> float:
    """Predict the seconds of a run that trains in a chunk. Raise `DlsweepError` if a registered function fails."""
    arm = cohort.arm
    try:
        return (_descent if arm.model.name in DESCENT.models else _training)(cohort, chunk, data)
    except DlsweepError:
        raise
    except Exception as error:  # from a registered function: `run` would store such runs as failed
        raise DlsweepError(f"training the cohort of {arm.name} fails: {type(error).__name__}: {error}") from error


def _descent(cohort: Cohort, chunk: Chunk, data: Dataset) -> float:
    """Time the first steps of some descents."""
    steps = min(cohort.steps, 100)
    runs = [Run(replace(run.arm, train=run.arm.train.lasting(steps)), run.seeds) for run in chunk]
    return train(runs, data).seconds * cohort.steps / steps / len(chunk)


def _training(cohort: Cohort, chunk: Chunk, whole: Dataset) -> float:
    """Time some steps, and a part of an evaluation, of some runs that stand for all."""
    arm = cohort.arm
    chunk = chunk[: max(1, int(AT_ONCE * cohort.steps / cohort.work))]
    # Samples of other splits than the training set take as long, and fewer of them are timed.
    most = SAMPLES if whole.division is None else len(whole.arrays.t_train)
    sizes = {split: min(whole.sizes[split], most) for split in ("validation", "test")}
    arrays = whole.arrays
    fewer = {f"{a}_{split}": getattr(arrays, f"{a}_{split}")[:n] for split, n in sizes.items() for a in "xt"}
    data = replace(whole, sizes={**whole.sizes, **sizes}, read=lambda: replace(arrays, **fewer))
    on = tuple(split for split in arm.evaluate.on if split != "train") or ("batch",)
    evaluate = replace(arm.evaluate, on=on, keep=None)
    train_ = replace(arm.train, stopping=None)
    runs = [Run(replace(run.arm, train=train_, evaluate=evaluate), run.seeds) for run in chunk]

    t = 0

    def step() -> None:
        nonlocal t
        if not training.state:  # all runs have diverged: the others of the cohort will do so, too
            return
        t += 1
        training.step(t)
        training.next_batch(t)

    with np.errstate(all="ignore"):
        start = time.perf_counter()
        training = Training(runs, data, np.dtype(np.float32))
        start = time.perf_counter() - start
        training.evaluate(0)
        step()
        evaluation = _typical(lambda: training.evaluate(t))
        begun = time.perf_counter()
        step()  # probes measure the layers in this step
        probed, plain = time.perf_counter() - begun, _typical(step)

    def samples(data: Dataset, on: Iterable[str]) -> int:
        return sum(arm.train.batch_size if split == "batch" else data.sizes[split] for split in on)

    evaluation *= samples(whole, arm.evaluate.on) / samples(data, on)
    seconds = start + cohort.steps * plain + cohort.evaluations * (evaluation + max(0.0, probed - plain))
    return seconds / len(chunk)


def _typical(action: Callable[[], None]) -> float:
    """Return the median of the seconds that an action takes."""
    found: list[float] = []
    begun = time.perf_counter()
    while not found or time.perf_counter() - begun < STEPPING:
        start = time.perf_counter()
        action()
        found.append(time.perf_counter() - start)
    return median(found)
