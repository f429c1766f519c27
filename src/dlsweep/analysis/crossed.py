"""Crossed sources of chance, such as seeds and test images, or initial weights and minibatches: intervals and shares.

Each cell has one value, so the interaction of all sources is the residual. The estimates are those of the analysis of
variance with random effects (Searle, Casella & McCulloch 1992, chapter 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dlsweep.analysis.decomposition import TIMES
from dlsweep.analysis.sign_flips import PValues
from dlsweep.randomness import stream
from dlsweep.types import DataFrame

CITED = "Nadeau and Bengio 2003"  # for the correction of overlapping splits
DRAWS = 10_000  # of the sums of squares, for the interval of a share


class Crossed(NamedTuple):
    """Variance of a mean over seeds and images, and its parts; NaN if there are fewer than two of either.

    seeds: variance of the seeds' means / S; images: variance of the images' means / N; residual: their common part;
    variance: of the mean over new seeds and new images; df: its degrees of freedom; size: S.
    """

    seeds: float
    images: float
    residual: float
    variance: float
    df: float
    size: int


def crossed(d: ArrayLike) -> Crossed:
    """Return the variance of the mean of d over seeds and images, `(S, N)`, both drawn at random.

    Two-way clustering (Cameron, Gelbach & Miller 2011) with the degrees of freedom of Satterthwaite (1946).

    >>> round(crossed([[1, 0, 1], [1, 1, 0]]).variance, 4)
    0.0278
    """
    d = np.asarray(d)
    seeds, images = d.shape
    if min(d.shape) < 2:
        return Crossed(np.nan, np.nan, np.nan, np.nan, np.nan, seeds)
    rows, columns = d.mean(axis=1, dtype=np.float64), d.mean(axis=0, dtype=np.float64)
    rest = d - rows[:, None]
    rest -= columns - rows.mean()
    v_s, v_i = rows.var(ddof=1) / seeds, columns.var(ddof=1) / images
    v_r = np.vdot(rest, rest) / ((seeds - 1) * (images - 1)) / d.size
    variance = max(v_s + v_i - v_r, v_s, v_i)
    spread = v_s**2 / (seeds - 1) + v_i**2 / (images - 1)
    df = max(seeds - 1, variance**2 / spread) if spread > 0 else seeds - 1
    return Crossed(float(v_s), float(v_i), float(v_r), float(variance), float(df), seeds)


def crossed_interval(d: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of the mean of d on new seeds and new images, `(S, N)`: t with Satterthwaite's df.

    It includes the interval over the seeds alone, t with S − 1 degrees of freedom: images add to the variance, but also
    to the degrees of freedom, and of two or three seeds these would narrow the interval by more than images widen it.

    >>> crossed_interval([[1, 1], [1, 1]])
    (1.0, 1.0)
    """
    found, mean = crossed(d), np.asarray(d).mean(dtype=np.float64)
    both = _t_interval(mean, found.variance, found.df, confidence)
    alone = _t_interval(mean, found.seeds, found.size - 1, confidence)
    return max(both, alone, key=lambda ends: ends[1] - ends[0])


def overlapping_splits_test(differences: ArrayLike, overlap: float) -> PValues:
    """Return p-values for a mean above 0, below 0, and different from 0, over splits of one data set that overlap.

    The splits share samples, so the variance of the mean is s² (1/J + n_test/n_train) (Nadeau & Bengio 2003, corrected
    resampled t); `interval` agrees with it. overlap: n_test / n_train. NaN with a value that is not finite, and of one
    split.

    >>> [round(p, 2) for p in overlapping_splits_test([0.1, 0.2, 0.3], 0.25)]
    [0.06, 0.94, 0.12]
    """
    from scipy.special import stdtr

    d = np.asarray(differences, np.float64)
    if len(d) < 2 or not np.isfinite(d).all():
        return PValues(np.nan, np.nan, np.nan)
    error = np.sqrt(d.var(ddof=1) * (1 / len(d) + overlap))
    if error <= 1e-12 * abs(d.mean()) or error == 0:  # the same difference in every split
        t = float(np.sign(d.mean())) * np.inf if d.mean() else 0.0
    else:
        t = d.mean() / error
    greater, less = float(stdtr(len(d) - 1, -t)), float(stdtr(len(d) - 1, t))
    return PValues(greater, less, min(1.0, 2 * greater, 2 * less))


def variance_of_mean(values: ArrayLike, sources: int, overlaps: Sequence[float] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Return the variance of the mean over crossed sources, and its degrees of freedom, `(A, B, …, rest) -> (rest)`.

    It is the sum of all variance components, each divided by its number of levels: an effect of ten initial weights
    does not average out over the minibatches that they are combined with. A component below zero is zero. The degrees
    of freedom are those of Satterthwaite (1946), and at least those of the source with the fewest seeds. sources: the
    number of their axes; one with a single seed does not count. overlaps: of each source, n_test / n_train if its
    levels are splits of one data set: their components do not average out either (Nadeau & Bengio 2003). None by
    default.

    >>> variance, df = variance_of_mean([[1.0, 1.1], [2.0, 2.1], [3.0, 3.1]], 2)
    >>> f"{variance:.4f} {df:.1f}"
    '0.3358 2.0'
    """
    x = np.asarray(values, np.float64)
    more = [1 + n * overlap for n, overlap in zip(x.shape, overlaps or [0.0] * sources) if n > 1]
    x = x.reshape(*(n for n in x.shape[:sources] if n > 1), *x.shape[sources:])
    sources = x.ndim - (np.ndim(values) - sources)
    if not sources:
        return np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    shape = x.shape[:sources]
    squares, dfs = _sums_of_squares(x, sources)
    dfs = dfs.reshape(-1, *[1] * (x.ndim - sources))
    mean_squares = squares / dfs
    kept = (_components(mean_squares, shape).T > 0) * [prod(more[axis] for axis in axes) for axes in _subsets(sources)]
    parts = np.tensordot(_signs(sources).T, kept.T, 1) * mean_squares / prod(shape)
    variance = parts.sum(axis=0)
    with np.errstate(invalid="ignore"):  # nothing varies
        df = np.nan_to_num(variance**2 / (parts**2 / dfs).sum(axis=0), nan=1.0)
    return variance, np.maximum(df, min(shape) - 1)


def variance_shares(values: ArrayLike, names: Sequence[str], confidence: float = 0.95) -> DataFrame:
    """Return the share of each source and each interaction in the variance, `(A, B, …)`, one value a cell.

    The last one, of all sources together, is the residual. Intervals are generalized confidence intervals (Weerahandi
    1993): quantiles of the shares that follow if each sum of squares is divided by a random χ² of its degrees of
    freedom in place of its own. NaN if nothing varies. Columns: `source`; the `variance` and the standard deviation
    `sd` of one run that it gives; its `share`, with `low` and `high` of the interval; `negative`, True where the
    estimate was below zero, and is taken as zero.

    >>> found = variance_shares([[1.0, 1.1], [2.0, 2.1], [3.0, 3.1]], ["a", "b"])
    >>> found[["source", "share"]].round(2).values.tolist()
    [['a', 1.0], ['b', 0.0], ['a × b', 0.0]]
    """
    import pandas as pd

    x = np.asarray(values, np.float64)
    squares, dfs = _sums_of_squares(x, x.ndim)
    found = _components(squares / dfs, x.shape)
    draws = squares[:, None] / stream(0, "variance_shares").chisquare(dfs[:, None], (len(dfs), DRAWS))
    with np.errstate(invalid="ignore"):  # nothing varies
        parts = (np.maximum(0, part) for part in (found, _components(draws, x.shape)))
        shares, drawn = (part / part.sum(axis=0) for part in parts)
        low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=1)
    sources = [TIMES.join(names[axis] for axis in axes) for axes in _subsets(x.ndim)]
    variance = np.maximum(0, found)
    of_shares = {"share": shares, "low": low, "high": high, "negative": found < 0}
    return pd.DataFrame({"source": sources, "variance": variance, "sd": np.sqrt(variance), **of_shares})


def components(values: ArrayLike) -> dict[tuple[int, ...], float]:
    """Return the variance components of crossed sources, `(A, B, …)`, by the axes that they belong to.

    Estimates may be below zero.

    >>> components([[1.0, 1.0], [2.0, 2.0]])
    {(0,): 0.5, (1,): 0.0, (0, 1): 0.0}
    """
    x = np.asarray(values, np.float64)
    squares, dfs = _sums_of_squares(x, x.ndim)
    return dict(zip(_subsets(x.ndim), _components(squares / dfs, x.shape).tolist()))


def _t_interval(mean: float, variance: float, df: float, confidence: float) -> tuple[float, float]:
    from scipy.special import stdtrit

    half = stdtrit(df, (1 + confidence) / 2) * np.sqrt(variance)
    return float(mean - half), float(mean + half)


def _subsets(n: int) -> list[tuple[int, ...]]:
    """Return the non-empty subsets of n axes, smaller ones first."""
    return [axes for size in range(1, n + 1) for axes in combinations(range(n), size)]


def _sums_of_squares(x: np.ndarray, sources: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of squares, `(effects, …)`, and the degrees of freedom of every main effect and interaction.

    x: `(A, B, …)`, with an axis for each source; along further axes, each position is computed by itself.
    """
    squares, dfs = [], []
    for axes in _subsets(sources):
        effect = x
        for axis in range(sources):
            mean = effect.mean(axis=axis, keepdims=True)
            effect = effect - mean if axis in axes else mean
        cells = prod(x.shape[axis] for axis in range(sources) if axis not in axes)
        squares.append(cells * np.sum(effect**2, axis=tuple(range(sources))))
        dfs.append(prod(x.shape[axis] - 1 for axis in axes))
    return np.array(squares), np.array(dfs, np.float64)


def _components(mean_squares: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the variance components, from mean squares `(effects, …)`.

    A mean square is the sum of the components of all effects that contain its own, each times the cells in which its
    level recurs. So a component is an alternating sum of these mean squares.
    """
    cells = np.array([prod(n for axis, n in enumerate(shape) if axis not in t) for t in _subsets(len(shape))])
    components: np.ndarray = np.tensordot(_signs(len(shape)), mean_squares, 1).T / cells
    return components.T


def _signs(sources: int) -> np.ndarray:
    """Return the sign of each mean square in each component, `(components, mean squares)`."""
    effects = _subsets(sources)
    return np.array([[(-1) ** (len(u) - len(t)) * (set(u) >= set(t)) for u in effects] for t in effects])
