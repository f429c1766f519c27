"""Statistics over few seeds: confidence intervals of a mean, several tests at once, and the seeds that a test needs.

Intervals are Student's t: bootstraps of 3 to 40 values cover less than they promise (`python -m bench.intervals`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from math import ceil, floor, log2, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dlsweep.analysis.crossed import variance_of_mean
from dlsweep.analysis.sign_flips import paired

Bounds = tuple[float, float]
UNBOUNDED: Bounds = (-np.inf, np.inf)


def bounds_of(metric: str) -> Bounds:
    """Return the lowest and the highest possible mean of a metric: an accuracy lies within 0 and 1.

    >>> bounds_of("final_test_accuracy")
    (0.0, 1.0)
    """
    return (0.0, 1.0) if metric.endswith("accuracy") else UNBOUNDED


@dataclass(frozen=True)
class Replication:
    """Dependence of the runs of an arm: those of plain seeds with one test part are independent.

    crossed: the number of seeds of each source of chance, if seeds are crossed; the last source changes fastest.
    overlap: where seeds draw splits of one data set, the number of test samples per other sample; else 0.
    """

    crossed: Mapping[str, int] = field(default_factory=dict)
    overlap: float = 0.0


INDEPENDENT = Replication()


def interval(
    values: ArrayLike,
    confidence: float = 0.95,
    *,
    bounds: Bounds = UNBOUNDED,
    log: bool = False,
    replication: Replication = INDEPENDENT,
) -> tuple[np.ndarray, np.ndarray]:
    """Low and high end of a confidence interval for the mean over the last axis, `(…, n) -> (…), (…)`.

    The interval is mean ± h with h = t · s / √n and Student's t of n-1 degrees of freedom; of differences of pairs, it
    is the paired t interval. bounds: where it is cut, such as `bounds_of("accuracy")`. log: for an axis of logarithms,
    mean · exp(± h / mean): the interval of the mean's logarithm by the delta method, always above 0.
    One value has no interval: NaN and NaN. The same holds for values that are not finite. replication: of crossed
    seeds, the values are those of all combinations, which are not independent: the variance of their mean comes from
    its components, and if combinations are missing, it is NaN and NaN. Of splits that overlap, it is s² (1/n + overlap)
    (Nadeau & Bengio 2003).

    >>> low, high = interval([0.8, 0.9, 0.85])
    >>> f"{low:.3f} {high:.3f}"
    '0.726 0.974'
    """
    from scipy.special import stdtrit

    values = np.asarray(values, dtype=np.float64)
    n, crossed = values.shape[-1], replication.crossed
    if n < 2 or (crossed and n != prod(crossed.values())):
        low = high = np.full(values.shape[:-1], np.nan)
        return low, high
    with np.errstate(all="ignore"):  # of values that are not finite, or too large to be squared
        mean = values.mean(axis=-1)
        if crossed:
            cells = np.moveaxis(values, -1, 0).reshape(*crossed.values(), *mean.shape)
            overlaps = [replication.overlap * (source == "split") for source in crossed]
            variance, df = variance_of_mean(cells, len(crossed), overlaps)
        else:
            variance, df = values.var(axis=-1, ddof=1) * (1 / n + replication.overlap), n - 1
        half = stdtrit(df, (1 + confidence) / 2) * np.sqrt(variance)
        if log:
            mean = np.where(mean > 0, mean, np.nan)
            low, high = mean * np.exp(-half / mean), mean * np.exp(half / mean)
        else:
            low, high = mean - half, mean + half
    return np.clip(low, *bounds), np.clip(high, *bounds)


def row_means(values: ArrayLike) -> np.ndarray:
    """Return the mean of each row, `(rows, n) -> (rows,)`. A NaN is no value; a row with an infinite one has no mean.

    >>> row_means([[0.5, 1.0], [0.25, np.nan], [0.5, np.inf]])
    array([0.75, 0.25,  nan])
    """
    values = np.asarray(values, np.float64)
    n = (~np.isnan(values)).sum(axis=1)
    with np.errstate(all="ignore"):
        mean = np.nansum(values, axis=1) / n
    return np.where(np.isfinite(mean), mean, np.nan)


def row_intervals(
    values: ArrayLike, *, bounds: Bounds = UNBOUNDED, replication: Replication = INDEPENDENT
) -> tuple[np.ndarray, np.ndarray]:
    """Low and high end of the 95 % interval for the mean of each row, which may have different numbers of values.

    As `interval` gives it; NaN and infinite values as in `row_means`.

    >>> low, high = row_intervals([[0.8, 0.9, 0.85], [0.5, np.nan, np.nan]])
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.726, nan], [0.974, nan])
    """
    values = np.asarray(values, np.float64)
    there = ~np.isnan(values)
    counts = there.sum(axis=1)
    low, high = np.full((2, len(values)), np.nan)
    for n in set(counts.tolist()) - {0, 1}:
        rows = counts == n
        by_row = values[rows][there[rows]].reshape(-1, n)
        low[rows], high[rows] = interval(by_row, bounds=bounds, replication=replication)
    return low, high


def hull(first: Bounds, second: Bounds) -> Bounds:
    """Return the smallest interval that includes two.

    >>> hull((0.1, 0.3), (0.2, 0.4))
    (0.1, 0.4)
    """
    return min(first[0], second[0]), max(first[1], second[1])


def holm(p: ArrayLike) -> np.ndarray:
    """Return p-values adjusted for their number (Holm 1979), each to be compared with alpha.

    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    p = np.asarray(p, np.float64)
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(adjusted, 1.0, out=adjusted)


def fewest_seeds(claims: int, alpha: float, *, one_sided: bool = False) -> int:
    """Return the fewest seeds at which a sign-flip test can decide one of several claims with Holm's first step.

    The smallest p of n seeds is 2/2ⁿ, and 1/2ⁿ one-sided.

    >>> fewest_seeds(1, 0.05), fewest_seeds(10, 0.05), fewest_seeds(10, 0.05, one_sided=True)
    (6, 9, 8)
    """
    return ceil(log2(claims / alpha)) + (not one_sided)


class Needed(NamedTuple):
    """Seeds needed if the effect is as seen, to decide every second time and four times of five; None: too many."""

    half: int | None
    eighty: int | None


MOST_SEEDS = 10**6


def seeds_to_decide(differences: ArrayLike, margin: float, alpha: float, overlap: float = 0.0) -> Needed:
    """Return the seeds that would decide whether the mean difference is above or below the margin.

    half: the half-width of the t interval equals |mean − margin|; eighty: they detect the effect with a power of 80 %.
    Never below the fewest seeds of a sign-flip test. Differences that are not finite are left out. overlap: see
    `Replication`; splits of one data set may not decide it in any number.

    >>> seeds_to_decide([0.02, -0.01, 0.03, 0.0, 0.01, 0.02], 0.0, 0.05)
    Needed(half=9, eighty=15)
    """
    from scipy.special import stdtrit

    d = np.asarray(differences, np.float64)
    d = d[np.isfinite(d)]
    fewest = fewest_seeds(1, alpha)
    effect = abs(d.mean() - margin) if len(d) else 0.0
    sd = d.std(ddof=1) if len(d) > 1 else np.nan
    if np.isnan(sd) or not effect > 1e-12 * max(sd, abs(margin)):
        return Needed(None, None)
    if sd <= 1e-12 * effect:
        return Needed(fewest, fewest)

    def smallest(enough: Callable[[int], bool]) -> int | None:
        n = fewest + bisect_left(range(fewest, MOST_SEEDS), True, key=enough)
        return n if n < MOST_SEEDS else None

    return Needed(
        smallest(lambda n: stdtrit(n - 1, 1 - alpha / 2) * sd <= effect / np.sqrt(1 / n + overlap)),
        smallest(lambda n: detectable(n, 1, alpha, overlap=overlap) * sd <= effect),
    )


def attainable_level(n: int, alpha: float) -> float:
    """Return the largest two-sided p of n pairs that is at most alpha; 0 if there is none.

    The p-values of a sign-flip test are multiples of 2/2ⁿ.

    >>> attainable_level(6, 0.05), attainable_level(5, 0.05)
    (0.03125, 0.0)
    """
    p = 2.0 ** (1 - min(n, 50))
    return floor(alpha / p) * p


@cache
def detectable(n: int, claims: int, alpha: float, power: float = 0.8, *, overlap: float = 0.0) -> float:
    """Return the difference that a sign-flip test of n seeds detects with this power, in sd of the paired differences.

    For one of several claims, at Holm's first step, and normal differences. Of the t test at the level that sign flips
    attain; exact if only equal signs are significant. Infinite if n seeds cannot decide. overlap: of the t test of
    Nadeau & Bengio (2003) for splits of one data set, see `Replication`.

    >>> round(detectable(10, 1, 0.05), 2)
    1.0
    """
    from scipy.special import nctdtrinc, ndtri, stdtrit

    if overlap:
        level = alpha / claims
        return float(nctdtrinc(n - 1, 1 - power, stdtrit(n - 1, 1 - level / 2)) * np.sqrt(1 / n + overlap))
    level = attainable_level(n, alpha / claims)
    if level == 0:
        return np.inf
    if level == 2.0 ** (1 - n):
        return float(ndtri(power ** (1 / n)))  # the probability that all differences are above 0 is Φ(d)ⁿ
    return float(nctdtrinc(n - 1, 1 - power, stdtrit(n - 1, 1 - level / 2)) / np.sqrt(n))


def pairing(first: ArrayLike, second: ArrayLike) -> float:
    """Return the variance of paired differences, divided by the variance of unpaired ones: small where seeds help.

    The factor by which pairing divides the seeds needed. NaN if fewer than two pairs are finite, or if one of the two
    does not vary, such as an arm whose runs all diverged: it cannot vary together with the other.

    >>> pairing([1.0, 2.0, 3.0, 4.0], [1.5, 2.4, 3.5, 4.4])
    0.001...
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if not (len(a) and np.ptp(a) and np.ptp(b)):
        return np.nan
    return float((a - b).var(ddof=1) / (a.var(ddof=1) + b.var(ddof=1)))


def indistinguishable(values: ArrayLike, best: int, alpha: float, overlap: float = 0.0) -> np.ndarray:
    """Mark the arms that cannot be told from the best, `(arms, seeds) -> (arms,)`; larger values are better.

    One-sided paired t tests against the best in the sample, at alpha / (arms − 1): the truly best arm stays marked with
    a probability of at least 1 − alpha. NaN is a missing value; arms are compared on the seeds that both have. Infinite
    differences outweigh finite ones: t is its limit as they grow together. An arm without values is not marked.
    overlap: of the splits of one data set, see `Replication`.

    >>> indistinguishable([[0.90, 0.92, 0.91], [0.91, 0.90, 0.92], [0.50, 0.51, 0.52]], best=0, alpha=0.05)
    array([ True,  True, False])
    """
    x = np.asarray(values, np.float64)
    with_values = ~np.isnan(x).all(axis=1)
    if min(x.shape) < 2:  # nothing to test; the import of SciPy would take longer than a small sweep
        return np.asarray(with_values | (np.arange(len(x)) == best))
    from scipy.special import stdtr

    d = paired(x[best], x)
    infinite = np.isinf(d)
    d = np.where(infinite.any(axis=1, keepdims=True) & ~np.isnan(d), np.where(infinite, np.sign(d), 0.0), d)
    shared = ~np.isnan(d)
    n = shared.sum(axis=1)
    with np.errstate(all="ignore"):  # of arms with fewer than two shared seeds, or without variance
        mean = np.where(shared, d, 0).sum(axis=1) / n
        variance = (np.where(shared, d - mean[:, None], 0) ** 2).sum(axis=1) / (n - 1)
        p = stdtr(n - 1, -mean / np.sqrt(variance * (1 / n + overlap)))
    marked: np.ndarray = ~(p <= alpha / max(1, with_values.sum() - 1)) & with_values
    marked[best] = True
    return marked
