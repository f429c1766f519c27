"""The table of factors. A new factor is a line here, and its registry."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from dlsweep.registry import Choice, Entry, Registry, imported


@dataclass(frozen=True)
class FactorSpec:
    """A factor: something that an arm chooses by name.

    source: the address of the registry, imported late, so that a mistake in YAML imports nothing heavy. default: for
    arms whose config chooses nothing. combines: several names at once are one level, and `none` is none of them.
    splits: the arms that train in separate stacks: those whose code differs, those with any other setting, or no arms.
    outside: a config may choose it outside the grid, by a key of its own.
    """

    name: str
    source: str
    default: str
    combines: bool = False
    splits: Literal["code", "settings", "nothing"] = "code"
    outside: bool = False

    @property
    def registry(self) -> Registry:
        """The registry of its names."""
        found: Registry = imported(self.source)
        return found

    def code(self, chosen: Sequence[Choice]) -> Hashable:
        """Return what the arms of one stack have in common."""
        if self.splits == "code":
            return tuple(self.registry[choice.name].code(choice) for choice in chosen)
        return tuple(choice.canonical for choice in chosen) if self.splits == "settings" else ()


FACTORS: tuple[FactorSpec, ...] = (
    FactorSpec("data", "dlsweep.datasets:datasets", "mnist", splits="nothing", outside=True),  # its content splits
    FactorSpec("model", "dlsweep.nn.networks:models", "mlp", splits="settings", outside=True),
    FactorSpec("activation", "dlsweep.nn.activations:activations", "relu"),
    FactorSpec("init", "dlsweep.nn.initializers:initializers", "he", splits="nothing"),
    FactorSpec("optimizer", "dlsweep.nn.optimizers:optimizers", "sgd"),
    FactorSpec("regularizer", "dlsweep.nn.regularizers:regularizers", "none", combines=True),
    FactorSpec("normalization", "dlsweep.nn.normalization:normalizations", "none"),
    FactorSpec("schedule", "dlsweep.nn.schedules:schedules", "constant"),
)
BY_NAME = {factor.name: factor for factor in FACTORS}
STANDARD = tuple(factor.name for factor in FACTORS if not factor.outside)  # of every grid


def foreign() -> list[Entry]:
    """Return the levels and layers that other packages register."""
    registries = (imported("dlsweep.nn.layers:kinds"), *(factor.registry for factor in FACTORS))
    found = (registry[name] for registry in registries for name in registry)
    return [entry for entry in found if entry.foreign]
