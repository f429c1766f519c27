"""Arms of a sweep with the values of some metrics, aligned by seed: the numbers of a leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dlsweep.analysis.frames import ENDED, crossing, replication
from dlsweep.analysis.metrics import fitting, metric_values
from dlsweep.analysis.ranking import Compared
from dlsweep.analysis.statistics import Replication
from dlsweep.errors import UsageError
from dlsweep.metrics import Metric
from dlsweep.storage.choosing import words_of
from dlsweep.storage.results import Results
from dlsweep.types import Array

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Board:
    """Rows of a sweep with some metrics. reference, where: partial arms, see `leaderboard`."""

    results: Results
    metrics: Sequence[Metric]
    reference: Mapping[str, Any]
    where: Mapping[str, Any]
    at: int | None = None

    @cached_property
    def values(self) -> list[DataFrame]:
        """Values of each metric, with the same rows. A `UsageError` names metrics whose rows differ."""
        spreads = {metric.factor for metric in self.metrics}
        if len(spreads) > 1:
            names = " and ".join(metric.name for metric in self.metrics)
            raise UsageError(f"{names} do not have the same arms; show a spread apart from other metrics")
        return [metric_values(self.results, metric, self.at) for metric in self.metrics]

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
        if not self.reference:
            return None
        arm, _, first = self.arms
        fitting = np.unique(arm[self.fitting(self.reference)])
        if len(fitting) > 1:
            rows = self.values[0].iloc[first[fitting]]
            apart = ", ".join(factor for factor in self.factors if rows[factor].nunique() > 1)
            words = words_of(self.reference)
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
        return metric.name if self.at is None else f"{metric.name.replace('final_', '', 1)} at {self.at}"

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
        shown = self.fitting(self.where)[self.arms[2]]
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
