"""What a data set is to the rest of the program: sizes at once, arrays when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlsweep.registry import Registry

if TYPE_CHECKING:
    from dlsweep.datasets.published import Published

datasets = Registry("data set", "dlsweep.datasets")

# All that there is to train on and to test on: x, t, x_test, t_test, as `Arrays` has them.
Whole = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

# No array of a data set may unpack to more: what claims to be larger is a mistake or a bomb.
MAX_BYTES = 8 << 30


@dataclass(frozen=True)
class Arrays:
    """The pool that training draws from, and the two splits that are only ever evaluated.

    x: `(N, *shape)`, uint8 or float32; t: `(N,)` int64 labels 0 … classes-1. `validation` was taken out of the training
    images and is no part of the pool. scale, or mean and std of each channel of the pool, `(C,)`: how a network sees x.
    """

    x_train: np.ndarray
    t_train: np.ndarray
    x_validation: np.ndarray
    t_validation: np.ndarray
    x_test: np.ndarray
    t_test: np.ndarray
    scale: float = 1.0
    mean: np.ndarray | None = None
    std: np.ndarray | None = None

    @property
    def standardized(self) -> bool:
        """Whether it has mean and std; else what is 0 stays 0."""
        return self.mean is not None

    def floats(self, x: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """What a network sees of some of its samples: x · scale or, of each channel, (x − mean) / std."""
        if self.mean is None or self.std is None:
            y: np.ndarray = np.multiply(x, dtype.type(self.scale), dtype=dtype)
            return y
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
