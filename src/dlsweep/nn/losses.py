"""The loss that every run minimizes, and the hits that accuracy counts, from logits."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np

Array = np.ndarray


def softmax_cross_entropy(logits: Array, t: Array) -> tuple[Array, Callable[[], Array]]:
    """Cross-entropy of softmax(logits) with the labels: log Σ exp(z) − z_t, by the shifted log-sum-exp.

    logits: `(R, N, K)`; t: labels `(N,)` or `(R, N)`. Returns the loss of every sample `(R, N)` and `back()`, the
    gradient (p − onehot(t)) / N of the *mean* loss with respect to the logits. Finite for logits of ±1e4.
    """
    z = _classes_first(logits)
    z -= z.max(axis=0)
    at_label = _at_label(t, z.shape)
    z_t = z[at_label]
    p = np.exp(z, out=z)
    total = _sum_classes(p)

    def back() -> Array:
        dz = p / total
        dz[at_label] -= 1
        dz /= dz.shape[2]
        return np.ascontiguousarray(np.moveaxis(dz, 0, 2))

    return np.log(total) - z_t, back


def score(logits: Array, t: Array) -> tuple[Array, Array]:
    """Loss of every sample, as above, and whether it is a hit: its label's logit is the largest; both `(R, N)`.

    Of equal logits the first counts as the largest, so a network that cannot tell the classes apart is at chance.
    """
    z = _classes_first(logits)
    top = z.max(axis=0)
    largest = np.zeros(top.shape, np.int8 if len(z) < 128 else np.int64)
    for k in range(len(z) - 1, -1, -1):
        np.copyto(largest, k, where=z[k] == top)
    z -= top
    z_t = z[_at_label(t, z.shape)]
    return np.log(_sum_classes(np.exp(z, out=z))) - z_t, largest == t


def _at_label(t: Array, shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """The indices of each sample's own class in an array `(K, R, N)`."""
    _, runs, samples = shape
    return t, np.arange(runs)[:, None], np.arange(samples)


def _sum_classes(p: Array) -> Array:
    """The sum over the classes of `(K, R, N)`, one after the other: `p.sum` has another order where R · N is 1."""
    return reduce(np.add, p)


def _classes_first(logits: Array) -> Array:
    """A copy of `(R, N, K)` as `(K, R, N)`: reductions over few classes then run over long rows."""
    return np.moveaxis(logits, 2, 0).copy()
