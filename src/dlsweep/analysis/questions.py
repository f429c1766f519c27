"""Questions: a claim as contrasts between sets of runs, each with a direction and a margin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from dlsweep.analysis import facets
from dlsweep.analysis.contrasts import Contrast, correctness_of
from dlsweep.analysis.metrics import metric_of, metric_values
from dlsweep.analysis.sides import Sides, align, fitting, refuse_crossed, sides_of
from dlsweep.analysis.untrained import untrained, with_untrained
from dlsweep.config.claims import Claim
from dlsweep.config.runs import Arm
from dlsweep.config.sides import NONE, partial_arms
from dlsweep.config.words import numeric_settings
from dlsweep.errors import UsageError
from dlsweep.metrics import SHARED, Metric
from dlsweep.storage.results import Results
from dlsweep.text import plural

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Question:
    """Claim with its contrasts: one, or one for each neighbouring pair of `order` and `monotone`.

    sign: 1 if the claim says that a contrast is above its margin, −1 if below. exact: True if all arms are
    deterministic, so that their only values are compared.
    """

    claim: Claim
    metric: Metric
    contrasts: tuple[Contrast, ...]
    sign: int
    exact: bool

    @property
    def sides(self) -> Sides:
        """Runs that the claim compares."""
        return self.contrasts[0].sides

    @property
    def margin(self) -> float:
        """Margin of a contrast that is multiplied by the sign."""
        level = self.claim.relation in ("above", "below")
        return self.sign * self.claim.margin if level else self.claim.margin

    @cached_property
    def infinite(self) -> int:
        """Number of runs with an infinite value."""
        return int(np.isinf(self.sides.rows["value"].to_numpy(dtype=np.float64)).sum())

    @property
    def obstacle(self) -> str:
        """Reason why the claim cannot be decided whatever its values are; "" if there is none."""
        if not self.metric.repeated:
            return SHARED
        lacking = dict(self.sides.reasons)
        if failed := lacking.pop("failed", 0):
            them = "it" if failed == 1 else "them"
            return f"{plural(failed, 'run')} failed; `dlsweep run --retry` trains {them} again"
        if self.sides.uneven:
            return f"{self.sides.untrained}, and not the same ones; `dlsweep run` trains them"
        if lacking:
            told = ", ".join(f"{reason}: {plural(count, 'run')}" for reason, count in lacking.items())
            return f"the {self.metric.words} of some runs is not defined ({told})"
        unreached = self.metric.kind == "iterations_to"
        relation = self.claim.relation
        if self.infinite and (relation in ("equals", "above", "below", "trend") or self.contrasts[0].overlap):
            cause = "never reached the level" if unreached else "diverged"
            return f"{plural(self.infinite, 'run')} {cause}, so the mean is not finite"
        if self.infinite and unreached and self.claim.margin:
            return f"{plural(self.infinite, 'run')} never reached the level, so a margin has no meaning"
        return ""


class Questions:
    """Questions of a sweep. The values of a metric are read once for all claims."""

    def __init__(self, results: Results):
        self.results = results
        self.factors = results.record.aligning
        self._values: Callable[[Metric, int | None], DataFrame] = cache(
            lambda metric, at: with_untrained(metric_values(results, metric, at), self.untrained)
        )

    @cached_property
    def untrained(self) -> list[Arm]:
        """Arms that have no run yet."""
        return untrained(self.results)

    def of(self, claim: Claim, first: int | None = None) -> Question:
        """Return the question of a claim; over the seeds below `first`, if it is given.

        A `UsageError` says which runs are lacking.
        """
        refuse_crossed(self.results)
        metric = metric_of(self.results, claim.metric or None)
        frame = self._values(metric, claim.at)
        frame = frame[fitting(frame, claim.where)]
        frame = frame if first is None else frame[frame["seed"] < first]
        along = claim.relation in ("trend", "monotone")
        sides = self._along(frame, claim.along) if along else sides_of(frame, partial_arms(claim), self.factors)
        correct = correctness_of(self.results, metric, claim.at)
        overlap = self.results.overlap
        contrasts = tuple(Contrast(sides, weights, correct, overlap) for weights in _weights(claim, len(sides.names)))
        exact = metric.y == "parameters" or self._deterministic(sides)
        return Question(claim, metric, contrasts, _sign(claim, metric), exact)

    def _along(self, frame: DataFrame, along: str) -> Sides:
        """Align the runs of each value of a numeric setting; `none` counts as 0."""
        import pandas as pd

        owner = along.partition(".")[0]
        if along not in frame and owner in frame and along in self.results.runs:
            of_level = self.results.runs.groupby(owner, observed=True)[along].first().to_dict()
            for arm in self.untrained:
                own = numeric_settings(arm.fields, arm.levels, self.results.record.tables.of_task)
                of_level.setdefault(arm.levels[owner], own.get(along))
            frame = frame.assign(**{along: frame[owner].astype(object).map(of_level).astype(float)})
        frame, _ = facets.along(frame, along)
        factors = [factor for factor in self.factors if factor in frame and factor != along]
        with_value = frame[frame[along].notna()]
        parts = [with_value]
        if owner in factors:
            related = [factor for factor in factors if factor == owner or factor.startswith(f"{owner}.")]
            without = frame[frame[along].isna() & (facets.labels(frame, owner) == NONE)]
            for _, levels in with_value[related].drop_duplicates().iterrows() if len(without) else ():
                parts.append(without.assign(**{along: 0.0, **levels}))
        rows = pd.concat(parts, ignore_index=True)
        values = np.unique(rows[along])
        if len(values) < 2:
            raise UsageError(f"{along} has fewer than two levels among the finished runs")
        return align(rows, [(rows[along] == v).to_numpy() for v in values], [f"{v:g}" for v in values], factors)

    def _deterministic(self, sides: Sides) -> bool:
        """Return True if no run of the sides depends on its seed."""
        task, runs = self.results.record.tables.of_task, self.results.runs
        if not task.chance or "run_id" not in sides.rows:
            return False
        name = f"model.{task.chance}"
        noise = runs.get(f"{name}.value", runs.get(name))
        used = runs["run_id"].isin(sides.rows["run_id"])
        return noise is None or not noise[used].fillna(0.0).any()


def _weights(claim: Claim, sides: int) -> Sequence[Sequence[float]]:
    """Return the weights of the sides in each contrast of a claim."""
    if claim.relation in ("above", "below"):
        return [(1.0,)]
    if claim.relation in ("beats", "equals"):
        return [(1.0, -1.0, -1.0, 1.0) if claim.more else (1.0, -1.0)]
    if claim.relation == "trend":  # least squares over the ranks
        ranks = np.arange(sides) - (sides - 1) / 2
        return [list(ranks / (ranks @ ranks))]
    ahead = 1.0 if claim.relation == "order" else -1.0
    return [[ahead * (side == pair) - ahead * (side == pair + 1) for side in range(sides)] for pair in range(sides - 1)]


def _sign(claim: Claim, metric: Metric) -> int:
    """Return 1 if a claim says that its contrasts are above their margin, −1 if below."""
    if claim.relation in ("trend", "monotone"):
        return 1 if claim.direction == "up" else -1
    if claim.relation in ("above", "below", "equals"):
        return -1 if claim.relation == "below" else 1
    less = claim.better == "less" if claim.better else metric.less_is_better
    if less is None:
        raise UsageError(f"it is not known whether more or less {metric.words} is better; give the claim `better:`")
    return -1 if less else 1
