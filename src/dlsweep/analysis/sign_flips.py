"""Sign-flip test of paired differences, and the interval that agrees with it.

If swapping the two arms of a pair changes nothing, each difference is as likely with the other sign. The test compares
the sum of the differences with the sums under all 2ⁿ patterns of signs (Fisher 1935, § 21). A pattern flips a subset of
the differences, and its sum is the data's sum minus twice the sum over the subset. So all counts are of subset sums.
"""

from __future__ import annotations

from math import floor
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dlsweep.randomness import stream

MOST_EXACT = 20  # differences of which all patterns are compared
RANDOM_PATTERNS = 10_000
_MOST_JOINT, _BLOCK = 13, 2_000_000  # rows of which all patterns are compared together; sums at a time
_TIE = 1e-9  # sums that differ by less, relative to Σ|d|, are equal: rounding would separate them


class PValues(NamedTuple):
    """p-values of a paired test: for a mean above 0, below 0, different from 0."""

    greater: float
    less: float
    two_sided: float


def paired(first: ArrayLike, second: ArrayLike, margin: float = 0.0) -> np.ndarray:
    """Return first − second − margin by pair, and 0 where both are the same infinity.

    >>> paired([3.0, np.inf, np.inf], [1.0, 1.0, np.inf], margin=0.5)
    array([1.5, inf, 0. ])
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    tied = np.isinf(first) & (first == second)
    return np.where(tied, 0.0, np.where(tied, 0.0, first) - np.where(tied, 0.0, second) - margin)


def sign_flip_test(differences: ArrayLike, *, key: str = "") -> PValues:
    """Test that paired differences have mean 0, by the share of sign patterns whose sum is at least as extreme.

    All patterns are compared up to 20 differences; above that 10⁴ random ones and the data, and `key` names their
    stream. An infinite difference outweighs all finite ones together; two of opposite sign cancel. The two-sided p is
    twice the smaller one. A difference that is NaN makes every p NaN.

    >>> sign_flip_test([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    PValues(greater=0.015625, less=1.0, two_sided=0.03125)
    """
    weights, tie = weighted(differences)
    if np.isnan(weights).any():
        return PValues(np.nan, np.nan, np.nan)
    if len(weights) <= MOST_EXACT:
        sums, data = subset_sums(weights), 0
    else:
        sums, data = sums_over(random_subsets(len(weights), RANDOM_PATTERNS, key), weights), 1
    total = len(sums) + data
    greater = (int(np.count_nonzero(sums <= tie / 2)) + data) / total
    less = (int(np.count_nonzero(sums >= -tie / 2)) + data) / total
    return PValues(greater, less, min(1.0, 2 * greater, 2 * less))


def sign_flip_interval(differences: ArrayLike, alpha: float = 0.05, *, key: str = "") -> tuple[float, float]:
    """Return the range of all m at which the two-sided test of `differences - m` does not reject.

    Its ends are the K-th smallest and the K-th largest mean over the non-empty subsets of the differences, with
    K = ⌊alpha · 2ⁿ / 2⌋ (Hartigan 1969); above 20 differences, over the subsets of the test's random patterns. Infinite
    differences are left out. The range is unbounded if the differences are too few.

    >>> sign_flip_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    (1.0, 6.0)
    """
    d = np.asarray(differences, np.float64).ravel()
    d = d[~np.isinf(d)]
    if np.isnan(d).any():
        return np.nan, np.nan
    if len(d) <= MOST_EXACT:
        sums, sizes, data = subset_sums(d), subset_sums(np.ones(len(d))), 0
    else:
        subsets = random_subsets(len(d), RANDOM_PATTERNS, key)
        sums, sizes, data = sums_over(subsets, d), subsets.sum(axis=0), 1
    total = len(sums) + data
    sums, sizes = sums[sizes > 0], sizes[sizes > 0]
    k = floor(alpha * total / 2) - (total - len(sums))  # the data and empty subsets are as extreme at every m
    if k < 0:
        return -np.inf, np.inf
    ends = [k, len(sums) - 1 - k]
    low, high = np.partition(sums / sizes, ends)[ends]
    return float(low), float(high)


def joint_sign_flip_test(differences: ArrayLike, *, key: str = "") -> np.ndarray:
    """Return two-sided p-values for means of 0 in many columns of paired differences, `(n, columns)`, adjusted for all.

    Signs are flipped by whole rows, as those of a seed, so the columns stay as dependent as they are, and a column is
    compared with the largest of all that are not clearer than itself (step-down maxT, Westfall & Young 1993). The
    smallest p is 2/2ⁿ, as for one column. The statistic |Σd| / √Σd² orders as |t|. All patterns
    up to 13 rows, above that 10⁴ random ones and the data. NaN is a missing value; a column of zeros has p = 1.

    >>> joint_sign_flip_test([[1.0, 5.0, 0.1], [2.0, 5.5, -0.2], [1.5, 5.1, 0.1], [1.2, 4.9, 0.0]]).tolist()
    [0.125, 0.125, 1.0]
    """
    d = np.nan_to_num(np.asarray(differences, np.float64))
    n, columns = d.shape
    scale = np.abs(d).max(axis=0)
    d = d / np.where(scale > 0, scale, 1.0)
    size = np.sqrt(np.square(d).sum(axis=0))
    d = d / np.where(size > 0, size, 1.0)
    order = np.argsort(-np.abs(d.sum(axis=0)), kind="stable")
    d = d[:, order]
    data = np.abs(d.sum(axis=0))
    every = n <= _MOST_JOINT
    flips = every_subset(n - 1) if every else random_subsets(n, RANDOM_PATTERNS, key).T
    reached = np.zeros(columns)
    for some in np.array_split(flips, len(flips) * columns // _BLOCK + 1):
        signs = 1.0 - 2.0 * np.pad(some, ((0, 0), (n - some.shape[1], 0)))
        largest = np.maximum.accumulate(np.abs(signs @ d)[:, ::-1], axis=1)[:, ::-1]
        reached += (largest >= data - _TIE).sum(axis=0)
    p = reached / len(flips) if every else (reached + 1) / (len(flips) + 1)
    adjusted = np.empty(columns)
    adjusted[order] = np.maximum.accumulate(p)
    return adjusted


def every_subset(n: int) -> np.ndarray:
    """Return all subsets of n values, `(2ⁿ, n)` of truth values."""
    return (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)


def weighted(differences: ArrayLike) -> tuple[np.ndarray, float]:
    """Return finite weights whose subset sums order as the differences' do, and the distance of two sums that tie.

    The weights are the differences, scaled to at most 1; an infinite one has more weight than all finite ones together.
    """
    d = np.asarray(differences, np.float64).ravel()
    infinite = np.isinf(d)
    finite = np.where(infinite, 0.0, d)
    finite = finite / (np.abs(finite).max(initial=0.0) or 1.0)
    total = np.abs(finite).sum()
    return np.where(infinite, np.sign(d) * (1 + 2 * total), finite), float(_TIE * total)


def subset_sums(values: np.ndarray) -> np.ndarray:
    """Return the sums over all subsets, `(n,) -> (2ⁿ,)`: the empty one first, the last value's membership fastest.

    >>> subset_sums(np.array([1.0, 10.0]))
    array([ 0., 10.,  1., 11.])
    """
    sums = np.zeros(2 ** len(values))
    for i, value in enumerate(values[::-1]):
        np.add(sums[: 2**i], value, out=sums[2**i : 2 ** (i + 1)])
    return sums


def random_subsets(n: int, count: int, key: str) -> np.ndarray:
    """Return random subsets of n values, `(n, count)` of truth values; those of fewer values are the first rows."""
    return stream(0, f"sign_flips/{key}").integers(0, 2, (n, count), dtype=bool)


def sums_over(subsets: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the sums over subsets of finite values, `(n, count), (n,) -> (count,)`."""
    sums = np.zeros(subsets.shape[1])
    for members, value in zip(subsets, values):
        sums += value * members
    return sums
