"""Analysis of variance of a complete grid in blocks: the seed is the block, and every cell has one value a seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import prod

import numpy as np
from numpy.typing import ArrayLike

from dlsweep.analysis.sign_flips import MOST_EXACT, RANDOM_PATTERNS, every_subset
from dlsweep.randomness import stream
from dlsweep.types import DataFrame

TIMES = " × "  # between the factors of an interaction
_TIES = 1e-9  # sums that differ by less, relative to the size of their parts, are equal


@dataclass(frozen=True)
class Divided:
    """Variance of a metric between runs, divided.

    metric: its name; words: its name in a sentence. table: a row per part. notes: sentences on how to read the numbers.
    """

    metric: str
    words: str
    table: DataFrame
    notes: tuple[str, ...]

    def __str__(self) -> str:
        from dlsweep.analysis.effect_tables import text

        return text(self)

    def _repr_html_(self) -> str:
        from dlsweep.analysis.effect_tables import text

        return text(self, "html")


@dataclass(frozen=True, eq=False)
class Term:
    """Main effect or an interaction.

    axes: its factors, by their positions; () for the seeds themselves. contrasts: `(seeds, combinations of levels)`,
    in each seed the part of the cells' means that no smaller term explains. cells: how many each contrast averages.
    """

    axes: tuple[int, ...]
    df: int
    contrasts: np.ndarray
    cells: int

    @cached_property
    def squares(self) -> float:
        """Sum of squares of the mean contrasts, over all values of the grid."""
        return float(self.cells * len(self.contrasts) * np.square(self.contrasts.mean(axis=0)).sum())

    @cached_property
    def error(self) -> float:
        """Sum of squares of the term × seed: how far the contrasts of each seed are from their mean."""
        return float(self.cells * np.square(self.contrasts - self.contrasts.mean(axis=0)).sum())

    @property
    def mean_error(self) -> float:
        """Mean square of the term × seed; NaN with one seed."""
        free = self.df * (len(self.contrasts) - 1)
        return self.error / free if free else float("nan")


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Sums of squares of a grid, `(seeds, levels of the first factor, levels of the second, …)`.

    terms: main effects and interactions up to `order` factors. seeds, higher, residual: the sums of squares of the
    seeds, of the interactions of more factors, and of all effects × seed. They add up to `total`.
    """

    values: np.ndarray
    terms: tuple[Term, ...]

    @classmethod
    def of(cls, values: ArrayLike, order: int = 2) -> Decomposition:
        """Decompose the values of a grid.

        >>> parts = Decomposition.of([[[1, 2], [3, 4]], [[1, 2], [3, 6]]])
        >>> [term.squares for term in parts.terms], parts.seeds, parts.residual, parts.total
        ([12.5, 4.5, 0.5], 0.5, 1.5, 19.5)
        """
        values = np.asarray(values, dtype=np.float64)
        return cls(values, tuple(_terms(values, order)))

    @cached_property
    def total(self) -> float:
        """Sum of squares around the mean of all values."""
        return float(np.square(self.values - self.values.mean()).sum())

    @cached_property
    def seeds(self) -> float:
        """Sum of squares of the seeds: of their means over all cells."""
        return float(prod(self.values.shape[1:]) * np.square(self._by_seed - self._by_seed.mean()).sum())

    @cached_property
    def higher(self) -> float:
        """Sum of squares of the interactions of more factors than `order`."""
        means = self.values.mean(axis=0)
        between = len(self.values) * np.square(means - means.mean()).sum()
        return max(0.0, float(between - sum(term.squares for term in self.terms)))

    @cached_property
    def residual(self) -> float:
        """Sum of squares of all effects × seed, of `higher` ones too."""
        means = self.values.mean(axis=0)
        within = self.values - means - (self._by_seed - self._by_seed.mean()).reshape(-1, *[1] * means.ndim)
        return float(np.square(within).sum())

    def omega(self, term: Term) -> float:
        """Omega squared of a term (Olejnik and Algina 2003): its share of the variance without what chance alone gives.

        (SS − df · MS of the term × seed) / (SS of all + MS of the seeds). It may be below 0; NaN with one seed.
        """
        free = len(self.values) - 1
        whole = self.total + (self.seeds / free if free else float("nan"))
        return (term.squares - term.df * term.mean_error) / whole if whole else float("nan")

    @property
    def _by_seed(self) -> np.ndarray:
        return np.asarray(self.values.reshape(len(self.values), -1).mean(axis=1))


def _terms(values: np.ndarray, order: int) -> Iterator[Term]:
    """Yield main effects, then interactions of two factors, and so on."""
    axes = range(1, values.ndim)
    for count in range(1, min(order, len(axes)) + 1):
        for own in combinations(axes, count):
            others = tuple(axis for axis in axes if axis not in own)
            part = values.mean(axis=others, keepdims=True)
            for axis in own:  # then it is orthogonal to every term of fewer factors
                part = part - part.mean(axis=axis, keepdims=True)
            df = prod(values.shape[axis] - 1 for axis in own)
            cells = prod(values.shape[axis] for axis in others)
            yield Term(tuple(axis - 1 for axis in own), df, part.reshape(len(values), -1), cells)


def flip_whole_seeds(contrasts: ArrayLike, *, key: str = "") -> float:
    """Return the p-value of a term by flipping the contrasts of whole seeds.

    Without the effect, the contrasts of a seed and their negatives are as probable. The statistic is the sum of squares
    of the mean contrasts; with two levels this is the two-sided sign-flip test of their paired difference. Up to 20
    seeds all patterns are tried, above that 10 000 random ones, drawn from `key`.

    contrasts: `(seeds, combinations of levels)`.

    >>> flip_whole_seeds([[1, -1], [2, -2], [1, -1], [0.5, -0.5], [1, -1], [3, -3]])
    0.03125
    """
    contrasts = np.asarray(contrasts, dtype=np.float64)
    n = len(contrasts)
    if n < 2:
        return float("nan")
    gram = contrasts @ contrasts.T  # the sum of squares under the signs e is e' G e
    least = gram.sum() - _TIES * np.abs(gram).sum()
    if n > MOST_EXACT:
        signs = stream(0, f"effects/{key}").choice([-1.0, 1.0], (RANDOM_PATTERNS, n))
        return float((1 + (_squares(signs, gram) >= least).sum()) / (1 + RANDOM_PATTERNS))
    half = n // 2
    first = 1.0 - 2.0 * every_subset(half)
    different = 2 ** (n - half - 1)  # a pattern and its negative have the same sum of squares
    second = 1.0 - 2.0 * every_subset(n - half)[:different]
    a, b = gram[:half, :half], gram[half:, half:]
    sums = _squares(first, a)[:, None] + _squares(second, b) + 2 * first @ gram[:half, half:] @ second.T
    return float((sums >= least).mean())


def _squares(signs: np.ndarray, gram: np.ndarray) -> np.ndarray:
    """Return e' G e of each pattern e of signs."""
    return np.asarray(((signs @ gram) * signs).sum(axis=1))
