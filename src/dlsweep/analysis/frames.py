"""Tidy frames of a sweep: measurements joined with the settings and the end of each run, and means by arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlsweep.analysis.statistics import Replication, bounds_of, row_intervals, row_means
from dlsweep.errors import UsageError
from dlsweep.storage.results import Results, overlap_of
from dlsweep.storage.tables import MOMENTS, STATUSES
from dlsweep.text import listed, nearest, similar
from dlsweep.types import DataFrame, Series

ENDED = STATUSES[1:]  # otherwise than planned


def frame_of(results: Results, table: str, where: Mapping[str, Any] | None = None) -> DataFrame:
    """Return a table of a sweep with the settings and the end of each run; where: of the arms with some levels.

    `runs` is the unchanged table. `curves` has a row per run, iteration and split; `layers` a row per run,
    iteration and layer. `claims` has a row per claim and contrast, see `dlsweep.analysis.checked.contrasts`.
    """
    if table in ("claims", "ranks"):
        if where:
            raise UsageError(f"{table} are of all arms; leave out the levels of {listed([*where])}")
        return frame_across([results], table)
    if where:
        frame = frame_of(results, table)
        return frame[frame["run_id"].astype(str).isin(results.fitting(where)["run_id"])]
    if table == "runs":
        return results.runs
    if table == "curves":
        return curves_of(results)
    known = _known(results)
    others = [column for column in results.layers if column == "run_id" or column not in known]
    return known.merge(results.layers[others].astype({"run_id": str}), on="run_id", how="left")


def frame_across(sweeps: Sequence[Results], table: str) -> DataFrame:
    """Return a table of several sweeps: the claims of those that make some, or the `ranks` of the arms of all."""
    import pandas as pd

    if table == "ranks":
        from dlsweep.analysis.joint import Ranking

        return Ranking.of(sweeps).pairs
    from dlsweep.analysis.checked import contrasts

    return pd.concat([contrasts(one) for one in sweeps if one.record.claims] or [contrasts(sweeps[0])])


def curves_of(results: Results) -> DataFrame:
    """Return the curves, a row per run, iteration and split.

    A failed run without a curve has one row without an iteration. A run that diverged before its first point has a row
    for each split, at iteration 0 and without a value. If runs stopped early, `restored` is True at the evaluations
    that give their final metrics. With ensembles, `ensemble_loss` and `ensemble_accuracy` are the metrics of the
    averaged predictions of the run's arm.
    """
    import pandas as pd

    runs = _known(results)
    measured = ["run_id", "iteration", "epoch", "split", "loss", "penalty", "accuracy"]
    measured += results.record.tables.of_task.columns
    curves = results.curves[measured].astype({"run_id": str})
    lost = runs.loc[(runs["status"] == "diverged") & ~runs["run_id"].isin(curves["run_id"]), "run_id"]
    if len(lost):
        starts = pd.MultiIndex.from_product([lost, results.record.tables.splits], names=["run_id", "split"])
        curves = pd.concat([curves, starts.to_frame(index=False).assign(iteration=0, epoch=0.0)])
    frame = runs.merge(curves, on="run_id", how="left")
    if (frame["status"] == "stopped").any():
        frame["restored"] = _restored(frame, results)
    if "ensembles" not in results.record.tables.schemas:
        return frame
    at = ["arm", "iteration", "split"]
    together = results.ensembles[[*at, "loss", "accuracy"]].astype({"arm": str, "split": str})
    together = together.rename(columns={"loss": "ensemble_loss", "accuracy": "ensemble_accuracy"})
    frame = frame.assign(arm=frame["arm"].astype(str), split=frame["split"].astype(object))
    return frame.merge(together, on=at, how="left")


def _restored(frame: DataFrame, results: Results) -> Series[bool]:
    """Return True at the last evaluation of each stopped run and split whose loss is the run's final one."""
    import pandas as pd

    of_run = results.runs.set_index("run_id")
    final = pd.concat({split: of_run[f"final_{split}_loss"] for split in results.record.tables.splits})
    where = pd.MultiIndex.from_frame(frame[["split", "run_id"]].astype(str))
    same = (frame["status"] == "stopped") & (frame["loss"] == final.reindex(where).to_numpy())
    later = frame[same].groupby(["run_id", "split"], observed=True)["iteration"].transform("max")
    restored: Series[bool] = same & (frame["iteration"] == later.reindex(frame.index))
    return restored


def _known(results: Results) -> DataFrame:
    """Table of runs without its metrics."""
    others = ("iterations", "parameters", "seconds", "error", *results.record.tables.kept)
    return results.runs.drop(columns=[*metric_columns(results.runs), *others])


def csv_of(frames: Sequence[tuple[str, DataFrame]]) -> str:
    """Return frames of sweeps, by name, as CSV with all digits; of several, the first column names the sweep."""
    import pandas as pd

    named = [frame if len(frames) == 1 else frame.assign(sweep=name)[["sweep", *frame]] for name, frame in frames]
    content: str = pd.concat(named).to_csv(index=False, lineterminator="\n")
    return content.removesuffix("\n")


def metric_columns(runs: DataFrame) -> list[str]:
    """Return the columns of the table `runs/` that are metrics, such as `final_test_accuracy`."""
    begin = tuple(f"{moment}_" for moment in MOMENTS)
    return [str(column) for column in runs.columns if str(column).startswith(begin)]


def nearest_metric(word: str, known: Sequence[str]) -> str:
    """Return the end of a message about an unknown metric: the nearest one, if there is one, and all.

    The word may lack the moment or the split. Of several metrics that are equally near, it is a final one.

    >>> nearest_metric("acuracy", ["best_test_accuracy", "final_test_accuracy"])
    "; did you mean 'final_test_accuracy'? (choices: best_test_accuracy, final_test_accuracy)"
    """
    spelled: dict[str, str] = {}
    for name in sorted(known, key=lambda name: name.startswith("final_")):
        spelled |= {"_".join(name.split("_")[i:]): name for i in range(3)}
    near = similar(word, spelled)
    return nearest(spelled[near] if near else "", known)


def summary(results: Results | DataFrame, metrics: Sequence[str] | None = None) -> DataFrame:
    """Return one row per arm, in the order of the runs: how its runs ended, and each metric's mean with its interval.

    results: a sweep, or some rows of its table `runs`; metrics: columns such as `final_test_loss`, by default all.

    Columns of the result: `arm`; the factors; `n`, the number of runs that count; how many of those `diverged` or
    `stopped` early; `failed`, the number of runs that do not count. For each metric it has the mean, under the metric's
    name, and the ends `…_low` and `…_high` of its 95 % interval.

    A diverged run is never dropped: it counts at chance accuracy, 1 / `classes`. A loss has no such value: its mean is
    NaN as soon as one run diverged.

    >>> import pandas as pd
    >>> runs = pd.DataFrame({"arm": ["he", "he"], "status": ["done", "done"], "final_test_accuracy": [0.5, 1.0]})
    >>> summary(runs)[["arm", "n", "final_test_accuracy"]].to_dict("records")
    [{'arm': 'he', 'n': 2, 'final_test_accuracy': 0.75}]
    """
    import pandas as pd

    runs = results.runs if isinstance(results, Results) else results
    names = metric_columns(runs) if metrics is None else list(metrics)
    for unknown in (name for name in names if name not in runs):
        raise UsageError(f"there is no metric {unknown!r}{nearest_metric(unknown, metric_columns(runs))}")
    arms = runs.groupby("arm", sort=False, observed=True)
    factors = [c for c in runs.columns if isinstance(runs[c].dtype, pd.CategoricalDtype) and c not in ("arm", "status")]
    table = arms[factors].first()
    for status in ENDED:
        table[status] = (runs["status"] == status).groupby(runs["arm"], sort=False, observed=True).sum()
    table.insert(len(factors), "n", arms.size() - table["failed"])

    values, arm, place = counted(runs, names), arms.ngroup(), arms.cumcount()
    kept, replicated = (runs["status"] != "failed").to_numpy(), replication(runs)
    for name, column in zip(names, values.T):
        by_arm = np.full((len(table), place.to_numpy().max(initial=0) + 1), np.nan)
        by_arm[arm[kept], place[kept]] = np.where(np.isnan(column), np.inf, column)[kept]  # a lost value: no mean
        low, high = row_intervals(by_arm, bounds=bounds_of(name), replication=replicated)
        table = table.assign(**{name: row_means(by_arm), f"{name}_low": low, f"{name}_high": high})
    return table.reset_index()


def crossing(runs: DataFrame) -> dict[str, int]:
    """Return the number of seeds of each source of chance, if the seeds of some runs are crossed; else {}.

    >>> import pandas as pd
    >>> crossing(pd.DataFrame({"seed": [0, 1, 2, 3], "seed_init": [0, 0, 1, 1], "seed_batches": [0, 1, 0, 1]}))
    {'init': 2, 'batches': 2}
    """
    sources = [str(column) for column in runs if str(column).startswith("seed_")]
    return {column.removeprefix("seed_"): int(runs[column].nunique()) for column in sources}


def replication(runs: DataFrame) -> Replication:
    """Return how the runs of an arm depend on each other: by crossed seeds, or by splits that overlap."""
    return Replication(crossing(runs), overlap_of(runs))


def counted(runs: DataFrame, metrics: Sequence[str]) -> np.ndarray:
    """Return the metrics as they count, `(runs, metrics)`: a diverged run at chance accuracy, its losses as NaN."""
    values = runs[list(metrics)].to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    diverged = (runs["status"] == "diverged").to_numpy()
    chance = 1 / runs["classes"].to_numpy(dtype=np.float64) if "classes" in runs else np.full(len(runs), np.nan)
    for i, name in enumerate(metrics):
        values[diverged, i] = chance[diverged] if name.endswith("accuracy") else np.nan
    return values
