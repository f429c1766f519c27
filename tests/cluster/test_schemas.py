"""The examples for GitHub Actions and Kubernetes fulfil the published schemas, of which these packages have copies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.cluster

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(("old", "new", "code"), [("", "", 0), ("fail-fast:", "fail-fats:", 1)])
def test_the_workflow_of_github(tmp_path: Path, old: str, new: str, code: int) -> None:
    (tmp_path / "sweep.yml").write_text((EXAMPLES / "github/sweep.yml").read_text("utf-8").replace(old, new), "utf-8")
    command = ["check_jsonschema", "--builtin-schema", "vendor.github-workflows", "sweep.yml"]
    done = subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr


@pytest.mark.parametrize("version", ["1.29", None])
def test_the_job_of_kubernetes(version: str | None) -> None:
    kubernetes = pytest.importorskip("kubernetes_validate")
    version = version or kubernetes.latest_version()
    job = yaml.safe_load((EXAMPLES / "kubernetes/job.yaml").read_text("utf-8"))
    kubernetes.validate(job, version, strict=True)
    job["spec"]["backoffLimitPerIndx"] = job["spec"].pop("backoffLimitPerIndex")
    with pytest.raises(kubernetes.ValidationError, match="backoffLimitPerIndx"):
        kubernetes.validate(job, version, strict=True)
