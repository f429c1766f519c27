"""The result of training: curves, endings, measurements and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dlsweep.types import Array


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
    layers: a row per run, iteration and layer, see `dlsweep.training.probes`. kept: per run, the parameters that were
    asked for; a run that diverged has no final ones, and no best ones if it never was evaluated.
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
