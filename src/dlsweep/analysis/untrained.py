"""Arms of a sweep that have no run yet, as after an interruption: an average must not leave them out in silence."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from dlsweep.config.runs import Arm
from dlsweep.errors import DlsweepError
from dlsweep.storage.results import Results

if TYPE_CHECKING:
    from pandas import DataFrame

UNTRAINED = "untrained"  # the status of their rows


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
