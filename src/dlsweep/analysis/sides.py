"""Sides: sets of runs aligned by seed and by combination of the other factors, so that they can be compared.

The unit is the seed. A side is a set of arms that fit a partial arm, such as `{activation: relu}`. Sides are compared
over the seeds that all of their arms have, and over the combinations of the open factors that all sides have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import and_
from typing import TYPE_CHECKING

import numpy as np

from dlsweep.analysis.facets import labels
from dlsweep.analysis.sign_flips import MOST_EXACT
from dlsweep.analysis.untrained import UNTRAINED
from dlsweep.config.claims import PartialArm
from dlsweep.config.labels import arm_text
from dlsweep.config.sides import ABSENT, open_factors
from dlsweep.errors import UsageError
from dlsweep.storage.results import Results
from dlsweep.text import plural
from dlsweep.types import Array

if TYPE_CHECKING:
    from pandas import DataFrame

_MOST_NAMED = 3  # combinations that a sentence names


def name_of(arm: PartialArm) -> str:
    """Return the words for a partial arm.

    >>> name_of({"activation": ["relu"], "optimizer": ["adam lr=0.1", "adam lr=0.01"], "optimizer.lr": ["0.1"]})
    'relu, adam, optimizer.lr 0.1'
    """
    words = []
    for factor, fitting in arm.items():
        first = {label.partition(" ")[0] for label in fitting}
        said = first.pop() if len(first) == 1 < len(fitting) else " or ".join(fitting)
        words.append(f"{factor} {said}" if "." in factor or said in (ABSENT, "none") else said)
    return ", ".join(words)


def refuse_crossed(results: Results) -> None:
    """Raise a `UsageError` if the seeds of a sweep are crossed: its runs share draws, so they are no replicates."""
    if crossed := results.record.tables.sources:
        raise UsageError(
            f"the seeds of {results.folder} are crossed ({', '.join(crossed)}), so its runs are not independent; "
            "arms are compared over plain seeds, such as seeds: 10"
        )


def fitting(frame: DataFrame, arm: PartialArm) -> Array:
    """Return a mask of the rows that fit a partial arm."""
    masks = (labels(frame, factor).isin(list(levels)).to_numpy() for factor, levels in arm.items())
    return reduce(and_, masks, np.ones(len(frame), bool))


@dataclass(frozen=True)
class Sides:
    """Runs of some sides, aligned.

    values: mean over the arms of a side with the same combination of the open factors, `(sides, combinations, seeds)`;
    an infinite value is one of a diverged run, or of a level that was never reached. rows: the runs that count, with
    the columns `side`, `combination` and `place`, the index of the seed. trained: the number of seeds that some arm
    has. left_out: a sentence on the combinations that not all sides have; "" without any. untrained: a sentence on
    combinations that all sides will have, and some have no runs of yet; uneven: True if these differ between the sides.
    """

    names: tuple[str, ...]
    values: Array
    seeds: Array
    rows: DataFrame
    trained: int
    left_out: str = ""
    untrained: str = ""
    uneven: bool = False

    @property
    def n(self) -> int:
        """Number of seeds."""
        return len(self.seeds)

    def count(self, status: str) -> tuple[int, ...]:
        """Return the number of runs of each side that ended with a status."""
        there = self.rows.loc[self.rows["status"] == status, "side"]
        return tuple(int((there == side).sum()) for side in range(len(self.names)))

    @cached_property
    def reasons(self) -> dict[str, int]:
        """Number of runs without a value, by reason."""
        return dict(Counter(map(str, self.rows.loc[self.rows["value"].isna(), "reason"])))

    @cached_property
    def key(self) -> str:
        """Name of the random sign patterns: the runs that are compared; "" where all patterns are compared."""
        if self.n <= MOST_EXACT:
            return ""
        name = "run_id" if "run_id" in self.rows else "seed"
        return " ".join(map(str, self.rows.sort_values(["side", "combination", "place"])[name]))

    @cached_property
    def weights(self) -> Array:
        """Weight of each row in the mean of its side and seed."""
        members = self.rows.groupby(["side", "combination", "place"], observed=True)["place"].transform("size")
        return np.asarray(1.0 / (self.values.shape[1] * members.to_numpy(dtype=np.float64)))


def align(frame: DataFrame, masks: Sequence[Array], names: Sequence[str], factors: Sequence[str]) -> Sides:
    """Align the rows of each side, given by a mask, over the seeds and the combinations that all sides have.

    frame: of `metric_values`, with the rows of untrained arms; factors: the open ones. A factor that no arm of a side
    has is not open. A `UsageError` says that a side has no runs, or that the sides have no combination or no seed in
    common.
    """
    trained = (frame["status"] != UNTRAINED).to_numpy()
    for name, mask in zip(names, masks):
        if not (mask & trained).any():
            raise UsageError(f"no run of {name} is there")
    factors = [factor for factor in factors if not _absent((labels(frame, factor) == ABSENT).to_numpy(), masks)]
    combination, where = _number(frame, factors), [np.flatnonzero(mask) for mask in masks]
    common = reduce(and_, (set(np.unique(combination[own]).tolist()) for own in where))
    if not common:
        raise UsageError(f"{' and '.join(names)} have no combination of {', '.join(factors)} in common")
    every = np.concatenate(where)
    side = np.repeat(np.arange(len(masks)), [len(own) for own in where])
    rows = frame.iloc[every].assign(side=side, combination=combination[every]).reset_index(drop=True)
    left_out = _left_out(rows, common, names, factors)
    untrained, uneven, common = _untrained(rows, common, len(masks))
    rows = rows[rows["combination"].isin(common)]
    seeds = _shared_seeds(rows)
    if not len(seeds):
        raise UsageError(f"{' and '.join(names)} have no seed in common")
    every_seed = rows["seed"].nunique()
    rows = rows[rows["seed"].isin(seeds)]
    combination = np.searchsorted(sorted(common), rows["combination"])
    rows = rows.assign(combination=combination, place=np.searchsorted(seeds, rows["seed"]))
    shape = (len(masks), len(common), len(seeds))
    where = np.ravel_multi_index(rows[["side", "combination", "place"]].to_numpy().T, shape)
    total = np.bincount(where, rows["value"].to_numpy(dtype=np.float64), minlength=np.prod(shape))
    values = (total / np.bincount(where, minlength=np.prod(shape))).reshape(shape)
    return Sides(tuple(names), values, seeds, rows, every_seed, left_out, untrained, uneven)


def _untrained(rows: DataFrame, common: set[int], sides: int) -> tuple[str, bool, set[int]]:
    """Return a sentence on the combinations that some arm has no run of, if the sides differ in them, and the others.

    A `UsageError` says that there are no others.
    """
    lacking = rows[(rows["status"] == UNTRAINED) & rows["combination"].isin(common)]
    by_side = [set(lacking.loc[lacking["side"] == side, "combination"]) for side in range(sides)]
    lost = set().union(*by_side)
    if not lost:
        return "", False, common
    be = "is" if len(lost) == 1 else "are"
    every = plural(len(common), "combination")
    told = f"{len(lost)} of {every} of the other factors {be} not trained yet on every side"
    if lost >= common:
        raise UsageError(f"{told}; `dlsweep run` trains them")
    uneven = any(own != lost for own in by_side)
    return told if uneven else f"left out, since {told}", uneven, common - lost


def _absent(absent: Array, masks: Sequence[Array]) -> bool:
    """Return True if some sides, but not all, are without a factor. absent: the rows without it."""
    return 0 < sum(bool(absent[mask].all()) for mask in masks) < len(masks)


def _number(frame: DataFrame, factors: Sequence[str]) -> Array:
    """Return the number of each row's combination of levels."""
    if not factors:
        return np.zeros(len(frame), np.int64)
    groups = frame.groupby([*factors], sort=False, observed=True, dropna=False)
    return groups.ngroup().to_numpy()


def _shared_seeds(rows: DataFrame) -> Array:
    """Return the seeds that every arm of every side has, sorted."""
    arm = rows.groupby(["side", "combination", "arm"], sort=False, observed=True).ngroup()
    arms_of = arm.groupby(rows["seed"]).nunique()
    return np.array(arms_of.index[arms_of == arm.nunique()])


def _left_out(rows: DataFrame, common: Collection[int], names: Sequence[str], factors: Sequence[str]) -> str:
    """Return a sentence on the combinations of the open factors that only some sides have."""
    varying = [factor for factor in factors if rows[factor].nunique() > 1]
    told = []
    for side, part in rows[~rows["combination"].isin(common)].groupby("side"):
        found = list(dict.fromkeys(", ".join(words) for words in zip(*(labels(part, f) for f in varying))))
        more = f" or {len(found) - _MOST_NAMED} others" if len(found) > _MOST_NAMED else ""
        told.append(f"{names[int(str(side))]} with {' or '.join(found[:_MOST_NAMED])}{more}")
    return f"left out, since not every side has it: {'; '.join(told)}" if told else ""


def sides_of(frame: DataFrame, arms: Sequence[PartialArm], factors: Sequence[str]) -> Sides:
    """Align the runs of some partial arms of a frame of `metric_values`. factors: of the sweep.

    A `UsageError` is as of `align`.
    """
    there = open_factors(arms, [factor for factor in factors if factor in frame])
    names = [name_of(arm) for arm in arms]
    if len(set(names)) < len(names):
        names = [arm_text(arm) for arm in arms]
    return align(frame, [fitting(frame, arm) for arm in arms], names, there)
