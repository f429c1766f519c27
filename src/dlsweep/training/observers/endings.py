"""The end of each run: its status, and its iteration."""

from __future__ import annotations

from typing import Any

from dlsweep.training.observers import Observer
from dlsweep.training.state import State
from dlsweep.types import Array


class Endings(Observer):
    """Status and last iteration of each run."""

    def __init__(self, runs: int):
        self.status, self.iterations = [""] * runs, [0] * runs

    def leaving(self, t: int, state: State, rows: Array, status: str) -> None:
        """Note how and when runs end."""
        for position in state.stack.positions[rows]:
            self.status[position], self.iterations[position] = status, t

    def results(self) -> dict[str, Any]:
        """Return `status` and `iterations`."""
        return {"status": self.status, "iterations": self.iterations}
