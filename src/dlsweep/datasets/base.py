"""Data sets: sizes at once, arrays on first use; their subsets; and the data set without samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from dlsweep.datasets.division import Division, Rows
from dlsweep.errors import DataError
from dlsweep.randomness import Seeds, stream
from dlsweep.registry import Registry
from dlsweep.signatures import Contract

if TYPE_CHECKING:
    from dlsweep.datasets.published import Published

datasets = Registry("data set", "dlsweep.datasets", Contract())

CountOrZero = Annotated[int, Ge(0)]

# All training and test samples: x, t, x_test, t_test, as in `Arrays`.
Whole = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

# No array of a data set may unpack to more: a larger one is a mistake or a decompression bomb.
MAX_BYTES = 8 << 30


@dataclass(frozen=True)
class Arrays:
    """Pool of samples that training draws from, and the two splits that are evaluated only.

    x: `(N, *shape)`, uint8 or float32; t: `(N,)` int64 labels 0 … classes-1. `validation` was taken out of the training
    images and is not a part of the pool. The input of a network is x times scale; or, if `standardized`, x minus the
    mean, divided by the std of each channel, `(C,)`, both over the samples that it trains on: see `seen_by`.
    """

    x_train: np.ndarray
    t_train: np.ndarray
    x_validation: np.ndarray
    t_validation: np.ndarray
    x_test: np.ndarray
    t_test: np.ndarray
    scale: float = 1.0
    standardized: bool = False
    mean: np.ndarray | None = None
    std: np.ndarray | None = None

    def divided(self, rows: Rows) -> Arrays:
        """Return the splits of a seed. The pool has all samples before: see `Dataset.division`."""
        (x, t), (x_validation, t_validation), (x_test, t_test) = (
            (self.x_train[own], self.t_train[own]) for own in rows
        )
        for array in (x, t, x_validation, t_validation, x_test, t_test):
            array.flags.writeable = False
        return Arrays(x, t, x_validation, t_validation, x_test, t_test, self.scale, self.standardized)

    def seen_by(self, rows: np.ndarray | None) -> Arrays:
        """Return the arrays with mean and std over the rows of the pool that a network trains on; None for all."""
        if not self.standardized or (rows is None and self.mean is not None):
            return self
        mean, std = _moments(self.x_train if rows is None else self.x_train[rows])
        return replace(self, mean=mean, std=std)

    def floats(self, x: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Return the input of a network for some of its samples: x · scale or, for each channel, (x − mean) / std."""
        if not self.standardized:
            y: np.ndarray = np.multiply(x, dtype.type(self.scale), dtype=dtype)
            return y
        assert self.mean is not None, "`seen_by` sets mean and std"
        assert self.std is not None
        each = (-1, *[1] * (x.ndim - 2))
        y = np.subtract(x, self.mean.astype(dtype).reshape(each), dtype=dtype)
        y /= self.std.astype(dtype).reshape(each)
        return y


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data set and the choice of its subset.

    fingerprint: hash of the content and of the subset's sizes, the data's part in a run's identity.
    shape: of one sample, `(C, H, W)` or `(features,)`. sizes: samples per split (`train`, `validation`, `test`) that a
    run trains or is evaluated on; `train` may be smaller than the pool: then each seed draws its own subset of it.
    notes: warnings about data that can be used, as sentences. credit: its authors and its licence. source: the
    published files that it is read from, bundled or to be fetched. names: of the classes, if they have names.
    division: of a data set whose splits differ by seed; its arrays have all samples in the pool, and none in the other
    splits, until `drawn` gives those of a seed. None for one split for all seeds.
    """

    fingerprint: str
    shape: tuple[int, ...]
    classes: int
    sizes: Mapping[str, int]
    read: Callable[[], Arrays] = field(repr=False)
    notes: tuple[str, ...] = ()
    credit: str = ""
    source: Published | None = None
    names: tuple[str, ...] = ()
    division: Division | None = None

    def drawn(self, seeds: Seeds) -> Dataset:
        """Return the data set with the splits of a seed; unchanged if all seeds share them."""
        if self.division is None:
            return self
        rows = self.division.rows(seeds)

        def read() -> Arrays:
            assert rows is not None
            arrays = self.arrays.divided(rows)
            return arrays.seen_by(None) if self.sizes["train"] == len(rows.train) else arrays

        return replace(self, division=None, sizes={**self.sizes, "test": len(rows.test)}, read=read)

    def tested(self, seeds: Seeds) -> int:
        """Return the number of test samples of a seed."""
        return self.division.tested(seeds) if self.division else self.sizes["test"]

    @cached_property
    def arrays(self) -> Arrays:
        """Arrays, read on first use."""
        return self.read()


@dataclass(frozen=True)
class Subset:
    """Numbers of used samples (`train`, `validation`, `test`; None for all), and of existing ones.

    Validation and test samples are drawn once, the same for every seed, so that all runs are evaluated on the same
    samples. Training draws its subset for each seed.

    train_total, test_total: the existing samples. standardize: True for mean 0 and standard deviation 1 of each channel
    over the samples that a run trains on; if these are fewer than the pool, they differ by seed.
    """

    name: str
    train_total: int
    test_total: int
    train: int | None
    validation: int
    test: int | None
    standardize: bool = False

    def __post_init__(self) -> None:
        has = f"{self.name} has {self.train_total:,} training samples"
        if self.train is None and self.validation >= self.train_total:
            raise DataError(f"{has}; validation: {self.validation:,} leaves none of them to train on")
        if self.train is not None and self.train + self.validation > self.train_total:
            parts = f"train: {self.train:,}" + (f" and validation: {self.validation:,}" if self.validation else "")
            raise DataError(f"{has}; {parts} ask for {self.train + self.validation:,}")
        if self.test is not None and self.test > self.test_total:
            raise DataError(f"{self.name} has {self.test_total:,} test samples; test: {self.test:,} asks for more")

    @property
    def sizes(self) -> dict[str, int]:
        """Number of samples of each split."""
        pool = self.train_total - self.validation
        return {"train": self.train or pool, "validation": self.validation, "test": self.test or self.test_total}

    def fingerprint(self, content: str) -> str:
        """Return a hash of the content's hash and the sizes; all samples by number is the same as all by default."""
        told = f"{content} {sorted(self.sizes.items())}" + " standardized" * self.standardize
        if self.standardize and self.sizes["train"] < self.train_total - self.validation:
            told += " by seed"  # an earlier version used mean and deviation of the pool: its runs are different
        return blake2b(told.encode(), digest_size=16).hexdigest()

    def arrays(self, x: np.ndarray, t: np.ndarray, x_test: np.ndarray, t_test: np.ndarray, scale: float) -> Arrays:
        """Return the splits of the whole training and test set, read-only, each in the order of the file.

        A split is the beginning of one permutation, so that a larger validation set contains a smaller one.
        """
        x_validation, t_validation = x[:0], t[:0]
        if self.validation:
            held_out = np.zeros(self.train_total, dtype=bool)
            held_out[stream(0, "subset/validation").permutation(self.train_total)[: self.validation]] = True
            x, t, x_validation, t_validation = x[~held_out], t[~held_out], x[held_out], t[held_out]
        if self.sizes["test"] < self.test_total:
            kept = np.sort(stream(0, "subset/test").permutation(self.test_total)[: self.sizes["test"]])
            x_test, t_test = x_test[kept], t_test[kept]
        splits = x, t, x_validation, t_validation, x_test, t_test
        for array in splits:
            array.flags.writeable = False  # sweeps share them
        arrays = Arrays(*splits, scale, self.standardize)
        return arrays.seen_by(None) if self.sizes["train"] == len(x) else arrays


@datasets.register
def none_() -> Dataset:
    """No data, for landscapes: a point descends on a function, and learns from nothing else.

    >>> none_().sizes
    {'train': 0, 'validation': 0, 'test': 0}
    """
    x, t = np.empty((0, 0), np.float32), np.empty(0, np.int64)
    sizes = {"train": 0, "validation": 0, "test": 0}
    return Dataset("none", shape=(0,), classes=0, sizes=sizes, read=lambda: Arrays(x, t, x, t, x, t))


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each channel, or of each feature, `(C,)`; 1 for a constant one.

    They are computed in float64, for a thousand samples at a time, without a copy of all samples in memory.
    """
    each = (0, *range(2, x.ndim))
    blocks = [x[i : i + 1000] for i in range(0, len(x), 1000)]
    count = x[:, 0].size
    mean = sum(block.sum(axis=each, dtype=np.float64) for block in blocks) / count
    column = mean.reshape(-1, *[1] * (x.ndim - 2))
    std = np.sqrt(sum(((block - column) ** 2).sum(axis=each) for block in blocks) / count)
    return mean, np.where(std > 0, std, 1.0)
