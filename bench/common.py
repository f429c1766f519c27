"""The job of every contender, in numbers, and the line in which a contender reports its result.

The job is the sweep of `configs/activation_init.yaml`: sigmoid and ReLU by three initializations, a 784-40-20-10
network on MNIST, plain SGD, minibatches drawn with replacement, loss and accuracy on the minibatch and on all test
images at iterations 0, 10, …, 1000. Replicates are paired: every arm of a seed trains on the same minibatches.

A contender is a module that runs as `python -m bench.<name>`, in its own process, in an environment that has its
library. So this file needs only NumPy.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MNIST = ROOT / "src" / "dlsweep" / "datasets" / "mnist"

SIZES = (784, 40, 20, 10)
ACTIVATIONS = ("sigmoid", "relu")
INITS = ("normal", "xavier", "he")
LR = 0.01
BATCH_SIZE = 100
EVERY = 10
TEST_IMAGES = 10_000
SMOKE = 1000  # images for training, and for testing, of a smoke run
PROCESSES = 2  # of dlsweep, and of the machine's limit

METRICS = ("batch_loss", "batch_accuracy", "test_loss", "test_accuracy")

# Test accuracy after 1000 iterations, mean over the seeds: of an arm that learns nothing (the share of the digit 1), of
# an arm that learns well, and of contenders with their own initial weights. Another accuracy shows another job.
EXPECTED = {"sigmoid, normal": (0.1135, 0.0005), "relu, he": (0.88, 0.03), "relu, own": (0.87, 0.03)}


def std(init: str, fan_in: int) -> float:
    """The standard deviation from which an arm's initial weights are drawn; biases start at zero."""
    return {"normal": 0.01, "xavier": math.sqrt(1 / fan_in), "he": math.sqrt(2 / fan_in)}[init]


@dataclass(frozen=True)
class Job:
    """The sweep with this number of seeds; fewer iterations are for a smoke run only."""

    seeds: int = 5
    iterations: int = 1000

    @property
    def runs(self) -> int:
        return len(ACTIVATIONS) * len(INITS) * self.seeds

    @property
    def evaluations(self) -> int:
        """Number of evaluations of each run: at iteration 0, and then every `EVERY` iterations."""
        return self.iterations // EVERY + 1

    @property
    def whole(self) -> bool:
        """True if the runs train to their end, so that their accuracy is known beforehand."""
        return self.iterations == 1000

    @property
    def flops(self) -> float:
        """The nominal arithmetic: 2 operations for every multiply-add of a matrix product, nothing else counted.

        A step has a forward pass, the gradients of the weights, and the gradients of the inputs of all layers except
        the first. An evaluation has forward passes over the minibatch and the test images.
        """
        products = [fan_in * fan_out for fan_in, fan_out in pairwise(SIZES)]
        forward = 2 * sum(products)
        step = BATCH_SIZE * (2 * forward + 2 * sum(products[1:]))
        evaluation = (BATCH_SIZE + TEST_IMAGES) * forward
        return float(self.runs * (self.iterations * step + self.evaluations * evaluation))


@dataclass(frozen=True)
class Data:
    """MNIST in memory: float32 images `(N, 784)` in [0, 1], int64 labels `(N,)`."""

    x_train: np.ndarray
    t_train: np.ndarray
    x_test: np.ndarray
    t_test: np.ndarray


def read_mnist(first: int | None = None) -> Data:
    """The bundled files; first: the number of images of each part, by default all."""

    def read(name: str, offset: int, size: int) -> np.ndarray:
        with gzip.open(MNIST / name) as file:
            return np.frombuffer(file.read(offset + first * size if first else -1), np.uint8, offset=offset)

    def images(name: str) -> np.ndarray:
        return read(name, 16, SIZES[0]).reshape(-1, SIZES[0]).astype(np.float32) / np.float32(255)

    def labels(name: str) -> np.ndarray:
        return read(name, 8, 1).astype(np.int64)

    return Data(
        images("train-images-idx3-ubyte.gz"),
        labels("train-labels-idx1-ubyte.gz"),
        images("t10k-images-idx3-ubyte.gz"),
        labels("t10k-labels-idx1-ubyte.gz"),
    )


def minibatches(seed: int, iterations: int, size: int) -> np.ndarray:
    """The training images of every minibatch of a replicate, `(iterations, BATCH_SIZE)`."""
    return np.random.default_rng([seed, 0]).integers(size, size=(iterations, BATCH_SIZE))


def initial_weights(init: str, seed: int) -> Iterator[np.ndarray]:
    """The weights of every layer, `(in, out)` float32."""
    rng = np.random.default_rng([seed, 1])
    for fan_in, fan_out in pairwise(SIZES):
        yield np.float32(std(init, fan_in)) * rng.standard_normal((fan_in, fan_out), np.float32)


@dataclass(frozen=True)
class Report:
    """A contender's line.

    evaluations: of each run. seconds: the training with its evaluations, without start-up, reading of data and
    compilation. whole_seconds: the whole process; if None, the caller measures it. test_accuracy: the final mean over
    the seeds of each arm, such as "relu, he".
    """

    runs: int
    evaluations: int
    seconds: float
    compile_seconds: float = 0.0
    whole_seconds: float | None = None
    test_accuracy: dict[str, float] = field(default_factory=dict)
    note: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    def faults(self, job: Job) -> list[str]:
        """Return the differences that show that another job was done."""
        found = [f"{self.runs} runs instead of {job.runs}"] if self.runs != job.runs else []
        if self.evaluations != job.evaluations:
            found.append(f"{self.evaluations} evaluations a run instead of {job.evaluations}")
        known = self.test_accuracy.keys() & EXPECTED if job.whole else set()
        for arm in sorted(known):
            got, (value, tolerance) = self.test_accuracy[arm], EXPECTED[arm]
            if abs(got - value) > tolerance:
                found.append(f"test accuracy of {arm} is {got:.4f} instead of {value} ± {tolerance}")
        return found


Curves = dict[tuple[str, str], np.ndarray]


def timed(train: Callable[[Job, Data], Curves | tuple[Curves, float]], *packages: str) -> Callable[[Job], Report]:
    """Time the training of a contender that trains in its own process; check and summarize its curves.

    train: returns for every arm the curves, `(seeds, evaluations, METRICS)`; and the seconds of compilation, if any.
    """

    def measure(job: Job) -> Report:
        data = read_mnist(None if job.whole else SMOKE)
        start = time.perf_counter()
        trained = train(job, data)
        elapsed = time.perf_counter() - start
        curves, compile_seconds = trained if isinstance(trained, tuple) else (trained, 0.0)
        (shape,) = {c.shape for c in curves.values()}
        assert shape[-1] == len(METRICS), shape
        return Report(
            runs=len(curves) * shape[0],
            evaluations=shape[1],
            seconds=elapsed - compile_seconds,
            compile_seconds=compile_seconds,
            test_accuracy={", ".join(arm): float(c[:, -1, -1].mean()) for arm, c in curves.items()},
            versions=versions(*packages),
        )

    return measure


def main(measure: Callable[[Job], Report]) -> None:
    """The command line of a contender: do the job, print the report as one line of JSON."""
    parser = argparse.ArgumentParser(description="one contender of the benchmark")
    parser.add_argument("--seeds", type=int, default=Job.seeds)
    parser.add_argument("--iterations", type=int, default=Job.iterations)
    print(json.dumps(asdict(measure(Job(**vars(parser.parse_args()))))))


def versions(*packages: str) -> dict[str, str]:
    """The versions of installed packages."""
    return {package: version(package) for package in packages}


def environment(threads: int | None) -> dict[str, str]:
    """The environment of a process with this number of threads for matrix products; None is the libraries' default.

    The process finds bytecode on disk, as a user's does: to compile dlsweep takes half a second.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return own | ({name: str(threads) for name in names} if threads else {})
