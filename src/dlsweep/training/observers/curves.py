"""Curves: the metrics of every run, and of the ensemble of every arm, at every evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlsweep.nn.losses import correct
from dlsweep.training.evaluation import Evaluation
from dlsweep.training.observers import Observer
from dlsweep.training.state import State
from dlsweep.types import Array

Row = tuple[Any, ...]  # iteration, epoch, split, then arrays of equal length


class Curves(Observer):
    """Collect a row for every run, iteration and split."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def evaluated(self, evaluation: Evaluation, state: State) -> None:
        """Add the metrics of an evaluation."""
        for split, m in evaluation.splits.items():
            when = (evaluation.iteration, evaluation.epoch, split)
            self.rows.append((*when, state.stack.positions, m.loss, m.penalty, m.accuracy))

    def results(self) -> dict[str, Any]:
        """Return `curves`."""
        return {"curves": long_columns(self.rows, ("run", "loss", "penalty", "accuracy"))}


class Ensembles(Observer):
    """Average the predictions of each arm's runs, on the splits whose samples all seeds share."""

    watches = True

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.arms: list[list[int]] = []  # the rows of each arm
        self.averages: dict[str, Averages] = {}

    def evaluating(self, state: State) -> None:
        """Begin anew: runs may have left the stack."""
        arms: dict[str, list[int]] = {}
        for row, run in enumerate(state.stack.runs):
            arms.setdefault(run.arm.identity, []).append(row)
        self.arms, self.averages = list(arms.values()), {}

    def block(self, split: str, logits: Array, t: Array) -> None:
        """Add a block of samples."""
        self.averages.setdefault(split, Averages(self.arms)).add(logits, t)

    def evaluated(self, evaluation: Evaluation, state: State) -> None:
        """Add a row for every arm and split."""
        first = np.array([state.stack.positions[rows[0]] for rows in self.arms], int)
        members = np.array([len(rows) for rows in self.arms], int)
        for split, averaged in self.averages.items():
            when = (evaluation.iteration, evaluation.epoch, split)
            self.rows.append((*when, first, members, averaged.loss, averaged.accuracy))

    def results(self) -> dict[str, Any]:
        """Return `ensembles`."""
        return {"ensembles": long_columns(self.rows, ("run", "members", "loss", "accuracy"))}


class Averages:
    """Loss and accuracy of p̄ = (1 / M) Σ softmax(z), the mean over the M runs of each arm, block by block of a split
    (Hansen & Salamon 1990; Lakshminarayanan et al. 2017, section 2.4).

    arms: for each the rows of its runs in the stack, by seed. The sum is in this order and in float64, so that its bits
    do not depend on the stack. The loss −log p̄_t is computed from the members' by log-sum-exp: it is finite if one of
    theirs is.
    """

    def __init__(self, arms: Sequence[Sequence[int]]):
        self.arms = arms
        self.losses, self.correct, self.samples = np.zeros(len(arms)), np.zeros(len(arms)), 0

    def add(self, logits: Array, t: Array) -> None:
        """Add a block of samples; logits: `(R, K, N)`, t: `(N,)`."""
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
        """Mean loss over the samples so far, `(A,)`."""
        mean: Array = self.losses / self.samples
        return mean

    @property
    def accuracy(self) -> Array:
        """Share of the samples that is classified correctly, `(A,)`."""
        share: Array = self.correct / self.samples
        return share


def long_columns(rows: Sequence[Row], names: Sequence[str]) -> dict[str, Array]:
    """Return rows of an iteration, an epoch, a split and arrays of equal length as long columns."""
    names = ("iteration", "epoch", "split", *names)
    if not rows:
        return {name: np.empty(0, str if name == "split" else int) for name in names}
    lengths = [len(row[3]) for row in rows]
    when = [np.repeat(given, lengths) for given in list(zip(*rows, strict=True))[:3]]
    arrays = [np.concatenate(given) for given in list(zip(*rows, strict=True))[3:]]
    return dict(zip(names, [*when, *arrays], strict=True))
