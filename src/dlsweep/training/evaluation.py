"""Loss and accuracy of every run of a stack over all samples of a split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from dlsweep.nn.forward import forward
from dlsweep.nn.fusion import fuse_for_evaluation, reorder_features
from dlsweep.nn.layers import Context, Parameters, SharedInput
from dlsweep.nn.losses import label_smoothing, softmax_cross_entropy
from dlsweep.training.network import Network
from dlsweep.training.random_draws import Draws
from dlsweep.training.samples import Batch, Blocks, Group, Samples
from dlsweep.training.state import State
from dlsweep.types import Array

# Split, logits `(R, K, N)` and labels `(N,)` of a block; where seeds have their own splits, the first seed's labels.
Watch = Callable[[str, Array, Array], None]


class Metrics(NamedTuple):
    """Mean loss, accuracy and mean penalty; `(R,)` each, float64."""

    loss: Array
    accuracy: Array
    penalty: Array


class Evaluation(NamedTuple):
    """An evaluation after `iteration` updates: the metrics of every run by split."""

    iteration: int
    epoch: float
    splits: Mapping[str, Metrics]

    def when(self, split: str) -> dict[str, Any]:
        """Return the columns that say when, and on which split."""
        return {"iteration": self.iteration, "epoch": self.epoch, "split": split}

    def keep(self, rows: Array) -> Evaluation:
        """Return the evaluation of some rows; rows: indices or a mask."""
        return self._replace(splits={k: Metrics(*(values[rows] for values in m)) for k, m in self.splits.items()})


def evaluation(
    state: State,
    iteration: int,
    epoch: float,
    samples: Samples,
    batch: Batch,
    watches: Sequence[Watch] = (),
    on: Sequence[str] = (),
) -> Evaluation:
    """Evaluate a stack on some splits, by default on its own; `batch` is the current minibatch.

    watches: are given every block of the splits that observers watch, see `Samples.watched`.
    """
    stack = state.stack
    penalty = np.zeros(len(state))  # of the kernels
    for regularizer in stack.network.regularizers:
        if regularizer.penalty:
            for i, k in stack.kernels:
                penalty += regularizer.penalty.value(state.parameters[i][k])
    draws = Draws(stack.slices, iteration)
    layers, parameters = fuse_for_evaluation(stack.network.layers, state.parameters, Context(False, draws))
    network = stack.network._replace(layers=layers)
    splits: dict[str, Metrics] = {}
    for split in on or stack.arm.evaluate.on:
        groups = samples.groups(split, stack.slices, batch)
        seen = [partial(watch, split) for watch in watches if samples.watched(split)]
        metrics = evaluate(network, parameters, groups, draws, *seen)
        splits[split] = metrics._replace(penalty=penalty + metrics.penalty)
    return Evaluation(iteration, epoch, splits)


def evaluate(
    network: Network,
    parameters: Sequence[Parameters],
    groups: Sequence[Group],
    draws: Draws,
    *seen: Callable[[Array, Array], None],
) -> Metrics:
    """Return the metrics of every run over all samples of its group; penalty: of activities and smoothed labels.

    draws: of this iteration; seen: are given the logits of each block, and the labels of the first group's block.
    """
    layers = network.layers
    runs = groups[-1].runs.stop
    loss, correct, penalty, samples = np.zeros(runs), np.zeros(runs), np.zeros(runs), 0
    orders = [(group.runs, group.blocks.features) for group in groups if isinstance(group.blocks, Blocks)]
    parameters = [reorder_features(layers[0], parameters[0], orders), *parameters[1:]]
    for blocks in zip(*(group.blocks for group in groups), strict=True):
        inputs = [SharedInput(b.x, g.runs) for b, g in zip(blocks, groups, strict=True)]
        passed = forward(layers, parameters, inputs, Context(False, draws))
        t = labels([b.t for b in blocks], [g.runs for g in groups])
        for see in seen:
            see(passed.logits, blocks[0].t)
        judged = softmax_cross_entropy(passed.logits, t)
        loss += judged.loss.astype(np.float64).sum(axis=1)
        correct += np.count_nonzero(judged.correct, axis=1)
        penalty += passed.penalty
        if network.smoothing is not None:
            penalty += network.smoothing * label_smoothing(passed.logits, t)[0].astype(np.float64).sum(axis=1)
        samples += passed.logits.shape[2]
    return Metrics(loss / samples, correct / samples, penalty / samples)


def labels(t: Sequence[Array], runs: Iterable[slice]) -> Array:
    """Return the labels of each run's samples, `(N,)` if all share them, else `(R, N)`; runs: those with each t."""
    if len(t) == 1:
        return t[0]
    return np.repeat(np.stack(t), [own.stop - own.start for own in runs], axis=0)
