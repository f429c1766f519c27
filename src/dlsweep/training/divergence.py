"""The criterion of divergence: a loss or gradient that is not finite, or a loss far above the one at the start.

A run is `diverged` from the first iteration at which
- the loss of its minibatch, its gradient, or the loss on an evaluated split is not finite, or
- the mean loss on an evaluated split is above `FACTOR` times the larger of two losses: the loss of chance, ln K for K
  classes, and the loss of the run on that split at iteration 0.

On a landscape 1 replaces the loss of chance. A bad start alone is no divergence, because the limit grows with the loss
at iteration 0. The factor is far above what runs recover from: in `configs/learning_rate.yaml` with rates from 0.3 to
10⁵, every run whose loss rose more than a hundredfold ended with a test accuracy of at most 0.21.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dlsweep.types import Array

FACTOR = 1000


def limit(start: np.ndarray, chance: float) -> np.ndarray:
    """Return the loss above which each run has diverged, from its loss at iteration 0 and the loss of chance.

    >>> limit(np.array([2.3, 50.0]), 2.3)
    array([ 2300., 50000.])
    """
    return FACTOR * np.maximum(start, chance)


class Limits:
    """The loss above which each of the given runs has diverged, by split."""

    def __init__(self, runs: int, classes: int):
        self.runs, self.chance = runs, np.log(classes)
        self.limits: dict[str, Array] = {}

    def resume(self, curves: Mapping[str, Array]) -> None:
        """Take the losses at iteration 0 from curves."""
        for split in np.unique(curves["split"]):
            rows = (curves["iteration"] == 0) & (curves["split"] == split)
            self.within(str(split), curves["loss"][rows], curves["run"][rows])

    def within(self, split: str, loss: Array, positions: Array) -> Array:
        """Return a mask of the runs that have not diverged. The first call must be at iteration 0, with all runs."""
        if split not in self.limits:
            self.limits[split] = np.empty(self.runs)
            self.limits[split][positions] = limit(loss, self.chance)
        return np.isfinite(loss) & (loss <= self.limits[split][positions])
