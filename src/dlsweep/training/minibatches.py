"""Which samples a replicate sees, and when: the same in every arm."""

from __future__ import annotations

from collections.abc import Iterator

from dlsweep.config.runs import Evaluate, Train
from dlsweep.randomness import stream
from dlsweep.types import Array


def subset(seed: int, size: int, pool: int) -> Array | None:
    """The `size` samples of the training pool that a replicate trains on, drawn without repetition; None for all."""
    return None if size == pool else stream(seed, "subset/train").permutation(pool)[:size]


def steps_per_epoch(size: int, batch_size: int) -> int:
    """⌈size / batch size⌉: in an epoch of a shuffle every sample is seen once, the last minibatch may be smaller."""
    return -(-size // batch_size)


def iterations(train: Train, size: int) -> int:
    """How many minibatches a run trains on."""
    return train.steps(size)


def evaluations(evaluate: Evaluate, steps: int) -> int:
    """How often a run is evaluated: at iteration 0, every `every` iterations, and at the end."""
    return 1 + -(-steps // evaluate.every)


def minibatches(seed: int, size: int, train: Train) -> Iterator[Array]:
    """The indices of each minibatch of a replicate, without end.

    `shuffle`: a new permutation each epoch, the last partial minibatch kept; `replacement`: independent draws.
    """
    batch, epoch = train.batch_size, 0
    while True:
        draw = stream(seed, "batches", epoch)
        if train.sampling == "shuffle":
            order = draw.permutation(size)
            yield from (order[i : i + batch] for i in range(0, size, batch))
        else:
            yield from draw.integers(size, size=(steps_per_epoch(size, batch), batch))
        epoch += 1
