"""Scores: one metric of whole runs, and what the seeds of an arm give together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from dlsweep.analysis.statistics import bounds_of, interval
from dlsweep.analysis.summary import counted, metric_columns
from dlsweep.errors import UsageError
from dlsweep.types import Split

if TYPE_CHECKING:
    from pandas import DataFrame

Moment = Literal["final", "best", "last"]


@dataclass(frozen=True)
class Metric:
    """A metric of the table `runs/`: a quantity (accuracy, loss) on a split at a moment."""

    moment: str
    split: str
    y: str

    @staticmethod
    def of(runs: DataFrame, y: str, split: Split | None, moment: Moment) -> Metric:
        """The metric on a split; on the one furthest from training if none is given.

        A `UsageError` says that there are no runs, or that the split was not evaluated.
        """
        if runs.empty:
            raise UsageError("there is nothing to show: no run is done yet")
        evaluated = [c.split("_")[1] for c in metric_columns(runs) if c.startswith(moment) and c.endswith(y)]
        if split is not None and split not in evaluated:
            raise UsageError(f"there is nothing to show: {split} was not evaluated; there is {', '.join(evaluated)}")
        return Metric(moment, split or evaluated[-1], y)

    @property
    def column(self) -> str:
        """Its column, such as `final_test_accuracy`."""
        return f"{self.moment}_{self.split}_{self.y}"

    @property
    def name(self) -> str:
        """Its name on an axis."""
        return self.column.replace("_", " ").replace("batch", "minibatch")


@dataclass(frozen=True)
class Scores:
    """A metric of the runs of one arm, as they count: a diverged run at chance accuracy, its loss as NaN.

    values, diverged, seeds: `(runs,)`. failed: the number of further runs, without a value. metric: its name.
    """

    values: np.ndarray
    diverged: np.ndarray
    seeds: np.ndarray
    failed: int
    metric: str

    @staticmethod
    def of(runs: DataFrame, metric: Metric) -> Scores:
        """The scores of some runs, all of one arm.

        >>> import pandas as pd
        >>> runs = pd.DataFrame({"status": ["done"] * 2, "seed": [0, 1], "final_test_loss": [0.5, 0.25]})
        >>> Scores.of(runs, Metric("final", "test", "loss")).mean
        0.375
        """
        status = runs["status"].to_numpy(dtype=str)
        kept = status != "failed"
        values = counted(runs, [metric.column])[kept, 0]
        diverged, seeds = status[kept] == "diverged", runs["seed"].to_numpy()[kept]
        return Scores(values, diverged, seeds, int((~kept).sum()), metric.column)

    @property
    def n(self) -> int:
        """The number of runs that count."""
        return len(self.values)

    @cached_property
    def mean(self) -> float:
        """Mean over the runs; NaN without any, or where one has no value."""
        return float(self.values.mean()) if self.n else float("nan")

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean."""
        low, high = interval(self.values, bounds=bounds_of(self.metric)) if self.n else (np.nan, np.nan)
        return float(low), float(high)

    def record(self) -> dict[str, float]:
        """The numbers of a row of `Chart.data`."""
        low, high = self.interval
        ended = {"n": self.n, "diverged": int(self.diverged.sum()), "failed": self.failed}
        return {self.metric: self.mean, "low": low, "high": high, **ended}


def chance(runs: DataFrame, metric: Metric) -> float:
    """Return the accuracy of guessing; NaN for another metric, or where it is unknown or differs between runs."""
    known = metric.y == "accuracy" and "classes" in runs and runs["classes"].nunique() == 1
    return 1 / float(runs["classes"].iloc[0]) if known else float("nan")
