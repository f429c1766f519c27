"""Learning-rate schedules: `(t, steps) -> factor`, what `lr` is multiplied with at step `t` of `steps`, from 1."""

from __future__ import annotations

from dlsweep.registry import Registry

schedules = Registry("schedule", "dlsweep.schedules")


@schedules.register
def constant(t: int, steps: int) -> float:
    """The learning rate as it was set, throughout."""
    return 1.0
