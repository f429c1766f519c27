"""Ensembles: the averaged predictions of the runs of an arm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlsweep.nn.losses import correct
from dlsweep.types import Array


class Ensembles:
    """Loss and accuracy of p̄ = (1 / M) Σ softmax(z), the mean over the M runs of each arm, block by block of a split
    (Hansen & Salamon 1990; Lakshminarayanan et al. 2017, section 2.4).

    arms: for each the rows of its runs in the stack, by seed. The sum is in this order and in float64, so that its bits
    do not depend on the stack. The loss -log p̄_t is that of the members by log-sum-exp: finite where one of theirs is.
    """

    def __init__(self, arms: Sequence[Sequence[int]]):
        self.arms = arms
        self.losses, self.correct, self.samples = np.zeros(len(arms)), np.zeros(len(arms)), 0

    def add(self, logits: Array, t: Array) -> None:
        """Take in a block of samples; logits: `(R, K, N)`, t: `(N,)`."""
        z = logits - logits.max(axis=1, keepdims=True)
        z_t = z[:, t, np.arange(len(t))]
        p = np.exp(z, out=z)
        total = p.sum(axis=1)
        log_p_t = (z_t - np.log(total)).astype(np.float64)
        p /= total[:, None]
        for i, rows in enumerate(self.arms):
            summed, log_sum = np.zeros(p.shape[1:]), np.full(len(t), -np.inf)
            for row in rows:
                summed += p[row]
                np.logaddexp(log_sum, log_p_t[row], out=log_sum)
            self.losses[i] += (np.log(len(rows)) - log_sum).sum()
            self.correct[i] += np.count_nonzero(correct(summed[None], t))
        self.samples += len(t)

    @property
    def loss(self) -> Array:
        """The mean loss over the samples so far, `(A,)`."""
        mean: Array = self.losses / self.samples
        return mean

    @property
    def accuracy(self) -> Array:
        """The share of them that is classified correctly, `(A,)`."""
        share: Array = self.correct / self.samples
        return share
