"""The leaderboard: the mean of a metric of each arm, and its difference to a reference arm, paired by seed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dlsweep.analysis.frames import ENDED, crossing, replication
from dlsweep.analysis.metrics import fitting, metric_of, metric_values, words_of
from dlsweep.analysis.new_images import with_new_images
from dlsweep.analysis.ranking import Compared
from dlsweep.analysis.statistics import Replication
from dlsweep.errors import UsageError
from dlsweep.metrics import Metric
from dlsweep.storage.results import Results
from dlsweep.text import nearest
from dlsweep.types import Array

if TYPE_CHECKING:
    from pandas import DataFrame

_HEAD = re.compile(r"(  \+ Exception Group )?Traceback.*:$")


def leaderboard(
    results: Results,
    metric: str | Sequence[str] | None = None,
    *,
    reference: Mapping[str, Any] | None = None,
    where: Mapping[str, Any] | None = None,
    at: int | None = None,
    rows: str = "arms",
) -> DataFrame:
    """Return a row for each arm, the best one first, with differences to a reference arm that are paired by seed.

    metric: a name such as `test_loss` or `auc_test_accuracy`, or several; by default the final accuracy on the split
    furthest from training. reference: levels that only one arm has; by default the best arm. where: levels of the arms
    that are compared. at: an iteration, by default the metric's own. rows: "arms"; "factors", with a row for each level
    of each factor, averaged seed by seed over the combinations of the other factors that all its levels have; or
    "runs".

    Columns of arms: `arm`, the factors, `n` (runs that count), `diverged`, `stopped`, `failed` and `seconds` of a run.
    For each metric, under its name, the mean; with `_low` and `_high` the ends of its 95 % interval; with
    `_difference`, `_difference_low` and `_difference_high` the difference to the reference and its 95 % interval;
    `_pairs`, the number of seeds that both have; `_pairing`, the variance of these differences over the one of unpaired
    ones; `_reference` and `_best`, True for these arms; `_marked`, True for an arm that cannot be distinguished from
    the best, by one-sided paired t tests at level 0.05 / (arms - 1). Of a best value `_iteration`, the median over the
    seeds, of `iterations_to` `_not_reached`, the number of runs, and of ensembles `_ensemble`, the value of the
    averaged predictions. Of the final test accuracy, where predictions are kept, of at most 50 arms,
    `_new_images_low`, `_difference_new_images_low` and their `_high`: intervals on new images like the test images.

    Diverged runs count at chance accuracy. A loss has no mean as soon as one run diverged. `iterations_to` is the mean
    over the runs that reach the level.

    >>> import dlsweep
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 20}}
    >>> grid = {"init": ["he", {"normal": {"std": 1e-9}}]}
    >>> results = dlsweep.run({**config, "seeds": 3, "grid": grid}, executor="inline")
    >>> board = leaderboard(results, "test_loss")
    >>> board[["init", "n", "final_test_loss_best"]].values.tolist()
    [['he', 3, True], ['normal', 3, False]]
    """
    names = [metric] if isinstance(metric, str) or metric is None else metric
    metrics = [metric_of(results, name) for name in names]
    board = Board(results, metrics, reference or {}, where or {}, at)
    frame = board.frame(rows)
    return with_new_images(board, frame) if rows == "arms" else frame


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
        """The values of each metric, with the same rows. A `UsageError` names metrics that have not the same rows."""
        spreads = {metric.factor for metric in self.metrics}
        if len(spreads) > 1:
            names = " and ".join(metric.name for metric in self.metrics)
            raise UsageError(f"{names} do not have the same arms; show a spread apart from other metrics")
        return [metric_values(self.results, metric, self.at) for metric in self.metrics]

    @cached_property
    def factors(self) -> list[str]:
        """The factors that arms have; a spread takes one of them away."""
        return [factor for factor in self.results.record.tables.factors if factor in self.values[0]]

    def fitting(self, arm: Mapping[str, Any]) -> Array:
        """Return a mask of the rows of `values` that fit a partial arm."""
        return fitting(self.results, self.values[0], self.metrics[0], arm)

    @cached_property
    def arms(self) -> tuple[Array, Array, Array]:
        """The arm and the seed of each row of `values`, as indices; and the first row of each arm."""
        frame = self.values[0]
        arm, _ = frame["arm"].astype(str).factorize()
        seed = np.unique(frame["seed"], return_inverse=True)[1]
        return arm, seed, np.unique(arm, return_index=True)[1]

    @cached_property
    def given(self) -> int | None:
        """The index of the reference arm, if one is given. A `UsageError` says that it is not one arm."""
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
        """The names of the arms."""
        return self.values[0]["arm"].iloc[self.arms[2]].astype(str).tolist()

    @property
    def sources(self) -> list[str]:
        """The columns of the seeds of each source, if seeds are crossed."""
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
        """The values of each metric as they count, `(arms, seeds)`; infinite where `Compared` has it."""
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
        """The arms of each metric."""
        shown = self.fitting(self.where)[self.arms[2]]
        return [
            Compared(metric, values, shown, self.given, self.replication)
            for metric, values in zip(self.metrics, self.matrices)
        ]

    def frame(self, rows: str = "arms") -> DataFrame:
        """Return the frame of `leaderboard`."""
        by = {"arms": self._arms, "factors": self._factors, "runs": self._runs}
        if rows not in by:
            raise UsageError(f"there are no rows {rows!r}{nearest(rows, by)}")
        return by[rows]()

    def _arms(self) -> DataFrame:
        first = self.arms[2]
        table = self.values[0].iloc[first][["arm", *self.factors]].reset_index(drop=True)
        table = table.assign(**self._counts(self.arms[0]))
        for one, frame in zip(self.compared, self.values):
            name = one.metric.name
            table = table.assign(**{f"{name}{end}": column for end, column in one.columns().items()})
            if "iteration" in frame:
                table[f"{name}_iteration"] = frame["iteration"].groupby(self.arms[0]).median().to_numpy()
            if together := ensembles(self.results, one.metric):
                table[f"{name}_ensemble"] = table["arm"].astype(str).map(together)
        return table.iloc[self.compared[0].order].reset_index(drop=True)

    def _counts(self, group: Array, groups: int = 0) -> dict[str, Array]:
        """Return the number of runs of each group that count and that ended in another way, and the mean seconds."""
        frame = self.values[0]
        status = frame["status"].to_numpy(dtype=str)
        ended = {name: np.bincount(group, status == name, groups).astype(int) for name in ENDED}
        seconds = self.results.runs.set_index("run_id")["seconds"].reindex(frame["run_id"]).to_numpy(np.float64)
        runs = np.bincount(group, minlength=groups)
        with np.errstate(invalid="ignore"):  # of groups without runs
            return {"n": runs - ended["failed"], **ended, "seconds": np.bincount(group, seconds, groups) / runs}

    def _runs(self) -> DataFrame:
        arm, seed, _ = self.arms
        runs = self.values[0][["run_id", "arm", *self.factors, "seed", "status"]]
        own = self.results.runs.set_index("run_id").reindex(runs["run_id"])
        table = runs.assign(**{name: own[name].to_numpy() for name in (*self.sources, "seconds")})
        for one, frame in zip(self.compared, self.values):
            values = one.values[arm, seed]
            table[one.metric.name] = np.where(np.isinf(values), np.nan, values)
            if one.reference is not None:
                with np.errstate(invalid="ignore"):
                    differences = values - one.values[one.reference, seed]
                table[f"{one.metric.name}_difference"] = np.where(np.isfinite(differences), differences, np.nan)
            if "iteration" in frame:
                table[f"{one.metric.name}_iteration"] = frame["iteration"]
        table["error"] = own["error"].map(error_line, na_action="ignore").to_numpy()
        rank = np.empty(len(self.arms[2]), int)
        rank[self.compared[0].order] = np.arange(len(self.compared[0].order))
        kept = np.flatnonzero(self.fitting(self.where))
        return table.iloc[kept[np.lexsort((seed[kept], rank[arm[kept]]))]].reset_index(drop=True)

    def _factors(self) -> DataFrame:
        """A row for each level of each factor that varies, in the order of the config."""
        import pandas as pd

        frame = self.values[0]
        shown = self.fitting(self.where)
        aligning = [factor for factor in self.results.record.aligning if factor in self.factors]
        varying = [factor for factor in aligning if frame.loc[shown, factor].nunique() > 1]
        tables = [self._levels(factor, [one for one in varying if one != factor], shown) for factor in varying]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["factor", "level", "n"])

    def _levels(self, factor: str, others: Sequence[str], shown: Array) -> DataFrame:
        """A row for each level of a factor: means, seed by seed, over the combinations of the others that all have."""
        import pandas as pd

        frame = self.values[0]
        level = frame[factor].cat.codes.to_numpy()
        used = np.unique(level[shown])
        names = frame[factor].cat.categories[used].astype(str).tolist()
        combination = np.zeros(len(frame), int)
        if others:
            combination = frame.groupby([*others], sort=False, observed=True).ngroup().to_numpy()
        at = np.searchsorted(used, np.where(shown, level, used[0]))[shown], combination[shown], self.arms[1][shown]
        shape = len(used), combination.max() + 1, self.arms[1].max() + 1
        there = np.zeros(shape, bool)
        there[at] = True
        common = there.any(axis=2).all(axis=0)
        table = pd.DataFrame({"factor": factor, "level": names})
        given = [i for i, name in enumerate(names) if name in self.results.partial_arm(self.reference).get(factor, ())]
        counts = self._counts(np.where(shown, np.searchsorted(used, level), len(used)), len(used) + 1)
        table = table.assign(**{name: column[: len(used)] for name, column in counts.items()})
        for metric, matrix in zip(self.metrics, self.matrices):
            values = np.full(shape, np.nan)
            values[at] = matrix[self.arms[0], self.arms[1]][shown]
            with np.errstate(invalid="ignore"):
                means = values[:, common].mean(axis=1) if common.any() else np.full((len(used), shape[2]), np.nan)
            every, reference = np.ones(len(used), bool), given[0] if given else None
            columns = Compared(metric, means, every, reference, self.replication).columns()
            table = table.assign(**{f"{metric.name}{end}": column for end, column in columns.items()})
            table["n"] = (~np.isnan(means)).sum(axis=1)
        return table


def error_line(error: str) -> str:
    r"""Return the type of an error and the first line of its message, from its last traceback.

    >>> error_line("Traceback:\n  …\nValueError: too small\n")
    'ValueError: too small'
    """
    lines = error.splitlines()
    start = max((row for row, line in enumerate(lines) if _HEAD.match(line)), default=-1)
    margin = "  | " if lines[start].startswith(" ") else ""  # of an exception group
    texts = (line.removeprefix(margin) for line in lines[start + 1 :])
    return next((text for text in texts if text and not text.startswith(" ")), error.strip())


def ensembles(results: Results, metric: Metric) -> dict[str, float]:
    """Return a final or best metric of the averaged predictions of each arm's runs.

    An arm without an ensemble at the end, because all its runs diverged or failed, is left out.
    """
    if "ensembles" not in results.record.tables.optional or metric.kind not in ("final", "best", "last"):
        return {}
    rows = results.ensembles[results.ensembles["split"] == metric.split]
    if rows.empty or metric.y not in rows:
        return {}
    if metric.kind == "final":
        done = results.runs.loc[results.runs["status"] == "done", "arm"]
        rows = rows[rows["arm"].isin(done)]
    found = rows.groupby("arm", observed=True)[metric.y]
    values = found.last() if metric.kind != "best" else found.max() if metric.y == "accuracy" else found.min()
    return {str(arm): float(value) for arm, value in values.items()}
