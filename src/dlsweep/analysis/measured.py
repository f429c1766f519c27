"""One quantity of all runs during training, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlsweep.storage.results import Results
from dlsweep.types import Array


@dataclass(frozen=True)
class Measured:
    """Quantity of all runs during training; rows are in the order of the runs, then of the iterations.

    run: the index of each row's run. starts: the index of each run's first row, `(runs + 1,)`.
    """

    run: Array
    iteration: Array
    value: Array
    starts: Array

    @staticmethod
    def of(results: Results, y: str, *, table: str = "curves", **words: str) -> Measured:
        """Rows of a table that have some words, such as `split="test"`; `objective` is the loss with its penalty."""
        columns = ["loss", "penalty"] if y == "objective" else [y]
        rows = results.columns(table, ["run_id", "iteration", *columns], **words)
        index = {name: i for i, name in enumerate(results.runs["run_id"].tolist())}
        ids = rows["run_id"].combine_chunks()
        known = np.array([index.get(name, -1) for name in ids.dictionary.to_pylist()], np.int64)
        run = known[ids.indices.to_numpy()] if len(rows) else known[:0]
        iteration = rows["iteration"].to_numpy()
        value = sum(rows[c].to_numpy().astype(np.float64, copy=False) for c in columns)
        order = np.argsort(run * (iteration.max(initial=0) + 1) + iteration, kind="stable")  # parts are in order
        order = order[run[order] >= 0]  # rows of runs that the config does not ask for
        return Measured._sorted(run[order], iteration[order], np.asarray(value)[order], len(index))

    @staticmethod
    def _sorted(run: Array, iteration: Array, value: Array, runs: int) -> Measured:
        return Measured(run, iteration, value, np.searchsorted(run, np.arange(runs + 1)))

    def kept(self, mask: Array) -> Measured:
        """Rows of a mask."""
        return self._sorted(self.run[mask], self.iteration[mask], self.value[mask], self.runs)

    @property
    def runs(self) -> int:
        """Number of runs, including those without a row."""
        return len(self.starts) - 1

    @property
    def lengths(self) -> Array:
        """Number of rows of each run."""
        return np.diff(self.starts)

    def reduced(self, ufunc: np.ufunc, values: Array) -> Array:
        """Reduce the rows of each run by `np.add`, `np.fmin` or another; NaN for a run without rows."""
        some = self.lengths > 0
        found = np.full(self.runs, np.nan)
        if some.any():
            found[some] = ufunc.reduceat(values, self.starts[:-1][some])
        return found

    def at(self, iterations: Array) -> Array:
        """Value of each run at an iteration of its own; NaN where it has none."""
        found = np.full(self.runs, np.nan)
        rows = self.iteration == iterations[self.run]
        found[self.run[rows]] = self.value[rows]
        return found

    def last(self, mask: Array) -> Array:
        """Iteration of each run's last row in a mask; -1 if there is none."""
        found = self.reduced(np.maximum, np.where(mask, self.iteration, -1))
        return np.where(np.isnan(found), -1, found)

    def first(self, mask: Array) -> Array:
        """Iteration of each run's first row in a mask; infinite if there is none."""
        found = self.reduced(np.minimum, np.where(mask, self.iteration, np.inf))
        return np.where(np.isnan(found), np.inf, found)

    def mean_of_last(self, k: int) -> Array:
        """Mean of the last k values of each run; NaN for a run with fewer."""
        late = self.kept(np.arange(len(self.run)) >= self.starts[1:][self.run] - k)
        return np.asarray(np.where(late.lengths == k, late.reduced(np.add, late.value) / k, np.nan))

    def area(self) -> Array:
        """Area under the curve of each run by trapezoids, divided by its length; of a single value the value."""
        of, within = self.run[:-1], self.run[1:] == self.run[:-1]
        width = np.where(within, np.diff(self.iteration), 0)
        with np.errstate(all="ignore"):
            parts = np.where(within, width * (self.value[1:] + self.value[:-1]) / 2, 0.0)
            area = np.bincount(of, parts, self.runs) / np.bincount(of, width, self.runs)
        area[self.lengths == 1] = self.value[self.starts[:-1][self.lengths == 1]]
        return area
