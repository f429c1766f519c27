"""Curves: the metrics of every run, and of the ensemble of every arm, at every evaluation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlsweep.nn.losses import correct
from dlsweep.training.evaluation import Evaluation, Metrics, Watch
from dlsweep.training.observers import Observer
from dlsweep.training.result import TrainingResult
from dlsweep.training.state import State
from dlsweep.types import Array

Row = Mapping[str, Any]  # by column: words and numbers, and arrays of equal length, `run` among them


class Curves(Observer):
    """Collect a row for every run, iteration and split."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def evaluated(self, evaluation: Evaluation, state: State) -> None:
        """Add the metrics of an evaluation."""
        for split, metrics in evaluation.splits.items():
            self.rows.append({**evaluation.when(split), "run": state.stack.positions, **metrics._asdict()})

    def resume(self, before: TrainingResult) -> None:
        """Begin with the rows of the training so far."""
        self.rows = [before.curves]

    def results(self) -> dict[str, Any]:
        """Return `curves`."""
        return {"curves": long_columns(self.rows, "iteration", "epoch", "split", "run", *Metrics._fields)}


class Ensembles(Observer):
    """Average the predictions of each arm's runs, on the splits whose samples all seeds share."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.averages: dict[str, Averages] = {}

    def watch(self, t: int, state: State) -> Watch:
        """Begin anew: runs may have left the stack."""
        arms: dict[str, list[int]] = {}  # the rows of each
        for row, run in enumerate(state.stack.runs):
            arms.setdefault(run.arm.identity, []).append(row)
        own = list(arms.values())
        self.averages = defaultdict(lambda: Averages(own))
        return lambda split, logits, t: self.averages[split].add(logits, t)

    def evaluated(self, evaluation: Evaluation, state: State) -> None:
        """Add a row for every arm and split."""
        for split, averaged in self.averages.items():
            first = state.stack.positions[[rows[0] for rows in averaged.arms]]
            own = {"members": np.array([len(rows) for rows in averaged.arms], int)}
            own |= {"loss": averaged.loss, "accuracy": averaged.accuracy}
            self.rows.append({**evaluation.when(split), "run": first, **own})

    def resume(self, before: TrainingResult) -> None:
        """Begin with the rows of the training so far."""
        self.rows = [before.ensembles] if before.ensembles else []

    def results(self) -> dict[str, Any]:
        """Return `ensembles`."""
        columns = ("iteration", "epoch", "split", "run", "members", "loss", "accuracy")
        return {"ensembles": long_columns(self.rows, *columns)}


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
        return self.losses / self.samples

    @property
    def accuracy(self) -> Array:
        """Share of the samples that is classified correctly, `(A,)`."""
        return self.correct / self.samples


def long_columns(rows: Sequence[Row], *names: str) -> dict[str, Array]:
    """Return rows as long columns: words and numbers are repeated as often as the arrays of their row are long."""
    if not rows:
        return {name: np.empty(0, str if name == "split" else int) for name in names}
    return {name: np.concatenate([_long(row[name], len(row["run"])) for row in rows]) for name in names}


def _long(value: Any, length: int) -> Array:
    return value if isinstance(value, np.ndarray) else np.repeat(value, length)
