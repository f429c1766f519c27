"""Tidy frames of a sweep: measurements joined with the settings and the end of each run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlsweep.analysis.summary import metric_columns

if TYPE_CHECKING:
    from pandas import DataFrame

    from dlsweep.storage.results import Results

Table = Literal["runs", "curves", "layers"]


def frame_of(results: Results, table: Table) -> DataFrame:
    """Return a table of a sweep with the settings and the end of each run.

    `runs` is the unchanged table. `curves` has a row per run, iteration and split; `layers` a row per run,
    iteration and layer.
    """
    if table == "runs":
        return results.runs
    if table == "curves":
        return curves_of(results)
    known = _known(results)
    others = [column for column in results.layers if column == "run_id" or column not in known]
    return known.merge(results.layers[others].astype({"run_id": str}), on="run_id", how="left")


def curves_of(results: Results) -> DataFrame:
    """Return the curves, a row per run, iteration and split.

    A failed run without a curve has one row without an iteration. A run that diverged before its first point has a row
    for each split, at iteration 0 and without a value. With ensembles, `ensemble_loss` and `ensemble_accuracy` are the
    metrics of the averaged predictions of the run's arm.
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
    if "ensembles" not in results.record.tables.schemas:
        return frame
    at = ["arm", "iteration", "split"]
    together = results.ensembles[[*at, "loss", "accuracy"]].astype({"arm": str, "split": str})
    together = together.rename(columns={"loss": "ensemble_loss", "accuracy": "ensemble_accuracy"})
    return frame.assign(arm=frame["arm"].astype(str), split=frame["split"].astype(object)).merge(
        together, on=at, how="left"
    )


def _known(results: Results) -> DataFrame:
    """The table of runs without its metrics."""
    others = ("iterations", "parameters", "seconds", "error", *results.record.tables.kept)
    return results.runs.drop(columns=[*metric_columns(results.runs), *others])
