"""What a data set is to the rest of the program: sizes at once, arrays when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlsweep.registry import Contract, Registry

if TYPE_CHECKING:
    from dlsweep.datasets.published import Published

datasets = Registry("data set", "dlsweep.datasets", Contract())

# All that there is to train on and to test on: x, t, x_test, t_test, as `Arrays` has them.
Whole = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

# No array of a data set may unpack to more: what claims to be larger is a mistake or a bomb.
MAX_BYTES = 8 << 30


@dataclass(frozen=True)
class Arrays:
    """The pool that training draws from, and the two splits that are only ever evaluated.

    x: `(N, *shape)`, uint8 or float32; t: `(N,)` int64 labels 0 … classes-1. `validation` was taken out of the training
    images and is no part of the pool. A network sees x times scale; or, where `standardized`, minus the mean and over
    the std of each channel, `(C,)`, both of the samples that it trains on: `seen_by` takes them.
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

    def seen_by(self, rows: np.ndarray | None) -> Arrays:
        """The same arrays as a network sees them that trains on these rows of the pool; None for all of them."""
        if not self.standardized or (rows is None and self.mean is not None):
            return self
        mean, std = _moments(self.x_train if rows is None else self.x_train[rows])
        return replace(self, mean=mean, std=std)

    def floats(self, x: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """What a network sees of some of its samples: x · scale or, of each channel, (x − mean) / std."""
        if not self.standardized:
            y: np.ndarray = np.multiply(x, dtype.type(self.scale), dtype=dtype)
            return y
        assert self.mean is not None, "`seen_by` says over which samples"
        assert self.std is not None
        each = (-1, *[1] * (x.ndim - 2))
        y = np.subtract(x, self.mean.astype(dtype).reshape(each), dtype=dtype)
        y /= self.std.astype(dtype).reshape(each)
        return y


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set with its subset chosen.

    fingerprint: hash of the content and of the subset's sizes, the data's part in a run's identity.
    shape: of one sample, `(C, H, W)` or `(features,)`. sizes: samples per split (`train`, `validation`, `test`) that a
    run trains or is evaluated on; `train` may be smaller than the pool: then each seed draws its own subset of it.
    notes: sentences on what is odd about the data, though it can be used. credit: who made it, and its licence.
    source: where it is fetched from before it can be read; folder: where its files lie that came with a package.
    names: of the classes, where they have other names than numbers.
    """

    fingerprint: str
    shape: tuple[int, ...]
    classes: int
    sizes: Mapping[str, int]
    read: Callable[[], Arrays] = field(repr=False)
    notes: tuple[str, ...] = ()
    credit: str = ""
    source: Published | None = None
    folder: Path | None = None
    names: tuple[str, ...] = ()

    @cached_property
    def arrays(self) -> Arrays:
        """The arrays, read on first use."""
        return self.read()


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel, or of each feature, `(C,)`; 1 for one that never varies.

    In float64, and a thousand samples at a time: there is never a copy of all in memory.
    """
    each = (0, *range(2, x.ndim))
    blocks = [x[i : i + 1000] for i in range(0, len(x), 1000)]
    count = x[:, 0].size
    mean = sum(block.sum(axis=each, dtype=np.float64) for block in blocks) / count
    column = mean.reshape(-1, *[1] * (x.ndim - 2))
    std = np.sqrt(sum(((block - column) ** 2).sum(axis=each) for block in blocks) / count)
    return mean, np.where(std > 0, std, 1.0)
