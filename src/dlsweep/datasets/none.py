"""Data set without samples, for models that need none."""

from __future__ import annotations

import numpy as np

from dlsweep.datasets.base import Arrays, Dataset, datasets


@datasets.register
def none_() -> Dataset:
    """No data, for landscapes: a point descends on a function, and learns from nothing else.

    >>> none_().sizes
    {'train': 0, 'validation': 0, 'test': 0}
    """
    x, t = np.empty((0, 0), np.float32), np.empty(0, np.int64)
    sizes = {"train": 0, "validation": 0, "test": 0}
    return Dataset("none", shape=(0,), classes=0, sizes=sizes, read=lambda: Arrays(x, t, x, t, x, t))
