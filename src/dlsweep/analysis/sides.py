"""Sides: sets of runs aligned by seed and by combination of the other factors, so that they can be compared.

The unit is the seed. A side is a set of arms that fit a partial arm, such as `{activation: relu}`. Sides are compared
over the seeds that all of their arms have, and over the combinations of the open factors that all sides have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import chain, compress
from math import prod
from operator import and_

import numpy as np

from dlsweep.analysis.facets import labels
from dlsweep.analysis.sign_flips import MOST_EXACT
from dlsweep.config.claims import PartialArm
from dlsweep.config.labels import arm_text
from dlsweep.config.rules import fits
from dlsweep.config.runs import Arm
from dlsweep.config.sides import ABSENT, Key, Rows, aligned, in_all, open_factors
from dlsweep.errors import DlsweepError, UsageError
from dlsweep.storage.results import Results
from dlsweep.text import plural
from dlsweep.types import Array, DataFrame

UNTRAINED = "untrained"  # the status of the rows of arms that have no run yet: an average must not leave them out
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


def untrained(results: Results) -> list[Arm]:
    """Return the arms of the config that have no run yet; none if the config cannot be read again.

    >>> import dlsweep
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 1}
    >>> untrained(dlsweep.run({**config, "grid": {"init": ["he", "xavier"]}}, executor="inline"))
    []
    """
    there = set(results.runs["arm"].unique().astype(str))
    if len(there) == prod(map(len, results.record.levels.values())):
        return []
    try:
        return [arm for arm in results.expanded.arms() if arm.name not in there]
    except DlsweepError:  # its data, or a function of another package, is not there
        return []


def with_untrained(frame: DataFrame, arms: Sequence[Arm]) -> DataFrame:
    """Return a frame of `metric_values` with a row for each arm that has no run, without a seed or a value.

    Of a spread, only for combinations that have no row at all; the other rows name the level that is lacking.
    """
    import pandas as pd

    factors = [factor for factor in (arms[0].levels if arms else ()) if factor in frame]
    there = set(zip(*(frame[factor].astype(str) for factor in factors)))
    lacking = dict.fromkeys(tuple(arm.levels[factor] for factor in factors) for arm in arms)
    rows = pd.DataFrame([own for own in lacking if own not in there], columns=factors)
    if rows.empty:
        return frame
    for factor in factors:
        rows[factor] = pd.Categorical(rows[factor], frame[factor].cat.categories)
    names = rows.astype(str).agg(", ".join, axis=1)
    rows = rows.assign(arm=names, seed=-1, status=UNTRAINED, value=float("nan"), reason=UNTRAINED)
    return pd.concat([frame.assign(arm=frame["arm"].astype(str)), rows], ignore_index=True)


@dataclass(frozen=True, eq=False)
class Member:
    """Arm of some results: its name, and the labels of its levels by factor."""

    name: str
    labels: Mapping[str, str]


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


def members(frame: DataFrame, factors: Iterable[str]) -> list[Member]:
    """Return the arms in a frame of `metric_values`, with their labels of the factors that it has."""
    there = [factor for factor in factors if factor in frame]
    rows = frame.drop_duplicates("arm")[["arm", *there]].astype(str)
    return [Member(name, dict(zip(there, words))) for name, *words in rows.itertuples(index=False, name=None)]


def align(frame: DataFrame, sides: Sequence[Rows[Member]], names: Sequence[str], factors: Sequence[str]) -> Sides:
    """Align the runs of each side over the seeds and the combinations of the factors that all sides have.

    frame: of `metric_values`, with the rows of untrained arms. A `UsageError` says that a side has no runs, or that the
    sides have no combination or no seed in common.
    """
    import pandas as pd

    trained = set(frame.loc[frame["status"] != UNTRAINED, "arm"].astype(str))
    for name, own in zip(names, sides):
        if trained.isdisjoint(arm.name for arms in own.values() for arm in arms):
            raise UsageError(f"no run of {name} is there")
    number = {key: i for i, key in enumerate(in_all(sides))}
    if not number:
        raise UsageError(f"{' and '.join(names)} have no combination of {', '.join(factors)} in common")
    places = [(side, i, arm.name) for side, own in enumerate(sides) for key, i in number.items() for arm in own[key]]
    rows = pd.DataFrame(places, columns=["side", "combination", "arm"]).merge(frame.astype({"arm": str}), on="arm")
    untrained, uneven, common = _untrained(rows, set(number.values()), len(sides))
    rows = rows[rows["combination"].isin(common)]
    seeds = _shared_seeds(rows)
    if not len(seeds):
        raise UsageError(f"{' and '.join(names)} have no seed in common")
    every_seed = rows["seed"].nunique()
    rows = rows[rows["seed"].isin(seeds)]
    combination = np.searchsorted(sorted(common), rows["combination"])
    rows = rows.assign(combination=combination, place=np.searchsorted(seeds, rows["seed"]))
    shape = (len(sides), len(common), len(seeds))
    where = np.ravel_multi_index(rows[["side", "combination", "place"]].to_numpy().T, shape)
    total = np.bincount(where, rows["value"].to_numpy(dtype=np.float64), minlength=np.prod(shape))
    values = (total / np.bincount(where, minlength=np.prod(shape))).reshape(shape)
    left_out = _left_out(sides, number, names)
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


def _shared_seeds(rows: DataFrame) -> Array:
    """Return the seeds that every arm of every side has, sorted."""
    arm = rows.groupby(["side", "combination", "arm"], sort=False, observed=True).ngroup()
    arms_of = arm.groupby(rows["seed"]).nunique()
    return np.array(arms_of.index[arms_of == arm.nunique()])


def _left_out(sides: Sequence[Rows[Member]], common: Collection[Key], names: Sequence[str]) -> str:
    """Return a sentence on the combinations of the open factors that only some sides have."""
    varying = [len(set(labels)) > 1 for labels in zip(*chain(*sides))]
    told = []
    for name, own in zip(names, sides):
        lacking = (", ".join(compress(key, varying)) for key in own if key not in common)
        found = list(dict.fromkeys(lacking))
        more = f" or {len(found) - _MOST_NAMED} others" if len(found) > _MOST_NAMED else ""
        told += [f"{name} with {' or '.join(found[:_MOST_NAMED])}{more}"] if found else []
    return f"left out, since not every side has it: {'; '.join(told)}" if told else ""


def sides_of(frame: DataFrame, partial: Sequence[PartialArm], factors: Sequence[str]) -> Sides:
    """Align the runs of some partial arms of a frame of `metric_values`. factors: of the sweep.

    A `UsageError` is as of `align`.
    """
    known = members(frame, dict.fromkeys(chain(factors, *partial)))
    names = [name_of(arm) for arm in partial]
    if len(set(names)) < len(names):
        names = [arm_text(arm) for arm in partial]
    sides = [[arm for arm in known if fits(arm.labels, one)] for one in partial]
    found = aligned(sides, open_factors(partial, [factor for factor in factors if factor in frame]))
    return align(frame, found.sides, names, found.factors)
