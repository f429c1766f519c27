"""The jobs in examples/ and docs/cluster.md: what they must have to do what their comments say.

Those for GitHub and Kubernetes are untried: no test has GitHub's machines, or a cluster of Kubernetes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dlsweep.config import load
from dlsweep.training.shards import parse_shard

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


def read(name: str) -> dict[Any, Any]:
    found = yaml.safe_load((EXAMPLES / name).read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def test_the_matrix_of_github_trains_every_shard_and_unites_them() -> None:
    workflow = read("github/sweep.yml")
    train, unite = workflow["jobs"]["train"], workflow["jobs"]["unite"]
    indices = train["strategy"]["matrix"]["shard"]
    (command,) = [step["run"] for step in train["steps"] if "dlsweep run" in step.get("run", "")]
    for index in indices:
        text = command.replace("${{ matrix.shard }}", str(index)).replace("${{ strategy.job-total }}", "4")
        assert parse_shard(text.split()[-1]).index == index
    assert indices == list(range(4))
    assert train["strategy"]["fail-fast"] is False  # a shard that fails does not end the others
    assert train["timeout-minutes"] < 360
    assert unite["needs"] == "train"
    assert unite["if"] == "always()"
    given = workflow["env"]
    assert load(ROOT / f"configs/{given['SWEEP'].removeprefix('example:')}.yaml").name == given["NAME"]
    sent = [step["with"] for step in train["steps"] if "upload-artifact" in step.get("uses", "")]
    fetched = [step["with"] for step in unite["steps"] if "download-artifact" in step.get("uses", "")]
    assert [one["path"] for one in (*sent, *fetched)] == ["results", "results"]
    # The results of a shard have hidden files only for locks, which the action leaves out.
    assert all(step.keys() & {"uses", "run"} for job in (train, unite) for step in job["steps"])


def test_the_job_of_kubernetes_is_indexed_and_its_pods_may_not_do_more_than_they_need() -> None:
    job = read("kubernetes/job.yaml")
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec = job["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["backoffLimitPerIndex"] >= 1
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"  # which backoffLimitPerIndex and podFailurePolicy ask for
    assert pod["terminationGracePeriodSeconds"] >= 60
    (container,) = pod["containers"]
    assert f"$(JOB_COMPLETION_INDEX)/{spec['completions']}" in container["args"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    own = container["securityContext"]
    assert (own["readOnlyRootFilesystem"], own["allowPrivilegeEscalation"]) == (True, False)
    assert own["capabilities"] == {"drop": ["ALL"]}
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted.keys() == {volume["name"] for volume in pod["volumes"]}
    assert {container["args"][-1], "/tmp"} == set(mounted.values())
    assert container["resources"]["limits"] == container["resources"]["requests"]
    codes = spec["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"]
    assert 143 not in codes  # a pod that was stopped goes on


def test_the_image_runs_as_a_user_and_without_a_shell() -> None:
    lines = (EXAMPLES / "kubernetes/Dockerfile").read_text("utf-8").splitlines()
    given = dict(line.split(maxsplit=1) for line in lines if re.match(r"[A-Z]+ ", line))
    pod = read("kubernetes/job.yaml")["spec"]["template"]["spec"]
    assert given["USER"] == "{runAsUser}:{runAsGroup}".format(**pod["securityContext"])
    assert given["ENTRYPOINT"] == '["dlsweep"]'
    mounts = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]
    written = dict(one.split("=") for one in given["ENV"].split())
    for variable in ("MPLCONFIGDIR", "DLSWEEP_DATA"):
        assert written[variable].startswith(tuple(mounts))


def test_the_commands_of_the_array_job_are_those_of_the_page() -> None:
    """`make test-cluster` runs the script; here only the page is compared with it."""
    script, page = (path.read_text("utf-8") for path in (EXAMPLES / "slurm/array.sh", ROOT / "docs/cluster.md"))
    commands = re.findall(r"^#   (.*?)(?: +#.*)?$", script, re.MULTILINE)
    assert len(commands) == 3
    assert all(f"$ {command}" in page for command in commands)
    assert script.count("# edit: ") == 3
    for name in ("array.sh", "dask_jobs.py"):
        assert f"examples/slurm/{name}" in page


@pytest.mark.parametrize("name", ["github/sweep.yml", "kubernetes/job.yaml", "kubernetes/Dockerfile"])
def test_an_example_says_that_it_is_untried(name: str) -> None:
    assert "Untried." in (EXAMPLES / name).read_text("utf-8")
    assert f"examples/{name}" in (ROOT / "docs/cluster.md").read_text("utf-8")
