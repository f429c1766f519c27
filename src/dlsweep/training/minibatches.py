"""Minibatches: the samples that a replicate trains on, in their order, the same in every arm."""

from __future__ import annotations

from collections.abc import Iterator

from dlsweep.config.runs import Evaluate, Train
from dlsweep.randomness import Seeds
from dlsweep.types import Array


def subset(seeds: Seeds, size: int, pool: int) -> Array | None:
    """Return the `size` samples of the pool that a replicate trains on, drawn without repetition; None for all."""
    return None if size == pool else seeds.stream("subset/train").permutation(pool)[:size]


def steps_per_epoch(size: int, batch_size: int) -> int:
    """Return ⌈size / batch size⌉; the last minibatch of an epoch may be smaller."""
    return -(-size // batch_size)


def iterations(train: Train, size: int) -> int:
    """Return the number of updates of a run."""
    return train.steps(size)


def evaluations(evaluate: Evaluate, steps: int) -> int:
    """Return the number of evaluations: at iteration 0, every `every` iterations, and at the end."""
    return 1 + -(-steps // evaluate.every)


def minibatches(seeds: Seeds, size: int, train: Train) -> Iterator[Array]:
    """Yield the indices of each minibatch of a replicate, without end.

    `shuffle`: a new permutation each epoch, the last partial minibatch kept; `replacement`: independent draws.
    """
    batch, epoch = train.batch_size, 0
    while True:
        draw = seeds.stream("batches", epoch)
        if train.sampling == "shuffle":
            order = draw.permutation(size)
            yield from (order[i : i + batch] for i in range(0, size, batch))
        else:
            yield from draw.integers(size, size=(steps_per_epoch(size, batch), batch))
        epoch += 1
