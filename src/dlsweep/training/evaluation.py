"""Loss and accuracy of every run of a stack over all samples of a split, in blocks that stay in cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dlsweep.nn.dense import Shared
from dlsweep.nn.layers import Layer, Parameters
from dlsweep.nn.losses import score
from dlsweep.nn.networks import forward

Array = np.ndarray

BLOCK = 500  # rows; the intermediates of 500 to 1000 rows stay in a core's cache
KEEP_BELOW = 128 << 20  # bytes of float blocks; a larger split is converted anew at each evaluation


class Block(NamedTuple):
    """Some samples, without the `columns` that are zero in all of them; x: `(n, columns)`, t: `(n,)`."""

    x: Array
    t: Array
    columns: Array | None = None


class Blocks:
    """The samples of a split that some runs are evaluated on, as float blocks ready to be multiplied.

    Ordered so that samples of one block leave as many columns dark together as can be: on MNIST's test images half of
    the first layer's arithmetic. The blocks are a function of the samples alone, so are the bits of the metrics.
    """

    def __init__(self, x: Array, t: Array, scale: float, dtype: np.dtype):
        self.scale, self.dtype = dtype.type(scale), dtype
        x = x.reshape(len(x), -1)
        self.blocks = []
        for rows in np.split(_peeled(x != 0), range(BLOCK, len(x), BLOCK)):
            columns = _lit_columns(x[rows])
            self.blocks.append(Block(x[rows] if columns is None else x[np.ix_(rows, columns)], t[rows], columns))
        if sum(b.x.size for b in self.blocks) * dtype.itemsize <= KEEP_BELOW:
            self.blocks = [self._float(b) for b in self.blocks]

    def __iter__(self) -> Iterator[Block]:
        return (b if b.x.dtype == self.dtype else self._float(b) for b in self.blocks)

    def _float(self, block: Block) -> Block:
        return block._replace(x=np.multiply(block.x, self.scale, dtype=self.dtype))


def _peeled(lit: Array) -> Array:
    """An order of the samples in which neighbours leave the same columns dark; lit: `(N, columns)`, bool.

    Peeling, from the outside in: take the column that the fewest of the remaining samples light, put those samples
    at the end, and go on without them. What remains lights fewer and fewer columns, so the first blocks are the darkest.
    """
    counts = np.count_nonzero(lit, axis=0)
    remaining = np.ones(len(lit), bool)
    order: list[Array] = []
    while (counts > 0).any():
        rarest = np.where(counts > 0, counts, len(lit) + 1).argmin()
        peel = np.flatnonzero(remaining & lit[:, rarest])
        remaining[peel] = False
        counts -= np.count_nonzero(lit[peel], axis=0)
        order.append(peel)
    return np.concatenate([np.flatnonzero(remaining), *order[::-1]])


def _lit_columns(x: Array) -> Array | None:
    """The columns that are not zero throughout, filled up to a multiple of 16; None where the rest are too few to matter.

    Filling up makes shapes recur, and a wide product has to be tried once for every shape.
    """
    lit = x.any(axis=0)
    count = -(-np.count_nonzero(lit) // 16) * 16
    return None if count > 0.9 * lit.size else np.sort(np.argsort(~lit, kind="stable")[:count])


class Group(NamedTuple):
    """A slice of the stack's runs and the samples that they are evaluated on."""

    runs: slice
    blocks: Iterable[Block]


def evaluate(layers: Sequence[Layer], parameters: Sequence[Parameters], groups: Sequence[Group]) -> tuple[Array, Array]:
    """Mean loss and accuracy of every run, `(R,)` each in float64, over all samples of its group."""
    runs = groups[-1].runs.stop
    loss, correct, samples = np.zeros(runs), np.zeros(runs), 0
    for blocks in zip(*(group.blocks for group in groups), strict=True):
        inputs = [Shared(b.x, g.runs, b.columns) for b, g in zip(blocks, groups, strict=True)]
        logits, _ = forward(layers, parameters, inputs, training=False)
        t = labels([b.t for b in blocks], groups)
        losses, hits = score(logits, t)
        loss += losses.astype(np.float64).sum(axis=1)
        correct += np.count_nonzero(hits, axis=1)
        samples += logits.shape[1]
    return loss / samples, correct / samples


def labels(t: Sequence[Array], groups: Sequence[Group]) -> Array:
    """The labels of each run's samples: `(N,)` if all runs share them, else `(R, N)`."""
    if len(groups) == 1:
        return t[0]
    return np.repeat(np.stack(t), [g.runs.stop - g.runs.start for g in groups], axis=0)
