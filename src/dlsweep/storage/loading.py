"""Load the data set and the network of a run again, from its config, its random streams and the kept weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlsweep.config.runs import Run
from dlsweep.datasets import data_of
from dlsweep.errors import UsageError
from dlsweep.randomness import Seeds
from dlsweep.storage import compatibility, parts
from dlsweep.storage.reading import advised
from dlsweep.training.model import Model, start
from dlsweep.training.result import Checkpoint

if TYPE_CHECKING:
    from dlsweep.datasets import Dataset
    from dlsweep.storage.results import Results

Row = Mapping[str, Any]  # of the table of runs


def model_of(results: Results, row: Row, *, trained: bool) -> Model:
    """Return the network of a run, as kept or from before training. Refuse functions that have changed since."""
    run = _expanded(results, row)
    compatibility.check_sources([run.arm], results.record, results.files)
    return Model(run, data_of(run.arm).drawn(run.seeds), _kept(results, row) if trained else start(run))


def dataset_of(results: Results, row: Row) -> Dataset:
    """Return the data set of a run, with its split."""
    run = _expanded(results, row)
    return data_of(run.arm).drawn(run.seeds)


def _expanded(results: Results, row: Row) -> Run:
    """Return the run of a row, whatever the sources of its functions."""
    sources = results.record.tables.sources
    crossed = Seeds.crossed({source: int(row[f"seed_{source}"]) for source in sources})
    seeds = crossed if sources else Seeds(int(row["seed"]))
    for arm in results.expanded.arms():
        if arm.name == row["arm"] and (run := Run(arm, seeds)).id == row["run_id"]:
            return run
    raise UsageError(f"the data of {results.folder} has changed since its runs were trained; they cannot be loaded")


def _kept(results: Results, row: Row) -> Checkpoint:
    """Return the weights that a run kept."""
    run, checksum = row["run_id"], row.get("kept_checksum")
    if checksum is None:
        raise UsageError(f"{results.folder} has no weights; train with evaluate.keep: final, or best")
    if checksum != checksum:
        raise UsageError(f"the run {run} ({row['arm']}, seed {row['seed']}) has {row['status']}: no weights")
    with advised("its run"):
        if run not in results.weights:
            raise parts.Damaged(f"{results.files}/{parts.weights_name(run)} is missing")
        parameters = parts.read_weights(results.files, results.weights[run], int(checksum))
        return Checkpoint(int(row["kept_iteration"]), parameters)
