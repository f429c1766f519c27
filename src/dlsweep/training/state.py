"""The state of training: the runs that still train, with their parameters and the slots of their optimizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np

from dlsweep.config.runs import Arm, Run
from dlsweep.datasets.base import Dataset
from dlsweep.nn.layers import Parameters
from dlsweep.nn.optimizers import optimizers
from dlsweep.nn.schedules import schedules
from dlsweep.randomness import Seeds
from dlsweep.registry import Entry
from dlsweep.training.network import Network, build
from dlsweep.training.result import Checkpoint, TrainingResult, named
from dlsweep.types import Array


@dataclass(frozen=True, eq=False)
class Stack:
    """Runs of one cohort in the order of their seeds, and what follows from which they are.

    positions: of each row, the position of its run among the runs that were given.
    """

    runs: Sequence[Run]
    positions: Array
    data: Dataset
    dtype: np.dtype

    @classmethod
    def of(cls, runs: Sequence[Run], data: Dataset, dtype: np.dtype) -> Stack:
        """Stack runs of one cohort."""
        order = sorted(range(len(runs)), key=lambda i: runs[i].seeds)
        return cls([runs[i] for i in order], np.array(order), data, dtype)

    def __len__(self) -> int:
        return len(self.runs)

    def keep(self, rows: Array) -> Stack:
        """Return the stack of some rows."""
        return replace(self, runs=[self.runs[row] for row in rows], positions=self.positions[rows])

    @property
    def arm(self) -> Arm:
        """One of the arms. Whatever is code is the same in every arm of a cohort."""
        return self.runs[0].arm

    @cached_property
    def slices(self) -> dict[Seeds, slice]:
        """The rows of each seed."""
        slices, at = {}, 0
        for seeds, members in groupby(self.runs, key=lambda run: run.seeds):
            count = len(list(members))
            slices[seeds] = slice(at, at + count)
            at += count
        return slices

    @cached_property
    def network(self) -> Network:
        """The network, with the settings of every run in its layers."""
        return build([run.arm for run in self.runs], self.data, self.dtype)

    @cached_property
    def kernels(self) -> list[tuple[int, str]]:
        """Layer and name of every kernel."""
        return [(i, k) for i, layer in enumerate(self.network.layers) for k in layer.kernels]

    @cached_property
    def optimizer(self) -> tuple[Entry, dict[str, Any]]:
        """The optimizer, and its settings as columns."""
        entry = optimizers[self.arm.optimizer.name]
        return entry, entry.columns([run.arm.optimizer for run in self.runs], self.dtype)

    @cached_property
    def schedule(self) -> tuple[Entry, dict[str, Any]]:
        """The schedule of the learning rate, and its settings as columns."""
        entry = schedules[self.arm.schedule.name]
        return entry, entry.columns([run.arm.schedule for run in self.runs], np.float64)


@dataclass
class State:
    """A stack with its parameters and slots, layer by layer; each array is `(R, …)`."""

    stack: Stack
    parameters: list[Parameters]
    slots: list[dict[str, list[Array]]]

    def __len__(self) -> int:
        return len(self.stack)

    def keep(self, rows: Array) -> State:
        """Return the state of some rows; their arrays are copied."""
        parameters = [{k: w[rows] for k, w in p.items()} for p in self.parameters]
        slots = [{k: [slot[rows] for slot in own] for k, own in s.items()} for s in self.slots]
        return State(self.stack.keep(rows), parameters, slots)

    @classmethod
    def resumed(cls, stack: Stack, before: TrainingResult) -> State:
        """Return the state that the runs have kept which have not ended early."""
        stack = stack.keep(np.flatnonzero([before.status[position] == "done" for position in stack.positions]))
        found: list[dict[str, Array]] = []  # all arrays of each run, by name
        for position in stack.positions:
            kept, state = before.kept[position], before.states[position]
            found.append({**(kept.parameters if kept else {}), **named("last", state), **named("slots", state)})
        return cls.of(stack, found, stack.optimizer[0].rest) if found else cls(stack, [], [])

    @classmethod
    def of(cls, stack: Stack, found: Sequence[Mapping[str, Array]], rest: Sequence[str] = ()) -> State:
        """Return the state of a stack from the arrays of each run, by name; rest: the names of the slots."""

        def stacked(*names: str) -> Array:
            return np.stack([own["/".join(names)] for own in found])

        layers = stack.network.layers
        parameters = [{k: stacked(layer.name, k) for k in layer.parameters} for layer in layers]
        slots = [
            {k: [stacked(layer.name, k, slot) for slot in rest] for k, p in layer.parameters.items() if p.trained}
            for layer in layers
        ]
        return cls(stack, parameters, slots)

    def copy(self, iteration: int, row: int) -> Checkpoint:
        """Return a copy of the parameters of a row."""
        named = zip(self.stack.network.layers, self.parameters, strict=True)
        return Checkpoint(iteration, {f"{layer.name}/{k}": w[row].copy() for layer, p in named for k, w in p.items()})
