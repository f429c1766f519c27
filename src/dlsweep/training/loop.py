"""The one training loop: a stack of runs of one cohort, from initial weights to curves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlsweep.config.runs import Run
from dlsweep.datasets.base import Dataset
from dlsweep.training.minibatches import iterations, minibatches, steps_per_epoch
from dlsweep.training.outcome import Outcome
from dlsweep.training.stack import Stack


def train(
    runs: Sequence[Run],
    data: Dataset,
    *,
    progress: Callable[[int], None] = lambda n: None,
    dtype: Any = np.float32,
) -> Outcome:
    """Train runs of one cohort as one stack and return their curves.

    progress is called at each evaluation with the run-iterations done since the last, and with 0 while the stack is
    set up; what it raises ends the training. A run that diverges (`dlsweep.training.divergence`) leaves the stack, and
    so does one whose patience ends before its training does, as `stopped`; the others keep their bits, which are
    promised for one BLAS thread (the executors see to it).
    """
    _ = data.arrays  # read before the clock starts: whether a run is the first in its process does not matter
    start = time.perf_counter()
    arm = runs[0].arm  # whatever is code is the same in every arm of a cohort
    stack = Stack(runs, data, np.dtype(dtype))
    batches = {s: minibatches(s, data.sizes["train"], arm.train) for s in stack.slices}
    steps = iterations(arm.train, data.sizes["train"])
    per_epoch = steps_per_epoch(data.sizes["train"], arm.train.batch_size)

    with np.errstate(all="ignore"):
        batch = {s: stack.gather(s, next(batches[s])) for s in stack.slices}
        stack.begin(batch)
        progress(0)
        stack.evaluate(0, 0.0, batch)
        progress(0)
        reported = 0
        for t in range(1, steps + 1):
            if not stack.order:
                break
            evaluated = t % arm.evaluate.every == 0 or t == steps
            stack.step(t, steps, batch, evaluated=evaluated)
            if evaluated:
                stack.evaluate(t, t / per_epoch, batch)
            if t < steps or stack.probes:
                batch = {s: stack.gather(s, next(batches[s])) for s in stack.slices}
            if evaluated:
                if t < steps:
                    stack.stop(t, batch)
                else:
                    stack.measure(t + 1, batch)
                progress(len(runs) * (t - reported))
                reported = t
        if reported < steps:
            progress(len(runs) * (steps - reported))

    return stack.outcome(steps, time.perf_counter() - start)
