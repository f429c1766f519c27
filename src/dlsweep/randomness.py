"""Named random streams: every draw comes from a generator named by (seed, purpose, index), and by nothing else.

A stream depends on its name alone. So adding a layer, an arm or an option never changes another stream, and replicate
*s* of every arm has the same minibatches and the same base draws for its weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence

# The layout of the streams: another version gives other results.
RANDOMNESS_VERSION = 1

# The sources of chance that a config can cross, each with the first words of its purposes.
SOURCES = {
    "init": ("init",),
    "batches": ("batches",),
    "dropout": ("dropout", "dropconnect"),
    "augmentation": ("crop", "flip", "noise"),
    "subset": ("subset",),
    "split": ("split",),
}
_SOURCE_OF = {word: source for source, words in SOURCES.items() for word in words}


@dataclass(frozen=True, order=True)
class Seeds:
    """Seed of each source of chance of a run, see `SOURCES`.

    number: the seed of every source that has no seed of its own. own: seeds by source, `(("init", 3), …)`, sorted.

    >>> seeds = Seeds.crossed({"init": 3, "batches": 0})
    >>> seeds, seeds.of("init"), seeds.of("batches")
    (Seeds(number=0, own=(('init', 3),)), 3, 0)
    """

    number: int
    own: tuple[tuple[str, int], ...] = ()

    @classmethod
    def crossed(cls, seeds: Mapping[str, int]) -> Seeds:
        """Return seeds by source, 0 for one that is not named. If all are 0, they are the seeds of replicate 0."""
        return cls(0, tuple(sorted((source, seed) for source, seed in seeds.items() if seed)))

    def of(self, source: str) -> int:
        """Return the seed of a source."""
        return next((seed for name, seed in self.own if name == source), self.number)

    def stream(self, purpose: str, index: int = 0) -> np.random.Generator:
        """Return the generator of a purpose. The purpose begins with a word of its source: `init/dense1`."""
        word = purpose.partition("/")[0]
        return stream(self.of(_SOURCE_OF.get(word, word)), purpose, index)

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
