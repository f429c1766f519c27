"""From runs to arms: what the seeds of an arm say together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlsweep.analysis.statistics import interval
from dlsweep.running.tables import MOMENTS

if TYPE_CHECKING:
    from pandas import DataFrame


def metric_columns(runs: DataFrame) -> list[str]:
    """The columns of the table `runs/` that are metrics, such as `final_test_accuracy`."""
    begin = tuple(f"{moment}_" for moment in MOMENTS)
    return [str(column) for column in runs.columns if str(column).startswith(begin)]


def summary(runs: DataFrame, metrics: Sequence[str] | None = None) -> DataFrame:
    """One row per arm, in the order of the runs: how its runs ended, and the mean of each metric with its interval.

    runs: the table `runs/`. Columns of the result: `arm`, the factors, `n` (runs that count), how many of those
    `diverged` or `stopped` early, `failed` (which do not count), and per metric its mean under its own name, `…_low`
    and `…_high` (95 %; of an accuracy within 0 and 1).

    A diverged run is never dropped: it counts at chance accuracy, 1 / `classes`. For a loss there is no such value, and
    its mean is NaN as soon as one run diverged.
    """
    import pandas as pd

    names = metric_columns(runs) if metrics is None else list(metrics)
    arms = runs.groupby("arm", sort=False, observed=True)
    factors = [c for c in runs.columns if isinstance(runs[c].dtype, pd.CategoricalDtype) and c not in ("arm", "status")]
    table = arms[factors].first()
    for status in ("diverged", "stopped", "failed"):
        table[status] = (runs["status"] == status).groupby(runs["arm"], sort=False, observed=True).sum()
    table.insert(len(factors), "n", arms.size() - table["failed"])

    values = counted(runs, names)
    kept = (runs["status"] != "failed").to_numpy()
    arm = arms.ngroup().to_numpy()
    results = np.full((len(table), len(names), 3), np.nan)
    for n in set(table["n"]) - {0}:
        members = np.flatnonzero(table["n"] == n)
        rows = np.flatnonzero(kept & np.isin(arm, members))
        by_arm = rows[np.argsort(arm[rows], kind="stable")].reshape(len(members), n)
        seeds = values[by_arm].swapaxes(1, 2)  # (arms, metrics, n)
        results[members] = np.stack([seeds.mean(axis=-1), *interval(seeds)], axis=-1)
    for i, name in enumerate(names):
        if name.endswith("accuracy"):  # a t interval does not know that an accuracy ends at 0 and 1
            results[:, i] = results[:, i].clip(0, 1)
        for j, column in enumerate((name, f"{name}_low", f"{name}_high")):
            table[column] = results[:, i, j]
    return table.reset_index()


def counted(runs: DataFrame, metrics: Sequence[str]) -> np.ndarray:
    """The metrics as they count, `(runs, metrics)`: a diverged run at chance accuracy, its losses not at all (NaN)."""
    values = runs[list(metrics)].to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    diverged = (runs["status"] == "diverged").to_numpy()
    chance = 1 / runs["classes"].to_numpy(dtype=np.float64) if "classes" in runs else np.full(len(runs), np.nan)
    for i, name in enumerate(metrics):
        values[diverged, i] = chance[diverged] if name.endswith("accuracy") else np.nan
    return values
