"""Find one run of the results, and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlsweep.config.runs import Run
from dlsweep.errors import ResultsDamaged, UsageError
from dlsweep.randomness import Seeds
from dlsweep.storage import compatibility, parts
from dlsweep.training.result import Checkpoint

if TYPE_CHECKING:
    from dlsweep.storage.results import Results


def row_of(results: Results, run: str | None, arm: Mapping[str, Any] | None, seed: int | None) -> Mapping[str, Any]:
    """Return the row of `runs` of one run."""
    if run is None:
        rows = results.fitting(arm, seed)
        if (count := rows["arm"].nunique()) > 1:
            apart = ", ".join(f for f in results.record.levels if rows[f].nunique() > 1)
            raise UsageError(f"{count} arms fit; give arm the level of {apart} as well")
    elif arm is not None or seed is not None:
        raise UsageError("load takes the id of a run, or an arm and a seed, and not both")
    else:
        rows = results.runs[results.runs["run_id"] == run]
        if rows.empty:
            raise UsageError(f"there is no run {run!r} in {results.folder}; its table of runs has their ids")
    return {str(column): value for column, value in rows.iloc[0].items()}


def run_of(results: Results, row: Mapping[str, Any]) -> Run:
    """Return the run of a row, expanded from the config."""
    compatibility.check_sources(results.config, results.record, results.files)
    for arm in results.expanded.arms():
        if arm.name == row["arm"] and (run := Run(arm, Seeds(int(row["seed"])))).id == row["run_id"]:
            return run
    raise UsageError(f"the data of {results.folder} has changed since its runs were trained; they cannot be loaded")


def kept(results: Results, row: Mapping[str, Any]) -> Checkpoint:
    """Return the weights that a run kept."""
    run, checksum = row["run_id"], row.get("kept_checksum")
    if checksum is None:
        raise UsageError(f"{results.folder} has no weights; train with evaluate.keep: final, or best")
    if checksum != checksum:
        raise UsageError(f"the run {run} ({row['arm']}, seed {row['seed']}) has {row['status']}: no weights")
    try:
        if run not in results.weights:
            raise parts.Damaged(f"{results.files}/{parts.weights_name(run)} is missing")
        parameters = parts.read_weights(results.files, results.weights[run], int(checksum))
        return Checkpoint(int(row["kept_iteration"]), parameters)
    except parts.Damaged as damage:
        raise ResultsDamaged(f"{damage}; `dlsweep run` sets it aside and trains its run again") from damage
