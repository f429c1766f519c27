"""The result of training: curves, endings, measurements and parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from dlsweep.types import Array, Split

PREDICTED: Split = "test"  # the split of which predictions are kept


class Checkpoint(NamedTuple):
    """The parameters of a run after `iteration` updates, by names such as `dense1/W`, trained or not."""

    iteration: int
    parameters: Mapping[str, Array]


@dataclass(frozen=True)
class TrainingResult:
    """The result of a stack's training.

    curves: columns of equal length, one row per run, iteration and split: `run` (index into the runs as given),
    `iteration` (updates made), `epoch`, `split`, `loss` (mean, without penalty), `penalty`, `accuracy`.
    status: per run, "done", "stopped" or "diverged". iterations: per run, the updates made, or the update at which the
    loss or its gradient was found not to be finite. final: per run, the iteration whose metrics are the final ones of a
    run that did not diverge. parameters: trained numbers of one run. seconds: of the whole stack. ensembles: as curves,
    of the arms' averaged predictions: `run` is one of an arm's runs, `members` how many took part, no penalty.
    layers: a row per run, iteration and layer, see `dlsweep.training.observers.probes`. kept: per run, the parameters
    that were asked for; a run that diverged has no final ones, and no best ones if it was never evaluated. states: per
    run, the arrays besides its final parameters from which a longer training goes on; none of runs that ended early.
    predictions: per run, the class that its final network gives each test image, in the order of the data; None if it
    diverged.
    """

    curves: dict[str, Array]
    status: list[str]
    iterations: list[int]
    final: list[int]
    parameters: int
    seconds: float
    ensembles: dict[str, Array] = field(default_factory=dict)
    layers: dict[str, Array] = field(default_factory=dict)
    kept: list[Checkpoint | None] = field(default_factory=list)
    states: Sequence[Mapping[str, Array]] = field(default_factory=list)
    predictions: Sequence[Array | None] = field(default_factory=list)


def named(group: str, state: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays of a state in a group, such as the `last` parameters, by the rest of their names."""
    return {name.removeprefix(f"{group}/"): a for name, a in state.items() if name.startswith(f"{group}/")}


def class_type(classes: int) -> np.dtype:
    """Return the type that holds a class in predictions: of one byte up to 256 classes, else of two or four.

    >>> [class_type(classes).itemsize for classes in (10, 256, 257)]
    [1, 1, 2]
    """
    return np.min_scalar_type(classes - 1).newbyteorder("<")


class Begun(NamedTuple):
    """A training that goes on, as far as it has come: `steps` updates of every run that has not ended early."""

    steps: int
    result: TrainingResult

    def regular(self, every: int) -> TrainingResult:
        """Return the result without the last evaluation, if a longer training has none at this iteration."""
        found = self.result
        if self.steps % every == 0:
            return found

        def before(table: dict[str, Array]) -> dict[str, Array]:
            return {name: values[table["iteration"] != self.steps] for name, values in table.items()}

        return replace(
            found, curves=before(found.curves), ensembles=before(found.ensembles), layers=before(found.layers)
        )
