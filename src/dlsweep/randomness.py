"""Named random streams: every draw comes from a generator named by (seed, purpose, index), and by nothing else.

A stream depends on its name alone. So adding a layer, an arm or an option never changes another stream, and replicate
*s* of every arm has the same minibatches and the same base draws for its weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence

# Results depend on the layout of the streams: another version gives other results.
RANDOMNESS_VERSION = 1


@dataclass(frozen=True, order=True)
class Seeds:
    """Seed of each source of chance of a run: `init`, `batches`, `subset`, `dropout`, `noise`, …

    number: the seed of every source that has no seed of its own. own: seeds by source, `(("init", 3), …)`, sorted.

    >>> seeds = Seeds(0, (("init", 3),))
    >>> seeds.of("init"), seeds.of("batches")
    (3, 0)
    """

    number: int
    own: tuple[tuple[str, int], ...] = ()

    def of(self, source: str) -> int:
        """Return the seed of a source."""
        return next((seed for name, seed in self.own if name == source), self.number)

    def stream(self, purpose: str, index: int = 0) -> np.random.Generator:
        """Return the generator of a purpose. The purpose begins with its source: `init/dense1`."""
        return stream(self.of(purpose.partition("/")[0]), purpose, index)

    def __str__(self) -> str:
        """Return the number, and the seeds that differ from it: `0`, `0 init=3`."""
        return " ".join([str(self.number), *(f"{source}={seed}" for source, seed in self.own)])


def stream(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """Return the generator of one purpose ("init/dense1", "batches", "subset/train", …) of one replicate.

    `index` counts repetitions within a purpose, such as epochs. The name is hashed (BLAKE2b) to the key of a Philox
    generator (Salmon et al. 2011), so streams with different names are independent.
    """
    name = f"{RANDOMNESS_VERSION}/{seed}/{purpose}/{index}"
    key = _Key(blake2b(name.encode(), digest_size=16).digest())
    return np.random.Generator(np.random.Philox(key))  # type: ignore[arg-type]  # it takes any ISeedSequence


class _Key(ISeedSequence):
    """Key of a generator, unchanged. `Philox(key=…)` would first ask the system for a seed, and discard it."""

    def __init__(self, key: bytes):
        self.key = np.frombuffer(key, np.uint64)

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> np.ndarray:
        """Return the key of Philox, two words of 64 bits."""
        return self.key
