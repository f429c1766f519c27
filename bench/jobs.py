"""The jobs of `bench.techniques`: the training of each contender, in numbers. Needs only NumPy.

All networks have six hidden layers of 100 units with ReLU and He initialization, on MNIST with minibatches of 100. The
jobs for batch normalization, dropout and Adam have four settings by five seeds, with minibatches drawn with replacement
from all training images. The overfitting job has 300 images per seed, six arms by five seeds, and whole epochs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from bench.common import BATCH_SIZE, SMOKE, Report, versions

SIZES = (784, *[100] * 6, 10)
IMAGES = 300  # of the overfitting job
EPOCH = IMAGES // BATCH_SIZE  # iterations
LR = 0.01  # of the overfitting job


@dataclass(frozen=True)
class Job:
    """A sweep of arms by seeds.

    arms: the settings of each arm, by their names in the contenders. grid: the same settings in a config.
    every: iterations from one evaluation to the next. first: images for training, and for testing; None is all.
    """

    name: str
    arms: tuple[dict[str, float], ...]
    grid: dict[str, Any]
    iterations: int
    every: int
    seeds: int = 5
    first: int | None = None

    @property
    def runs(self) -> int:
        return len(self.arms) * self.seeds

    @property
    def evaluations(self) -> int:
        """Number of evaluations of each run."""
        return self.iterations // self.every + 1


def _technique(name: str, setting: str, values: list[float], grid: dict[str, Any], **others: float) -> Job:
    return Job(name, tuple({setting: value, **others} for value in values), grid, iterations=500, every=25)


_RATES = [0.01, 0.03, 0.1, 0.3]
_RATIOS = [0.1, 0.15, 0.2, 0.25]
_ADAM = [0.0003, 0.001, 0.003, 0.01]

BATCH_NORM = _technique(
    "batch normalization", "lr", _RATES, {"normalization": "batch", "optimizer": {"sgd": {"lr": _RATES}}}
)
DROPOUT = _technique(
    "dropout",
    "ratio",
    _RATIOS,
    {"regularizer": {"dropout": {"ratio": _RATIOS}}, "optimizer": {"sgd": {"lr": 0.1}}},
    lr=0.1,
)
ADAM = _technique("Adam", "lr", _ADAM, {"optimizer": {"adam": {"lr": _ADAM}}})
TECHNIQUES = (BATCH_NORM, DROPOUT, ADAM)

OVERFITTING = Job(
    "overfitting",
    ({}, {"l2": 0.1}, {"l1": 0.005}, {"ratio": 0.15}, {"ratio": 0.2}, {"ratio": 0.15, "l1": 0.005}),
    {
        "regularizer": [
            "none",
            {"l2": {"strength": 0.1}},
            {"l1": {"strength": 0.005}},
            {"dropout": {"ratio": [0.15, 0.2]}},
            {"dropout": {"ratio": 0.15}, "l1": {"strength": 0.005}},
        ],
        "optimizer": {"sgd": {"lr": LR}},
    },
    iterations=20 * EPOCH,
    every=EPOCH,
)
JOBS = {job.name: job for job in (*TECHNIQUES, OVERFITTING)}


def initial_weights(seed: int) -> Iterator[np.ndarray]:
    """He initialization of every layer, `(in, out)` float32; biases start at zero."""
    rng = np.random.default_rng([seed, 1])
    for fan_in, fan_out in pairwise(SIZES):
        yield np.float32(np.sqrt(2 / fan_in)) * rng.standard_normal((fan_in, fan_out), np.float32)


def config(job: Job) -> dict[str, Any]:
    """The job as a config of dlsweep."""
    whole: dict[str, Any] = {
        "name": "technique",
        "data": {"mnist": {"train": job.first, "test": job.first} if job.first else {}},
        "model": {"mlp": {"hidden": list(SIZES[1:-1])}},
        "train": {"iterations": job.iterations, "batch_size": BATCH_SIZE, "sampling": "replacement"},
        "evaluate": {"every": job.every, "on": ["batch", "test"]},
        "seeds": job.seeds,
        "grid": {"activation": "relu", "init": "he", **job.grid},
    }
    if job.name == OVERFITTING.name:
        whole["data"]["mnist"]["train"] = IMAGES
        whole["train"] = {"epochs": job.iterations // EPOCH, "batch_size": BATCH_SIZE, "sampling": "shuffle"}
        whole["evaluate"]["on"] = ["train", "test"]
    return whole


def shortened(job: Job) -> Job:
    """The same for a smoke run: one seed, two evaluations, few images."""
    return replace(job, iterations=job.every, seeds=1, first=SMOKE)


def measured(job: Job, train: Callable[[dict[str, float], int], list[float]], package: str) -> Report:
    """Train all runs of a job, one after the other; train(arm, seed) gives a run's test accuracies."""
    start = time.perf_counter()
    curves = [train(arm, seed) for arm in job.arms for seed in range(job.seeds)]
    return Report(
        runs=len(curves),
        evaluations=len(curves[0]),
        seconds=time.perf_counter() - start,
        test_accuracy={job.name: float(np.mean([curve[-1] for curve in curves]))},
        versions=versions(package),
    )


def main(measure: Callable[[Job], Report], arguments: list[str]) -> None:
    """The command line of a contender: NAME [--quick]; do the job, print the report as one line of JSON."""
    parser = argparse.ArgumentParser(description="one contender of the benchmark of techniques")
    parser.add_argument("name", choices=JOBS)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    job = JOBS[options.name]
    print(json.dumps(asdict(measure(shortened(job) if options.quick else job))))
