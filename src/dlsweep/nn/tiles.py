"""Tiles: output of images that is computed part by part, so that each part is used before it leaves the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from dlsweep.types import Array, Shape

_CACHE = 1 << 18  # numbers that stay in a core's cache together with as many others


class Tiles(NamedTuple):
    """Output of images that is never in memory as a whole.

    shape: of the whole, `(R, C, H, W, N)`. compute(runs, rows): one tile, computed again at each call.
    """

    shape: Shape
    dtype: np.dtype
    compute: Callable[[slice, slice], Array]

    def run_slices(self, rows: int) -> Iterator[slice]:
        """Return slices of the runs, each with so few runs that `rows` rows of them stay in cache.

        >>> list(Tiles((5, 64, 32, 32, 64), np.dtype(np.float32), lambda runs, rows: np.empty(0)).run_slices(1))[:2]
        [slice(0, 2, None), slice(2, 4, None)]
        """
        runs, channels, _, width, samples = self.shape
        count = max(1, _CACHE // (channels * rows * width * samples))
        return (slice(start, min(start + count, runs)) for start in range(0, runs, count))


# The gradient of an output that was read in tiles, in the order in which they were read: runs, rows, dy.
TileGradients = Iterable[tuple[slice, slice, Array]]
