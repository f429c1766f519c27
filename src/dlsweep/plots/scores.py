"""The numbers that stand for whole runs: one metric when they had been trained, and what the seeds of an arm say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from dlsweep.analysis.statistics import interval
from dlsweep.analysis.summary import counted, metric_columns
from dlsweep.config.runs import Split
from dlsweep.errors import UsageError
from dlsweep.plots.base import DataFrame
from dlsweep.plots.wording import ended

Moment = Literal["final", "best", "last"]


@dataclass(frozen=True)
class Metric:
    """A metric of the table `runs/`: a quantity (accuracy, loss) on a split at a moment."""

    moment: str
    split: str
    y: str

    @staticmethod
    def of(runs: DataFrame, y: str, split: Split | None, moment: Moment) -> Metric:
        """The metric, on the split furthest from training if none is given. A `UsageError` says what is not there."""
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
    """A metric of the runs of one arm, as they count: a diverged run at chance accuracy, as a loss not at all (NaN).

    values: `(runs,)`; diverged: `(runs,)`, whether each run did; seeds: `(runs,)`. failed: how many others have none.
    share: whether they lie within 0 and 1.
    """

    values: np.ndarray
    diverged: np.ndarray
    seeds: np.ndarray
    failed: int
    share: bool

    @staticmethod
    def of(runs: DataFrame, metric: Metric) -> Scores:
        """The scores of some runs, all of one arm."""
        status = runs["status"].to_numpy(dtype=str)
        kept = status != "failed"
        values = counted(runs, [metric.column])[kept, 0]
        diverged, seeds = status[kept] == "diverged", runs["seed"].to_numpy()[kept]
        return Scores(values, diverged, seeds, int((~kept).sum()), metric.y == "accuracy")

    @property
    def n(self) -> int:
        """How many runs count."""
        return len(self.values)

    @cached_property
    def mean(self) -> float:
        """Mean over the runs; NaN without any, or where one has no value."""
        return float(self.values.mean()) if self.n else float("nan")

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean."""
        ends = np.array(interval(self.values) if self.n else (np.nan, np.nan))
        low, high = ends.clip(0, 1) if self.share else ends
        return float(low), float(high)

    @property
    def note(self) -> str:
        """How many of the runs diverged, how many failed; "" if none."""
        return ended(self.n + self.failed, int(self.diverged.sum()), self.failed)


def chance(runs: DataFrame, metric: Metric) -> float:
    """The accuracy of guessing; NaN if unknown, not the same for all, or if this is no accuracy."""
    known = metric.y == "accuracy" and "classes" in runs and runs["classes"].nunique() == 1
    return 1 / float(runs["classes"].iloc[0]) if known else float("nan")
