"""The jobs of `bench.convolution`: the training of each contender, in numbers. Needs only NumPy.

Each job has six runs of a convolutional network with ReLU on MNIST: three learning rates of Adam by two seeds.
Minibatches of 100 are drawn with replacement from all training images. During training, each run is evaluated on its
minibatch and on some test images. Separately, the six networks are evaluated on all test images.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any

import numpy as np

from bench import common

IMAGE = (1, 28, 28)
PARTS = ("training", "evaluation")


@dataclass(frozen=True)
class Job:
    """A network to train with some learning rates by some seeds.

    kernels: the shapes of its weights, `(F, C, KH, KW)` of convolutions and `(out, in)` of dense layers. init: as in a
    config. every: iterations from one evaluation to the next. tested: test images of an evaluation during training;
    images: of the separate evaluation. first: images of each part that are read; None is all.
    """

    name: str
    kernels: tuple[tuple[int, ...], ...]
    init: str
    rates: tuple[float, ...] = (0.0005, 0.001, 0.002)
    seeds: int = 2
    iterations: int = 200
    every: int = 20
    tested: int = 1000
    images: int = common.TEST_IMAGES
    first: int | None = None

    @property
    def settings(self) -> list[tuple[float, int]]:
        """The learning rate and the seed of each run."""
        return [(lr, seed) for lr in self.rates for seed in range(self.seeds)]

    @property
    def runs(self) -> int:
        return len(self.rates) * self.seeds

    @property
    def evaluations(self) -> int:
        """Number of evaluations of each run during training."""
        return self.iterations // self.every + 1

    def weights(self, seed: int) -> Iterator[np.ndarray]:
        """The initial weights of every layer, float32; biases start at zero."""
        rng = np.random.default_rng([seed, 1])
        for shape in self.kernels:
            std = 0.01 if self.init == "normal" else math.sqrt(2 / prod(shape[1:]))
            yield np.float32(std) * rng.standard_normal(shape, np.float32)


SIMPLE_CNN = Job("simple_cnn", ((30, 1, 5, 5), (100, 30 * 12 * 12), (10, 100)), "normal")
LENET = Job("lenet", ((6, 1, 5, 5), (16, 6, 5, 5), (120, 16, 5, 5), (84, 120), (10, 84)), "he")
JOBS = {job.name: job for job in (SIMPLE_CNN, LENET)}


def config(job: Job) -> dict[str, Any]:
    """The job as a config of dlsweep."""
    return {
        "name": job.name,
        "data": {"mnist": {"test": job.tested} | ({"train": job.first} if job.first else {})},
        "model": job.name,
        "train": {"iterations": job.iterations, "batch_size": common.BATCH_SIZE, "sampling": "replacement"},
        "evaluate": {"every": job.every, "on": ["batch", "test"]},
        "seeds": job.seeds,
        "grid": {"activation": "relu", "init": job.init, "optimizer": {"adam": {"lr": list(job.rates)}}},
    }


def shortened(job: Job) -> Job:
    """The same for a smoke run: two runs, two evaluations, few images."""
    few = replace(job, tested=100, images=200, first=common.SMOKE)
    return replace(few, rates=job.rates[:2], seeds=1, iterations=2, every=2)


def read(job: Job) -> common.Data:
    """MNIST with images `(N, 1, 28, 28)`, the test images shuffled, so that the first ones are a fair sample."""
    data = common.read_mnist(job.first)
    order = np.random.default_rng(0).permutation(len(data.t_test))
    x_train, x_test = data.x_train.reshape(-1, *IMAGE), data.x_test.reshape(-1, *IMAGE)
    return common.Data(x_train, data.t_train, x_test[order][: job.images], data.t_test[order][: job.images])


def main(parts: Mapping[str, Callable[[Job], common.Report]]) -> None:
    """The command line of a contender: NAME PART [--quick]; do the job, print the report as one line of JSON."""
    parser = argparse.ArgumentParser(description="one contender of the benchmark of convolutional networks")
    parser.add_argument("name", choices=JOBS)
    parser.add_argument("part", choices=parts)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(sys.argv[1:])
    job = JOBS[options.name]
    print(json.dumps(asdict(parts[options.part](shortened(job) if options.quick else job))))
