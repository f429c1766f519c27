"""Arms of a sweep with the values of some metrics, aligned by seed: the numbers of a leaderboard."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from dlsweep.analysis.frames import ENDED, crossing, replication
from dlsweep.analysis.metrics import fitting, metric_of, metric_values
from dlsweep.analysis.statistics import INDEPENDENT, Replication, indistinguishable, pairing, row_intervals, row_means
from dlsweep.config.claims import ALPHA
from dlsweep.errors import UsageError
from dlsweep.metrics import Metric
from dlsweep.storage.choosing import words_of
from dlsweep.storage.results import Results
from dlsweep.types import Array, DataFrame


@dataclass(frozen=True)
class Compared:
    """Metric of some rows, and its differences to one of them, paired by seed.

    values: as they count, `(rows, seeds)`, NaN without a value; infinite for a loss of a run that diverged, and for a
    level that was never reached. shown: the rows that are compared with the best of them. given: the index of the row
    that others are compared with; None for the best one. replication: how the runs of a row depend on each other.
    """

    metric: Metric
    values: Array
    shown: Array
    given: int | None = None
    replication: Replication = INDEPENDENT

    @property
    def mean(self) -> Array:
        """Mean of each row; NaN if a value is infinite; but `iterations_to` over the runs that reach the level."""
        return row_means(self._reached(self.values))

    def _reached(self, values: Array) -> Array:
        """Return the values that a mean is over: of `iterations_to`, without runs that never reach the level."""
        return np.where(np.isinf(values), np.nan, values) if self.metric.kind == "iterations_to" else values

    @property
    def order(self) -> Array:
        """Shown rows, the best one first: few infinite values, then the mean; rows without values are last."""
        at = np.flatnonzero(self.shown)
        if self.metric.less_is_better is None:
            return at
        values = self.values[at]
        finite = row_means(np.where(np.isinf(values), np.nan, values))
        empty = np.isnan(values).all(axis=1)
        key = finite if self.metric.less_is_better else -finite
        return at[np.lexsort((np.nan_to_num(key, nan=np.inf), np.isinf(values).sum(axis=1), empty))]

    @property
    def best(self) -> int | None:
        """Index of the best row; None if no direction is the better one, or no row has a finite value."""
        if self.metric.less_is_better is None or not self.shown.any():
            return None
        first = int(self.order[0])
        return first if np.isfinite(self.values[first]).any() else None

    @property
    def reference(self) -> int | None:
        """Index of the row that others are compared with."""
        return self.best if self.given is None else self.given

    def columns(self) -> dict[str, Array]:
        """Return the columns of all rows, by the end of their names."""
        mean = self.mean
        low, high = self._intervals(self._reached(self.values), self.metric.bounds)
        columns = {"": mean, "_low": low, "_high": high}
        if self.metric.kind == "iterations_to":
            columns["_not_reached"] = np.isinf(self.values).sum(axis=1)
        columns |= self._differences()
        at = np.arange(len(mean))
        return columns | {"_reference": at == self.reference, "_best": at == self.best, "_marked": self.marked}

    @cached_property
    def marked(self) -> Array:
        """True for the best row and those that cannot be distinguished from it; rows without a mean have no mark.

        With crossed seeds, and of seconds, only the best row has one: values are not independent, as tests would need.
        """
        marked = np.zeros(len(self.values), bool)
        if self.best is None:
            return marked
        at = np.flatnonzero(self.shown)
        oriented = -self.values[at] if self.metric.less_is_better else self.values[at]
        best = int(np.searchsorted(at, self.best))
        marked[at] = indistinguishable(oriented, best, ALPHA, self.replication.overlap)
        alone: Array = np.arange(len(marked)) == self.best
        return marked & ~np.isnan(self.mean) if self.tested else alone

    @property
    def tested(self) -> bool:
        """True if rows can be tested against the best: their values are replicates."""
        return self.metric.repeated and not self.replication.crossed

    @property
    def contradictory(self) -> Array:
        """True for marked rows whose difference to the best has an interval without 0, and for others with 0 in it."""
        found = self._differences()
        low, high = found["_difference_low"], found["_difference_high"]
        excludes = (low > 0) | (high < 0)
        others = self.shown & ~np.isnan(low) & (np.arange(len(low)) != self.best) & (self.reference == self.best)
        return np.asarray(others & (self.marked == excludes))

    def _differences(self) -> dict[str, Array]:
        """Return the differences to the reference, their intervals and the effect of pairing."""
        empty = np.full(len(self.values), np.nan)
        if self.reference is None:
            return dict.fromkeys(("_difference", "_difference_low", "_difference_high", "_pairing"), empty) | {
                "_pairs": np.zeros(len(empty), int)
            }
        values = self._reached(self.values)
        own = values[self.reference]
        with np.errstate(invalid="ignore"):  # of two infinite values
            differences = values - own
        differences[np.isinf(values) | np.isinf(own)] = np.inf  # no mean, whatever the sign
        low, high = self._intervals(differences)
        others = np.arange(len(values)) != self.reference
        return {
            "_difference": row_means(differences),
            "_difference_low": low,
            "_difference_high": high,
            "_pairs": (~np.isnan(differences)).sum(axis=1),
            "_pairing": np.array([pairing(row, own) if other else np.nan for row, other in zip(values, others)]),
        }

    def _intervals(self, values: Array, bounds: tuple[float, float] = (-np.inf, np.inf)) -> tuple[Array, Array]:
        """Return the ends of the interval of each row; NaN if its values are no replicates."""
        if not self.metric.repeated:
            return np.full(len(values), np.nan), np.full(len(values), np.nan)
        return row_intervals(values, bounds=bounds, replication=self.replication)


@dataclass(frozen=True)
class Asked:
    """Options of `show`, as in `leaderboard`. sort_by: a column; top: the number of rows, None for all."""

    metrics: Sequence[str] = ()
    reference: Mapping[str, Any] = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)
    at: int | None = None
    rows: str = "arms"
    sort_by: str | None = None
    top: int | None = None

    def command(self, results: Results) -> str:
        """Return the command that shows all rows."""
        options = {"--reference": ",".join(_levels(self.reference)), "--sort-by": self.sort_by, "--at": self.at}
        options |= {"--rows": self.rows.replace("arms", "")}
        given = [(name, str(value)) for name, value in options.items() if value not in (None, "")]
        words = [*_levels(self.where), *chain(*(("-y", name) for name in self.metrics), *given)]
        return shlex.join(["dlsweep", "show", str(results.folder), *words])


def _levels(arm: Mapping[str, Any]) -> list[str]:
    """Return a partial arm as the command line has it."""
    return [f"{factor}={level}" for factor, own in arm.items() for level in (own if isinstance(own, list) else [own])]


@dataclass(frozen=True)
class Board:
    """Arms of a sweep with some metrics, as they are asked for."""

    results: Results
    asked: Asked

    @cached_property
    def metrics(self) -> Sequence[Metric]:
        """Metrics that are asked for; by default the one that arms are compared by."""
        return [metric_of(self.results, name) for name in self.asked.metrics] or [metric_of(self.results)]

    @cached_property
    def values(self) -> list[DataFrame]:
        """Values of each metric, with the same rows. A `UsageError` names metrics whose rows differ."""
        spreads = {metric.factor for metric in self.metrics}
        if len(spreads) > 1:
            names = " and ".join(metric.name for metric in self.metrics)
            raise UsageError(f"{names} do not have the same arms; show a spread apart from other metrics")
        return [metric_values(self.results, metric, self.asked.at) for metric in self.metrics]

    @cached_property
    def factors(self) -> list[str]:
        """Factors of the arms; a spread removes the one that it runs over."""
        return [factor for factor in self.results.record.tables.factors if factor in self.values[0]]

    def fitting(self, arm: Mapping[str, Any]) -> Array:
        """Return a mask of the rows of `values` that fit a partial arm."""
        return fitting(self.results, self.values[0], self.metrics[0], arm)

    @cached_property
    def arms(self) -> tuple[Array, Array, Array]:
        """Arm and the seed of each row of `values`, as indices; and the first row of each arm."""
        frame = self.values[0]
        arm, _ = frame["arm"].astype(str).factorize()
        seed = np.unique(frame["seed"], return_inverse=True)[1]
        return arm, seed, np.unique(arm, return_index=True)[1]

    @cached_property
    def given(self) -> int | None:
        """Index of the reference arm, if one is given. A `UsageError` says that several arms fit."""
        if not self.asked.reference:
            return None
        arm, _, first = self.arms
        fitting = np.unique(arm[self.fitting(self.asked.reference)])
        if len(fitting) > 1:
            rows = self.values[0].iloc[first[fitting]]
            apart = ", ".join(factor for factor in self.factors if rows[factor].nunique() > 1)
            words = words_of(self.asked.reference)
            raise UsageError(f"the reference must be one arm, and {len(fitting)} are {words}; add the level of {apart}")
        return int(fitting[0])

    @cached_property
    def names(self) -> list[str]:
        """Names of the arms."""
        return self.values[0]["arm"].iloc[self.arms[2]].astype(str).tolist()

    @property
    def sources(self) -> list[str]:
        """Columns of the seeds of each source, if seeds are crossed."""
        return [f"seed_{source}" for source in crossing(self.results.runs)]

    def label(self, metric: Metric) -> str:
        """Return the name of a metric for readers, with the iteration if one is given."""
        return metric.name if self.asked.at is None else f"{metric.name.replace('final_', '', 1)} at {self.asked.at}"

    @cached_property
    def replication(self) -> Replication:
        """Dependence of the runs of an arm on each other."""
        return replication(self.results.runs)

    @cached_property
    def matrices(self) -> list[Array]:
        """Values of each metric as they count, `(arms, seeds)`; some are infinite, see `Compared`."""
        arm, seed, first = self.arms
        found = []
        for metric, frame in zip(self.metrics, self.values):
            values = frame["value"].to_numpy(copy=True)
            worst = -np.inf if metric.less_is_better is False else np.inf
            values[(frame["reason"] == "diverged").to_numpy()] = worst
            matrix = np.full((len(first), seed.max(initial=-1) + 1), np.nan)
            matrix[arm, seed] = values
            found.append(matrix)
        return found

    @cached_property
    def compared(self) -> list[Compared]:
        """Arms of each metric."""
        shown = self.fitting(self.asked.where)[self.arms[2]]
        pairs = zip(self.metrics, self.matrices)
        return [Compared(metric, values, shown, self.given, self.replication) for metric, values in pairs]

    def counts(self, group: Array, groups: int = 0) -> dict[str, Array]:
        """Return for each group of runs how many count, how many ended in each other way, and their mean seconds."""
        frame = self.values[0]
        status = frame["status"].to_numpy(dtype=str)
        ended = {name: np.bincount(group, status == name, groups).astype(int) for name in ENDED}
        seconds = self.results.runs.set_index("run_id")["seconds"].reindex(frame["run_id"]).to_numpy(np.float64)
        runs = np.bincount(group, minlength=groups)
        with np.errstate(invalid="ignore"):  # of groups without runs
            return {"n": runs - ended["failed"], **ended, "seconds": np.bincount(group, seconds, groups) / runs}
