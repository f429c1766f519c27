"""The random numbers that layers draw while they train: dropout masks, noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np

from dlsweep.nn.layers import SharedInput
from dlsweep.randomness import Seeds


class Draws:
    """Random draws of a stack's runs at one step, see `dlsweep.nn.layers.Draws`.

    slices: the rows of each seed; index: the step. Every step opens its streams anew, so an extra pass, of an observer,
    shifts no other draw.
    """

    def __init__(self, slices: Mapping[Seeds, slice], index: int):
        self.slices, self.index = slices, index

    def bits(self, purpose: str, shape: tuple[int, ...]) -> list[SharedInput]:
        """Return 32 random bits each, uint32."""
        return [SharedInput(_words(draw, shape), runs) for draw, runs in self._streams(purpose)]

    def normal(self, purpose: str, shape: tuple[int, ...]) -> list[SharedInput]:
        """Return standard normal numbers, float32."""
        return [SharedInput(draw.standard_normal(shape, np.float32), runs) for draw, runs in self._streams(purpose)]

    def _streams(self, purpose: str) -> Iterator[tuple[np.random.Generator, slice]]:
        return ((seeds.stream(purpose, self.index), runs) for seeds, runs in self.slices.items())


def _words(draw: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return the halves of a generator's 64-bit words, the lower half first."""
    count = prod(shape)
    raw = draw.bit_generator.random_raw(-(-count // 2)).astype("<u8", copy=False)
    return raw.view("<u4")[:count].reshape(shape)
