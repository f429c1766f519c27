"""The loss that every run minimizes, and the hits that accuracy counts, from logits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray


def softmax_cross_entropy(logits: Array, t: Array) -> tuple[Array, Callable[[], Array]]:
    """Cross-entropy of softmax(logits) with the labels: log Σ exp(z) − z_t, by the shifted log-sum-exp.

    logits: `(R, K, N)`; t: labels `(N,)` or `(R, N)`. Returns the loss of every sample `(R, N)` and `back()`, the
    gradient (p − onehot(t)) / N of the *mean* loss with respect to the logits. Finite for logits of ±1e4.
    """
    z = logits - logits.max(axis=1, keepdims=True)
    at_label = _at_label(t, z.shape)
    z_t = z[at_label]
    p = np.exp(z, out=z)
    total = p.sum(axis=1, keepdims=True)

    def back() -> Array:
        dz: Array = p / total
        dz[at_label] -= 1
        dz /= dz.shape[2]
        return dz

    return np.log(total[:, 0]) - z_t, back


def hits(logits: Array, t: Array) -> Array:
    """Whether the label's logit is the largest, `(R, N)`; logits and t as above.

    Of equal logits the first counts as the largest, so a network that cannot tell the classes apart is at chance.
    """
    top = logits.max(axis=1, keepdims=True)
    largest = logits == top
    hit: Array = largest[_at_label(t, logits.shape)]
    if np.count_nonzero(largest) > np.count_nonzero(top == top):  # there are equals; NaN, which equals nothing, aside
        hit &= largest.argmax(axis=1) == t
    return hit


def label_smoothing(logits: Array, t: Array) -> tuple[Array, Callable[[], Array]]:
    """What smoothing the labels adds to the loss, for ε = 1: z_t − mean z, linear in the logits.

    Cross-entropy with (1 − ε) onehot(t) + ε / K is that with onehot(t) plus ε (z_t − mean z). Shapes as above; back():
    the gradient (onehot(t) − 1 / K) / N of the mean over the samples.
    """

    def back() -> Array:
        _, classes, samples = logits.shape
        dz = np.full_like(logits, -1 / (classes * samples))
        dz[_at_label(t, logits.shape)] += 1 / samples
        return dz

    return logits[_at_label(t, logits.shape)] - logits.mean(axis=1), back


def _at_label(t: Array, shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """The indices of each sample's own class in an array `(R, K, N)`."""
    runs, _, samples = shape
    return np.arange(runs)[:, None], t, np.arange(samples)
