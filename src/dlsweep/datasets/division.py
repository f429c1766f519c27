"""Splits of one data set that differ by seed: a random test part, or the folds of cross-validation.

All are stratified: each part has the share of every class, to within one sample. A split depends on the samples'
classes and on the seed alone, so all arms of a seed share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dlsweep.randomness import Seeds, stream


class Rows(NamedTuple):
    """Samples of each split of one seed, as their positions in the file, in its order."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True, eq=False)
class Division:
    """Division of the samples in a file, drawn by seed.

    labels: the class of each sample. test: the number of test samples; folds: or the number of folds, in which case
    seeds s · folds to (s + 1) · folds − 1 are a round, which tests every sample once. Where samples do not divide
    evenly, some folds have a sample more, and every seed trains on the same number. validation: samples taken out of
    the others.

    >>> division = Division(np.array([0, 0, 0, 1, 1, 1]), folds=3)
    >>> [division.rows(Seeds(seed)).test.size for seed in range(3)]
    [2, 2, 2]
    """

    labels: np.ndarray
    test: int = 0
    folds: int = 0
    validation: int = 0

    @property
    def largest(self) -> int:
        """Number of test samples, of the largest fold."""
        return -(-len(self.labels) // self.folds) if self.folds else self.test

    @property
    def overlap(self) -> float:
        """Number of test samples for each other sample, which tells how much the splits of two seeds overlap.

        Nadeau and Bengio (2003) divide by the number of training samples, since all others are that. Here some may be
        for validation or unused. They count too: the test parts of two seeds share as many samples with them as
        without. `bench/results/coverage.md` has both.
        """
        return 1 / (self.folds - 1) if self.folds else self.test / (len(self.labels) - self.test)

    def tested(self, seeds: Seeds) -> int:
        """Return the number of test samples of a seed."""
        if not self.folds:
            return self.test
        return len(range(seeds.of("split") % self.folds, len(self.labels), self.folds))

    def rows(self, seeds: Seeds) -> Rows:
        """Return the samples of each split of a seed."""
        held_out = np.zeros((2, len(self.labels)), bool)  # for validation, for testing
        held_out[1, self._test(seeds)] = True
        draw = seeds.stream("split/validation")
        ordered = self._by_class(np.flatnonzero(~held_out[1]), draw)
        held_out[0, _evenly(ordered, self.validation, draw)] = True
        rest = np.flatnonzero(~held_out.any(axis=0))
        kept = seeds.stream("split/train").permutation(rest)[: len(self.labels) - self.largest - self.validation]
        return Rows(np.sort(kept), *map(np.flatnonzero, held_out))

    def _test(self, seeds: Seeds) -> np.ndarray:
        every = np.arange(len(self.labels))
        if self.folds:
            turn, fold = divmod(seeds.of("split"), self.folds)
            return self._by_class(every, stream(turn, "split/folds"))[fold :: self.folds]
        draw = seeds.stream("split/test")
        return _evenly(self._by_class(every, draw), self.test, draw)

    def _by_class(self, rows: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """Return samples in the order of their classes, at random within each."""
        mixed = draw.permutation(rows)
        return np.asarray(mixed[np.argsort(self.labels[mixed], kind="stable")])


def _evenly(ordered: np.ndarray, count: int, draw: np.random.Generator) -> np.ndarray:
    """Return evenly spaced items from a random start, each of all with the same probability (systematic sampling)."""
    start = draw.integers(len(ordered))
    return np.asarray(ordered[(start + np.arange(count) * len(ordered)) // max(count, 1)])


def by_seed(settings: Mapping[str, Any]) -> bool:
    """Return True if settings of a data set ask for a split of each seed's own.

    >>> by_seed({"test": 0.2, "split": "seed"}), by_seed({"folds": 5}), by_seed({"test": 0.2})
    (True, True, False)
    """
    return settings.get("split") == "seed" or bool(settings.get("folds"))
