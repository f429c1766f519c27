"""Loss and accuracy of every run of a stack over all samples of a split, in blocks that stay in cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from dlsweep.datasets.base import Dataset
from dlsweep.nn.forward import forward
from dlsweep.nn.layers import Context, Layer, Parameters, SharedInput
from dlsweep.nn.losses import label_smoothing, softmax_cross_entropy
from dlsweep.training.draws import Draws
from dlsweep.training.network import Network
from dlsweep.types import Array

BLOCK = 480  # samples; intermediates stay in a core's cache, and the vectors of every product's kernels are full
IMAGES = 100  # samples that are images: they take more room
LARGEST = 1 << 20  # numbers that a layer may make of a block, where that many images would be more
KEEP_BELOW = 128 << 20  # bytes of float blocks; a larger split is converted anew at each evaluation


def block_size(layers: Iterable[Layer]) -> int:
    """How many samples a network is evaluated on at once: a function of the network, as are the bits of its metrics."""
    most = IMAGES if any(len(layer.shape) > 1 for layer in layers) else BLOCK
    return max(1, min(most, LARGEST // max(prod(layer.shape) for layer in layers)))


class Block(NamedTuple):
    """Some samples, x: `(*shape, n)` or, as columns, `(features, n)`; and their labels, t: `(n,)`."""

    x: Array
    t: Array


class Blocks:
    """The samples of a split that some runs are evaluated on, as float blocks ready to be multiplied.

    Samples and features are ordered so that the last features of most blocks are dark (zero in all samples) and can be
    left out: on MNIST's test images half of the first layer's arithmetic. `features` is that order, None for the order
    as given, where features must not or need not be moved; `samples` is that of the samples. The blocks are a function
    of the samples alone, so are the bits of the metrics. Float blocks are kept where `keep` allows it and they are few.

    x: samples as the data set has them, `(N, …)`; floats: of some of these, what a network sees. reorder: whether
    features may be moved and left out; then `floats` treats all alike and leaves zeros what they are.
    """

    def __init__(
        self,
        x: Array,
        t: Array,
        floats: Callable[[Array, np.dtype], Array],
        dtype: np.dtype,
        *,
        reorder: bool = True,
        size: int = BLOCK,
        keep: bool = True,
    ):
        self.floats, self.dtype = floats, dtype
        self.samples: Array
        self.features: Array | None
        self.samples, self.features = _peeled(x.reshape(len(x), -1) != 0) if reorder else (np.arange(len(x)), None)
        if self.features is not None:
            x = x.reshape(len(x), -1)[:, self.features]
        self.blocks = []
        for rows in np.split(self.samples, range(size, len(x), size)):
            lit = x[rows]
            if self.features is not None:
                lit = lit[:, : 1 + np.flatnonzero(lit.any(axis=0))[-1]] if lit.any() else lit[:, :1]
            self.blocks.append(Block(np.ascontiguousarray(np.moveaxis(lit, 0, -1)), t[rows]))
        self.kept = keep and sum(b.x.size for b in self.blocks) * dtype.itemsize <= KEEP_BELOW
        if self.kept:
            self.blocks = [self._float(b) for b in self.blocks]

    def seen(self, floats: Callable[[Array, np.dtype], Array]) -> Blocks:
        """The same samples, seen in another way; of blocks that are not kept."""
        assert not self.kept
        other = copy(self)
        other.floats = floats
        return other

    def __iter__(self) -> Iterator[Block]:
        return iter(self.blocks) if self.kept else map(self._float, self.blocks)

    def _float(self, block: Block) -> Block:
        return block._replace(x=np.moveaxis(self.floats(np.moveaxis(block.x, -1, 0), self.dtype), 0, -1))


@lru_cache(maxsize=3)
def split_blocks(data: Dataset, split: str, dtype: np.dtype, reorder: bool, size: int, keep: bool = True) -> Blocks:
    """The whole of a split, made once for all chunks that a process trains on a data set."""
    x, t = (getattr(data.arrays, f"{a}_{split}") for a in "xt")
    return Blocks(x, t, data.arrays.floats, dtype, reorder=reorder, size=size, keep=keep)


def _peeled(lit: Array) -> tuple[Array, Array | None]:
    """Orders of samples and of features that gather the dark; lit: `(N, features)`, bool.

    Peeling, from the outside in: take the feature that the fewest of the remaining samples light, put it and those
    samples at the end, and go on without them. What remains lights fewer and fewer features, so the first samples are
    dark in all but the first features. Features keep their order (None) where hardly any entry is zero. A single block
    loses just the features that are dark in all samples.
    """
    if np.count_nonzero(lit) > 0.8 * lit.size:
        return np.arange(len(lit)), None
    counts = np.count_nonzero(lit, axis=0)
    if len(lit) <= BLOCK:
        return np.arange(len(lit)), np.argsort(counts == 0, kind="stable")
    remaining = np.ones(len(lit), bool)
    samples: list[Array] = []
    features = list(np.flatnonzero(counts == 0))  # the last first
    while (counts > 0).any():
        rarest = np.where(counts > 0, counts, len(lit) + 1).argmin()
        peel = np.flatnonzero(remaining & lit[:, rarest])
        remaining[peel] = False
        peeled = np.count_nonzero(lit[peel], axis=0)
        gone = (counts > 0) & (counts == peeled)
        counts -= peeled
        samples.append(peel)
        features += [*np.flatnonzero(gone & (np.arange(len(gone)) != rarest))[::-1], rarest]
    return np.concatenate([np.flatnonzero(remaining), *samples[::-1]]), np.array(features[::-1])


class Group(NamedTuple):
    """A slice of the stack's runs and the samples that they are evaluated on."""

    runs: slice
    blocks: Blocks | Sequence[Block]


class Metrics(NamedTuple):
    """Mean loss, accuracy and mean penalty of the activities and of smoothed labels; `(R,)` each, float64."""

    loss: Array
    accuracy: Array
    penalty: Array


def evaluate(
    network: Network,
    parameters: Sequence[Parameters],
    groups: Sequence[Group],
    draws: Draws,
    seen: Callable[[Array, Array], None] | None = None,
) -> Metrics:
    """The metrics of every run over all samples of its group.

    draws: of this iteration; seen: is given the logits and the labels of each block, which all groups have in common.
    """
    layers = network.layers
    runs = groups[-1].runs.stop
    loss, correct, penalty, samples = np.zeros(runs), np.zeros(runs), np.zeros(runs), 0
    parameters = [_reordered(layers[0], parameters[0], groups), *parameters[1:]]
    for blocks in zip(*(group.blocks for group in groups), strict=True):
        inputs = [SharedInput(b.x, g.runs) for b, g in zip(blocks, groups, strict=True)]
        passed = forward(layers, parameters, inputs, Context(False, draws))
        t = labels([b.t for b in blocks], groups)
        if seen is not None:
            seen(passed.logits, blocks[0].t)
        judged = softmax_cross_entropy(passed.logits, t)
        loss += judged.loss.astype(np.float64).sum(axis=1)
        correct += np.count_nonzero(judged.correct, axis=1)
        penalty += passed.penalty
        if network.smoothing is not None:
            penalty += network.smoothing * label_smoothing(passed.logits, t)[0].astype(np.float64).sum(axis=1)
        samples += passed.logits.shape[2]
    return Metrics(loss / samples, correct / samples, penalty / samples)


def _reordered(first: Layer, p: Parameters, groups: Sequence[Group]) -> Parameters:
    """The first layer's parameters with the input's features in the order of each group's blocks."""
    orders = [(g.runs, g.blocks.features) for g in groups if isinstance(g.blocks, Blocks)]
    if not first.facts.reorders or all(features is None for _, features in orders):
        return p
    W = p[first.facts.reorders].copy() if len(orders) > 1 else np.empty_like(p[first.facts.reorders])
    for runs, features in orders:
        if features is not None:
            np.take(
                p[first.facts.reorders][runs], features, axis=-1, out=W[runs], mode="clip"
            )  # clip: no buffer between
    return p | {first.facts.reorders: W}


def labels(t: Sequence[Array], groups: Sequence[Group]) -> Array:
    """The labels of each run's samples: `(N,)` if all runs share them, else `(R, N)`."""
    if len(groups) == 1:
        return t[0]
    return np.repeat(np.stack(t), [g.runs.stop - g.runs.start for g in groups], axis=0)
