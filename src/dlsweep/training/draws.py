"""The random numbers that layers draw while they train: dropout masks, noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np

from dlsweep.nn.layers import SharedInput
from dlsweep.randomness import stream


class Draws:
    """The draws of a stack's runs at one step, as `dlsweep.nn.layers.Draws` describes them.

    slices: the runs of each seed; index: the step. Every step opens its streams anew, so a pass that is made only to
    look at a network shifts nothing.
    """

    def __init__(self, slices: Mapping[int, slice], index: int):
        self.slices, self.index = slices, index

    def bits(self, purpose: str, shape: tuple[int, ...]) -> list[SharedInput]:
        """32 random bits each, uint32."""
        return [SharedInput(_words(draw, shape), runs) for draw, runs in self._streams(purpose)]

    def normal(self, purpose: str, shape: tuple[int, ...]) -> list[SharedInput]:
        """Standard normal, float32."""
        return [SharedInput(draw.standard_normal(shape, np.float32), runs) for draw, runs in self._streams(purpose)]

    def _streams(self, purpose: str) -> Iterator[tuple[np.random.Generator, slice]]:
        return ((stream(seed, purpose, self.index), runs) for seed, runs in self.slices.items())


def _words(draw: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """What a generator itself draws, words of 64 bits, in halves, the lower one first."""
    count = prod(shape)
    raw = draw.bit_generator.random_raw(-(-count // 2)).astype("<u8", copy=False)
    return raw.view("<u4")[:count].reshape(shape)
