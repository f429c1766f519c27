"""Confidence intervals for a mean over few seeds.

A percentile bootstrap of 3 or 5 values covers far less than it says, so few values get Student's t, and many get the
bias-corrected and accelerated bootstrap (BCa), which does not lean on the normal distribution.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike

BOOTSTRAP_FROM = 20  # values; fewer get a t interval
RESAMPLES = 10_000
_ROWS = 100  # bootstrapped at once, to bound memory: 100 rows × 10 000 means × 8 bytes = 8 MB


def interval(values: ArrayLike, confidence: float = 0.95, resamples: int = RESAMPLES) -> tuple[np.ndarray, np.ndarray]:
    """Low and high end of a confidence interval for the mean over the last axis, `(…, n) -> (…), (…)`.

    Below 20 values, mean ± t · s / √n with Student's t of n-1 degrees of freedom (for differences of pairs, the paired
    t interval); from 20 values BCa (Efron 1987), with resamples from a fixed seed: the same values, the same interval.
    One value has no interval: NaN and NaN. Values must be finite, else the interval is NaN.
    """
    values = np.asarray(values, dtype=np.float64)
    rows = values.reshape(-1, values.shape[-1])
    if rows.shape[1] < 2:
        low = high = np.full(len(rows), np.nan)
    elif rows.shape[1] < BOOTSTRAP_FROM:
        low, high = _student(rows, confidence)
    else:
        blocks = [_bca(rows[i : i + _ROWS], confidence, resamples) for i in range(0, len(rows), _ROWS)]
        low, high = np.concatenate([*blocks, np.empty((2, 0))], axis=1)
    return low.reshape(values.shape[:-1]), high.reshape(values.shape[:-1])


def _student(rows: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import stdtrit

    n = rows.shape[1]
    mean = rows.mean(axis=1)
    half = stdtrit(n - 1, (1 + confidence) / 2) * rows.std(axis=1, ddof=1) / np.sqrt(n)
    return mean - half, mean + half


def _bca(rows: np.ndarray, confidence: float, resamples: int) -> np.ndarray:
    """Low and high `(2, P)` of `(P, n)`: quantiles of the bootstrap means, at levels shifted for bias z0 and skew a."""
    from scipy.special import ndtr, ndtri

    n = rows.shape[1]
    centre = rows.mean(axis=1, keepdims=True)
    d = rows - centre  # means of d, not of the values: equal values then give a distribution that is exactly 0
    means = np.sort(d @ _draws(n, resamples), axis=1)
    spread = np.sqrt((d * d).sum(axis=1))
    tie = 1e-9 * spread[:, None]  # means that are 0 but for rounding count half
    below = ((means < -tie).sum(axis=1) + (means <= tie).sum(axis=1)) / 2
    z0 = ndtri(np.clip(below, 0.5, resamples - 0.5) / resamples)
    a = (d**3).sum(axis=1) / (6 * np.where(spread > 0, spread, 1) ** 3)  # from the jackknife, which for a mean is d
    z = z0 + ndtri(np.array([[1 - confidence], [1 + confidence]]) / 2)
    at: np.ndarray = ndtr(z0 + z / (1 - a * z)) * (resamples - 1)
    lower = np.clip(at.astype(int), 0, resamples - 2)
    row = np.arange(len(rows))
    step = means[row, lower + 1] - means[row, lower]
    ends: np.ndarray = centre[:, 0] + means[row, lower] + (at - lower) * step
    return ends


@cache
def _draws(n: int, resamples: int) -> np.ndarray:
    """How often each of n values is drawn, over n, `(n, resamples)`: one matrix product gives every bootstrap mean."""
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=resamples)
    return np.ascontiguousarray(counts.T) / n
