"""`dlsweep export` to a store of MLflow, which MLflow's own client reads."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Any

import pytest
from tests.support.commands import Dlsweep, python

import dlsweep

INSTALLED = find_spec("mlflow") is not None

READER = """
import json
from mlflow import MlflowClient

client = MlflowClient(tracking_uri="sqlite:///mlflow.db")
experiment = client.get_experiment_by_name("tiny")
runs = [
    {
        "name": run.info.run_name,
        "status": run.info.status,
        "tags": run.data.tags,
        "parameters": run.data.params,
        "metrics": run.data.metrics,
        "curve": sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss/test")),
    }
    for run in client.search_runs([experiment.experiment_id])
]
print(json.dumps({"artifacts": experiment.artifact_location, "runs": runs}))
"""


@pytest.mark.skipif(not INSTALLED, reason="MLflow is not installed; `make test-export` has it")
def test_mlflow_reads_parameters_metrics_and_curves(swept: Dlsweep) -> None:
    for force in ((), ("--force",)):
        assert swept("export", "results/tiny", "--to", "mlflow", "-o", "mlflow.db", *force).stdout == "mlflow.db\n"
    assert "mlflow.db exists" in swept("export", "results/tiny", "--to", "mlflow", "-o", "mlflow.db", code=2).stderr
    assert [*swept.folder.glob(".mlflow*")] == []
    (swept.folder / "reader.py").write_text(READER, "utf-8")
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true"}
    done = python("reader.py", folder=swept.folder, environment=environment, anew=True)
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    assert read["artifacts"].endswith("/mlruns")
    results = dlsweep.open_results(swept.folder / "results/tiny")
    by_id = {run["tags"]["dlsweep.run_id"]: run for run in read["runs"]}
    assert len(by_id) == len(read["runs"]) == 12
    for row in results.runs.to_dict("records"):
        run = by_id[row["run_id"]]
        assert run["name"] == f"{row['arm']}, seed {row['seed']}"
        assert (run["status"], run["tags"]["dlsweep.status"]) == ("FINISHED", "done")
        assert (run["parameters"]["activation"], run["parameters"]["optimizer.lr"]) == (row["activation"], "0.01")
        assert run["metrics"]["final_test_accuracy"] == row["final_test_accuracy"]
        curve = results.curves[(results.curves["run_id"] == row["run_id"]) & (results.curves["split"] == "test")]
        assert run["curve"] == [[*pair] for pair in zip(curve["iteration"], curve["loss"])]


@pytest.mark.skipif(INSTALLED, reason="MLflow is installed")
def test_without_mlflow_there_is_a_sentence(swept: Dlsweep) -> None:
    told = swept("export", "results/tiny", "--to", "mlflow", "-o", "new/mlflow.db", code=2).stderr
    assert "an export to mlflow needs the package mlflow" in told
    assert "pip install 'dlsweep[export]'" in told
    assert [*(swept.folder / "new").glob(".*")] == []
