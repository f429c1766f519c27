"""Loss that every run minimizes, and correct predictions for the accuracy, from logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dlsweep.types import Array


class Judged(NamedTuple):
    """Loss and correctness of the prediction for every run and sample, `(R, N)`.

    back(): the gradient of the mean loss.
    """

    loss: Array
    back: Callable[[], Array]
    correct: Array


def softmax_cross_entropy(logits: Array, t: Array) -> Judged:
    """Cross-entropy of softmax(logits) with the labels: log Σ exp(z) − z_t, by the shifted log-sum-exp.

    logits: `(R, K, N)`; t: labels `(N,)` or `(R, N)`. back() is (p − onehot(t)) / N, with respect to the logits.
    `correct` is the result of the function `correct`. Values are finite for logits of ±1e4.

    >>> judged = softmax_cross_entropy(np.array([[[2.0, 0.0], [0.0, 0.0]]]), np.array([0, 1]))
    >>> judged.loss.round(4).tolist(), judged.correct.tolist(), judged.back().round(4).tolist()
    ([[0.1269, 0.6931]], [[True, False]], [[[-0.0596, 0.25], [0.0596, -0.25]]])
    """
    top = logits.max(axis=1, keepdims=True)
    z = logits - top
    z_t = _at_label(z, t)
    is_correct = _largest(z, z_t, top, t)
    p = np.exp(z, out=z)
    total = p.sum(axis=1, keepdims=True)

    def back() -> Array:
        dz: Array = p / total
        runs, _, samples = dz.shape
        dz[np.arange(runs)[:, None], t, np.arange(samples)] -= 1
        dz /= samples
        return dz

    return Judged(np.log(total[:, 0]) - z_t, back, is_correct)


def correct(scores: Array, t: Array) -> Array:
    """Return True where the label's score is the largest, `(R, N)`; scores and t as above.

    Of equal scores the first counts as the largest, so a network with equal scores for all classes is at chance.

    >>> correct(np.array([[[2.0, 0.0], [0.0, 0.0]]]), np.array([0, 1])).tolist()
    [[True, False]]
    """
    top = scores.max(axis=1, keepdims=True)
    z = scores - top
    return _largest(z, _at_label(z, t), top, t)


def _largest(z: Array, z_t: Array, top: Array, t: Array) -> Array:
    """Return True where the label's score is the first of the largest; z: the scores minus the largest one, `top`."""
    first: Array = z_t == 0
    if np.count_nonzero(z == 0) > np.count_nonzero(np.isfinite(top)):  # some scores are equal
        first &= z.argmax(axis=1) == t
    return first


def label_smoothing(logits: Array, t: Array) -> tuple[Array, Callable[[], Array]]:
    """Return the term that label smoothing adds to the loss, for ε = 1: z_t − mean z, linear in the logits.

    Cross-entropy with (1 − ε) onehot(t) + ε / K equals cross-entropy with onehot(t) plus ε (z_t − mean z). Shapes as
    above; back(): the gradient (onehot(t) − 1 / K) / N of the mean over the samples.

    >>> added, back = label_smoothing(np.array([[[2.0], [0.0]]]), np.array([0]))
    >>> added.tolist(), back().tolist()
    ([[1.0]], [[[0.5], [-0.5]]])
    """

    def back() -> Array:
        runs, classes, samples = logits.shape
        dz = np.full_like(logits, -1 / (classes * samples))
        dz[np.arange(runs)[:, None], t, np.arange(samples)] += 1 / samples
        return dz

    return _at_label(logits, t) - logits.mean(axis=1), back


def _at_label(z: Array, t: Array) -> Array:
    """Return each sample's number for its own class, `(R, N)`, with one index into K · N numbers, which is fastest."""
    runs, _, samples = z.shape
    own = t * samples + np.arange(samples)
    flat = z.reshape(runs, -1)
    return flat[:, own] if own.ndim == 1 else np.take_along_axis(flat, own, axis=1)
