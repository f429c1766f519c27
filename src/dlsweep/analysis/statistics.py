"""Confidence intervals for a mean over few seeds.

Student's t throughout: bootstraps of 3 to 40 values cover less than they promise (`python -m bench.intervals`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

Bounds = tuple[float, float]
UNBOUNDED: Bounds = (-np.inf, np.inf)


def bounds_of(metric: str) -> Bounds:
    """Return the lowest and the highest possible mean of a metric: an accuracy lies within 0 and 1.

    >>> bounds_of("final_test_accuracy")
    (0.0, 1.0)
    """
    return (0.0, 1.0) if metric.endswith("accuracy") else UNBOUNDED


def interval(
    values: ArrayLike, confidence: float = 0.95, *, bounds: Bounds = UNBOUNDED, log: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Low and high end of a confidence interval for the mean over the last axis, `(…, n) -> (…), (…)`.

    The interval is mean ± h with h = t · s / √n and Student's t of n-1 degrees of freedom; of differences of pairs, it
    is the paired t interval. bounds: where it is cut, such as `bounds_of("accuracy")`. log: for an axis of logarithms,
    mean · exp(± h / mean): the interval of the mean's logarithm by the delta method, always above 0.
    One value has no interval: NaN and NaN. The same holds for values that are not finite.

    >>> low, high = interval([0.8, 0.9, 0.85])
    >>> f"{low:.3f} {high:.3f}"
    '0.726 0.974'
    """
    from scipy.special import stdtrit

    values = np.asarray(values, dtype=np.float64)
    n = values.shape[-1]
    if n < 2:
        low = high = np.full(values.shape[:-1], np.nan)
        return low, high
    with np.errstate(all="ignore"):  # of values that are not finite, or too large to be squared
        mean = values.mean(axis=-1)
        half = stdtrit(n - 1, (1 + confidence) / 2) * values.std(axis=-1, ddof=1) / np.sqrt(n)
        if log:
            mean = np.where(mean > 0, mean, np.nan)
            low, high = mean * np.exp(-half / mean), mean * np.exp(half / mean)
        else:
            low, high = mean - half, mean + half
    return np.clip(low, *bounds), np.clip(high, *bounds)
