"""What a data set is to the rest of the program: sizes at once, arrays when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from dlsweep.registry import Registry

datasets = Registry("data set", "dlsweep.datasets")

# No array of a data set may unpack to more: what claims to be larger is a mistake or a bomb.
MAX_BYTES = 8 << 30


@dataclass(frozen=True)
class Arrays:
    """The pool that training draws from, and the two splits that are only ever evaluated.

    x: `(N, *shape)`, uint8 or float32; t: `(N,)` int64 labels 0 … classes-1. A network sees `x * scale` as float32.
    `validation` was taken out of the training images and is no part of the pool.
    """

    x_train: np.ndarray
    t_train: np.ndarray
    x_validation: np.ndarray
    t_validation: np.ndarray
    x_test: np.ndarray
    t_test: np.ndarray
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set with its subset chosen.

    fingerprint: hash of the content and of the subset's sizes, the data's part in a run's identity.
    shape: of one sample, `(C, H, W)` or `(features,)`. sizes: samples per split (`train`, `validation`, `test`) that a
    run trains or is evaluated on; `train` may be smaller than the pool: then each seed draws its own subset of it.
    notes: sentences on what is odd about the data, though it can be used.
    """

    fingerprint: str
    shape: tuple[int, ...]
    classes: int
    sizes: Mapping[str, int]
    read: Callable[[], Arrays] = field(repr=False)
    notes: tuple[str, ...] = ()

    @cached_property
    def arrays(self) -> Arrays:
        """The arrays, read on first use."""
        return self.read()
