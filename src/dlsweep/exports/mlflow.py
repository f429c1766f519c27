"""Results as a SQLite store of MLflow, with an experiment for the sweep and a run for each run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dlsweep.errors import UsageError
from dlsweep.exports.tracked import TrackedRun, tracked_runs
from dlsweep.storage.results import Results

PARAMETERS, METRICS = 100, 1000  # that MLflow takes at once


def client(path: Path) -> Any:
    """Return a client of the store in a SQLite file. Raise a `UsageError` if MLflow is not installed.

    MLflow does not report its use to its authors, unless the environment asks for it.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        import sqlalchemy  # noqa: F401  mlflow-skinny lacks it, and has no store in SQLite
        from mlflow import MlflowClient
    except ImportError as error:
        raise UsageError(
            f"an export to mlflow needs the package mlflow ({error}); install it: pip install 'dlsweep[export]'"
        ) from error
    return MlflowClient(tracking_uri=f"sqlite:///{path.absolute()}")


def write(results: Results, store: Any, artifacts: Path) -> None:
    """Write the runs of a sweep to a store. artifacts: the folder for files that somebody adds to runs later."""
    experiment = store.create_experiment(results.name, artifact_location=artifacts.absolute().as_uri())
    for run in tracked_runs(results):
        _write_run(run, store, experiment)


def _write_run(run: TrackedRun, store: Any, experiment: str) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    tags = {"dlsweep.run_id": run.id, "dlsweep.status": run.status}
    key = store.create_run(experiment, run_name=run.name, tags=tags).info.run_id
    for some in _batches([Param(*pair) for pair in run.parameters.items()], PARAMETERS):
        store.log_batch(key, params=some)
    finals = [Metric(name, value, now, run.iterations) for name, value in run.finals.items()]
    scalars = [Metric(tag, value, now, step) for tag, step, value in run.scalars]
    for some in _batches([*finals, *scalars], METRICS):
        store.log_batch(key, metrics=some)
    store.set_terminated(key, "FAILED" if run.status == "failed" else "FINISHED")


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
