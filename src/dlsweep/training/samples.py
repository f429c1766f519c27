"""The samples of a stack: the minibatches of every seed, and the splits in blocks that stay in cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import lru_cache
from itertools import islice
from math import prod
from typing import Any, NamedTuple, TypeVar

import numpy as np

from dlsweep.config.runs import Train
from dlsweep.datasets.base import Dataset
from dlsweep.nn.layers import Layer
from dlsweep.randomness import Seeds
from dlsweep.training.state import Stack
from dlsweep.types import Array

T = TypeVar("T")

BLOCK = 480  # samples; intermediates stay in a core's cache, and the vectors of every product's kernels are full
IMAGES = 100  # samples that are images: they take more room
LARGEST = 1 << 20  # numbers that a layer may make of a block, where that many images would be more
KEEP_BELOW = 128 << 20  # bytes of float blocks; a larger split is converted anew at each evaluation


def block_size(layers: Iterable[Layer]) -> int:
    """Return the number of samples in a block: a function of the network, as are the bits of its metrics."""
    most = IMAGES if any(len(layer.shape) > 1 for layer in layers) else BLOCK
    return max(1, min(most, LARGEST // max(prod(layer.shape) for layer in layers)))


class Block(NamedTuple):
    """Some samples, x: `(*shape, n)` or, as columns, `(features, n)`; and their labels, t: `(n,)`."""

    x: Array
    t: Array


class Blocks:
    """The samples of a split as float blocks, ready for products.

    Samples and features are reordered so that the last features of most blocks are dark, zero in all samples, and can
    be dropped: on MNIST's test images this saves half of the first layer's multiplications. `features` is their order,
    or None if it is unchanged; `samples` is the order of the samples. The blocks depend on the samples alone, so the
    bits of the metrics do too. Float blocks are kept in memory if `keep` is True and they are small.

    x: samples of the data set, `(N, …)`. floats: converts samples to the network's input. reorder: True if features may
    be moved and dropped; `floats` must then treat all features alike and keep zeros.
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
        """Return the same samples with another conversion to floats; for blocks that are not kept."""
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
    """Return a whole split, prepared once for all chunks that a process trains on a data set."""
    x, t = (getattr(data.arrays, f"{a}_{split}") for a in "xt")
    return Blocks(x, t, data.arrays.floats, dtype, reorder=reorder, size=size, keep=keep)


def _peeled(lit: Array) -> tuple[Array, Array | None]:
    """Return orders of samples and of features that gather dark features; lit: `(N, features)`, bool.

    The method peels from the outside in: take the feature that is lit in the fewest remaining samples, put it and these
    samples at the end, and repeat without them. The remaining samples light ever fewer features, so the first samples
    are dark in all but the first features. Features keep their order (None) if few entries are zero. A single block
    drops only the features that are dark in all of its samples.
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
    """Rows of a stack, and the samples that they are evaluated on."""

    runs: slice
    blocks: Blocks | Sequence[Block]


def subset(seeds: Seeds, size: int, pool: int) -> Array | None:
    """Return the `size` samples of the pool that a replicate trains on, drawn without repetition; None for all."""
    return None if size == pool else seeds.stream("subset/train").permutation(pool)[:size]


def minibatches(seeds: Seeds, size: int, train: Train, begun: int = 0) -> Iterator[Array]:
    """Yield the indices of each minibatch of a replicate, without end, those of the first `begun` updates left out.

    `shuffle`: a new permutation each epoch, the last partial minibatch kept; `replacement`: independent draws.
    """
    epoch, passed = divmod(begun, train.per_epoch(size))
    return islice(_minibatches(seeds, size, train, epoch), passed, None)


def _minibatches(seeds: Seeds, size: int, train: Train, epoch: int) -> Iterator[Array]:
    batch = train.batch_size
    while True:
        draw = seeds.stream("batches", epoch)
        if train.sampling == "shuffle":
            order = draw.permutation(size)
            yield from (order[i : i + batch] for i in range(0, size, batch))
        else:
            yield from draw.integers(size, size=(train.per_epoch(size), batch))
        epoch += 1


def once(seeds: Iterable[Seeds], sources: Sequence[str], make: Callable[[Seeds], T]) -> dict[Seeds, T]:
    """Make something of each seed, once for those that have the same seeds of some sources of chance.

    >>> crossed = [Seeds.crossed({"init": init, "batches": 1}) for init in range(3)]
    >>> len({id(made) for made in once(crossed, ["batches"], lambda seeds: [seeds]).values()})
    1
    """
    keys = {s: tuple(s.of(name) for name in sources) for s in seeds}
    made = {key: make(s) for key, s in {key: s for s, key in keys.items()}.items()}
    return {s: made[key] for s, key in keys.items()}


DRAWN = ("subset", "split")  # the sources of chance that choose the samples of a seed

Batch = Mapping[Seeds, Block]  # the minibatch of each seed


class Samples:
    """The samples that the runs of a stack train on and are evaluated on, by seed; begun: updates that are made."""

    def __init__(self, stack: Stack, begun: int = 0):
        layers, arrays, size = stack.network.layers, stack.data.arrays, stack.data.sizes["train"]
        self.data, self.dtype, self.size = stack.data, stack.dtype, block_size(layers)
        division = stack.data.division
        # The splits of each seed, if it draws its own.
        self.rows = None if division is None else {s: division.rows(s) for s in stack.slices}
        self.own = division is not None or size < len(arrays.t_train)  # every seed trains on samples of its own
        self.reorder = bool(layers[0].facts.reorders) and not arrays.standardized
        self.subsets = once(stack.slices, DRAWN, lambda s: self._trained(s, size))
        self.seen = once(stack.slices, DRAWN, lambda s: arrays.seen_by(self.subsets[s]))
        self._indices = {s.of("batches"): minibatches(s, size, stack.arm.train, begun) for s in stack.slices}
        self._splits: dict[str, Blocks | dict[Seeds, Blocks]] = {}

    def _trained(self, seeds: Seeds, size: int) -> Array | None:
        """Return the samples of the pool that a seed trains on; None for all."""
        if self.rows is None:
            return subset(seeds, size, len(self.data.arrays.t_train))
        pool = self.rows[seeds].train
        chosen = subset(seeds, size, len(pool))
        return pool if chosen is None else pool[chosen]

    def next(self, seeds: Iterable[Seeds]) -> Batch:
        """Return the next minibatch of each seed. Crossed seeds with the same order and subset share it."""
        indices = {number: next(self._indices[number]) for number in dict.fromkeys(s.of("batches") for s in seeds)}
        return once(seeds, ["batches", *DRAWN], lambda s: self.gather(s, indices[s.of("batches")]))

    def gather(self, seeds: Seeds, indices: Array) -> Block:
        """Return a minibatch; `indices` count within the samples that the seed trains on."""
        rows, arrays = self.subsets[seeds], self.data.arrays
        indices = indices if rows is None else rows[indices]
        x = self.seen[seeds].floats(arrays.x_train[indices], self.dtype)
        return Block(np.moveaxis(x, 0, -1), arrays.t_train[indices])

    def groups(self, split: str, slices: Mapping[Seeds, slice], batch: Batch) -> list[Group]:
        """Return the samples of a split for each slice of the stack; `batch` is the current minibatch."""
        blocks = self.split(split) if split != "batch" else {s: [block] for s, block in batch.items()}
        if isinstance(blocks, Blocks):
            return [Group(slice(0, max(rows.stop for rows in slices.values())), blocks)]
        return [Group(rows, blocks[s]) for s, rows in slices.items()]

    def watched(self, split: str) -> bool:
        """Return True if observers watch an evaluation on a split: of other samples than a seed's own to train on."""
        return split in ("validation", "test") or (split == "train" and not self.own)

    def order(self, split: str, seeds: Iterable[Seeds]) -> Array:
        """Return the samples of a split in the order of the blocks of some seeds, `(N,)` if all share it."""
        blocks = self.split(split)
        return blocks.samples if isinstance(blocks, Blocks) else np.stack([blocks[s].samples for s in seeds])

    def split(self, split: str) -> Blocks | dict[Seeds, Blocks]:
        """Return the blocks of a split: one for all seeds, or one for each."""
        if split not in self._splits:
            self._splits[split] = self._blocks(split)
        return self._splits[split]

    def _blocks(self, split: str) -> Blocks | dict[Seeds, Blocks]:
        arrays = self.data.arrays
        if self.own and (split == "train" or self.rows):
            x, t = arrays.x_train, arrays.t_train
            common: dict[str, Any] = {"reorder": self.reorder, "size": self.size}
            own = self.subsets if split == "train" else {s: getattr(r, split) for s, r in (self.rows or {}).items()}
            return once(own, DRAWN, lambda s: Blocks(x[own[s]], t[own[s]], self.seen[s].floats, self.dtype, **common))
        if arrays.standardized and self.own:  # every seed sees the same samples with moments of its own
            whole = split_blocks(self.data, split, self.dtype, self.reorder, self.size, keep=False)
            return {s: whole.seen(seen.floats) for s, seen in self.seen.items()}
        return split_blocks(self.data, split, self.dtype, self.reorder, self.size)
