"""The scripts of examples/slurm/ as they stand, but for the numbers that a user edits, on a real SLURM of one node."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.support.commands import Dlsweep
from tests.support.processes import started
from tests.support.slurm import MISSING, Slurm

from dlsweep import open_results
from dlsweep.storage.results import Results

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"no {', '.join(MISSING)}: make test-cluster SYSTEM=1 installs SLURM"),
    pytest.mark.skipif(os.geteuid() != 0, reason="starts a SLURM, as root"),
]

EXAMPLES = Path(__file__).parents[2] / "examples/slurm"

# Networks of many widths, which train one after the other; each shard has some of them.
SWEEP = """\
name: sweep
data: {npz: {path: tiny.npz}}
train: {iterations: 20, batch_size: 10}
seeds: 2
grid:
  model: [{mlp: {hidden: [4]}}, {mlp: {hidden: [5]}}, {mlp: {hidden: [6]}}, {mlp: {hidden: [7]}},
    {mlp: {hidden: [8]}}, {mlp: {hidden: [9]}}, {mlp: {hidden: [10]}}, {mlp: {hidden: [11]}},
    {mlp: {hidden: [12]}}, {mlp: {hidden: [13]}}, {mlp: {hidden: [14]}}, {mlp: {hidden: [15]}}]
  activation: [waiting]
"""

# A package whose activation stops training once a folder has a part, while there is a file `hold`; ten minutes at most.
WAITING = '''
import os
import time
from pathlib import Path

import numpy as np


def waiting(x):
    """Hyperbolic tangent."""
    task = os.environ.get("SLURM_ARRAY_TASK_ID")
    parts = f"results/sweep{f'.shard-{task}-of-*' if task else ''}/runs/*.parquet"
    for _ in range(30_000):
        if not Path("hold").exists() or not any(Path().glob(parts)):
            break
        time.sleep(0.02)
    else:
        Path("hold").unlink()
    y = np.tanh(x)
    return y, lambda dy: dy * (1 - y * y)
'''


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    running = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        yield running
    finally:
        running.end()


def prepared(folder: Path) -> dict[str, str]:
    """Write the sweep and its activation to a folder; return variables with which `dlsweep` is a command for them."""
    about = folder / "waiting-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: waiting\nVersion: 1\n", "utf-8")
    (about / "entry_points.txt").write_text("[dlsweep.activations]\nwaiting = waiting:waiting\n", "utf-8")
    (folder / "waiting.py").write_text(WAITING, "utf-8")
    (folder / "sweep.yaml").write_text(SWEEP, "utf-8")
    command = folder / "bin/dlsweep"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m dlsweep "$@"\n', "utf-8")
    command.chmod(0o755)
    return {"PYTHONPATH": str(folder), "PATH": f"{command.parent}:{os.environ['PATH']}"}


@pytest.fixture
def folder(tmp_path: Path, slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a test submits its jobs."""
    Dlsweep(tmp_path)
    for name, value in prepared(tmp_path).items():
        monkeypatch.setitem(slurm.environment, name, value)
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The sweep, trained in one go."""
    folder = tmp_path_factory.mktemp("whole")
    environment: dict[str, Any] = prepared(folder)
    Dlsweep(folder)("run", "sweep.yaml", "-j", "1", "-q", anew=True, **environment)
    return open_results(folder / "results/sweep")


def submit(slurm: Slurm, folder: Path, **changes: str) -> tuple[str, str]:
    """Submit array.sh with other numbers, and then the job that merges, by the commands in it; return their ids."""
    script = (EXAMPLES / "array.sh").read_text("utf-8")
    for option, value in changes.items():
        script, count = re.subn(rf"(?m)(?<=^#SBATCH)(.* --{option.replace('_', '-')}=)\S+", rf"\g<1>{value}", script)
        assert count == 1, option
    (folder / "array.sh").write_text(script, "utf-8")
    commands = re.findall(r"^#   (.*)$", script, re.MULTILINE)
    assert len(commands) == 3
    said = slurm.said("bash", "-ec", "\n".join([*commands, "echo $job"]), folder=folder)
    merge, array = re.findall(r"\d+$", said, re.MULTILINE)[-2:]
    return array, merge


def wait(until: Callable[[], object]) -> None:
    while not until():
        time.sleep(0.1)


def ended(slurm: Slurm, job: str) -> str:
    """Wait until a job has ended, and return its state."""
    while (state := slurm.state(job)) in ("PENDING", "RUNNING", "COMPLETING"):
        time.sleep(0.1)
    return state


def same(results: Path, whole: Results) -> None:
    """Assert that the results are those of the sweep in one go, and that each run was trained once."""
    found = open_results(results / "sweep")
    for table in ("runs", "curves", "predictions"):
        left, right = (getattr(one, table).drop(columns="seconds", errors="ignore") for one in (found, whole))
        pd.testing.assert_frame_equal(left, right, check_exact=True, check_categorical=False)
    trained = sorted(results.glob("sweep.shard-*")) or [results / "sweep"]
    parts = pd.concat(pd.read_parquet(path) for folder in trained for path in (folder / "runs").iterdir())
    assert parts["run_id"].is_unique


def test_a_job_has_the_cores_and_the_memory_that_it_asks_for(slurm: Slurm, tmp_path: Path) -> None:
    program = "from dlsweep import machine; print(machine.cores(), machine.memory())"
    work = f"srun {sys.executable} -c '{program}'"
    asked = [["--cpus-per-task=1", "--mem=300"], ["--mem-per-cpu=300"]]
    jobs = [slurm.said("sbatch", "--parsable", *options, "--wrap", work, folder=tmp_path) for options in asked]
    assert [ended(slurm, job) for job in jobs] == 2 * ["COMPLETED"]
    assert [(tmp_path / f"slurm-{job}.out").read_text("utf-8") for job in jobs] == 2 * [f"1 {300 << 20}\n"]


def test_an_array_job_trains_the_shards_and_another_one_unites_them(slurm: Slurm, folder: Path, whole: Results) -> None:
    array, merge = submit(slurm, folder, array="0-2", cpus_per_task="1", mem="1G")
    assert ended(slurm, merge) == "COMPLETED"
    assert slurm.state(array) == "COMPLETED COMPLETED COMPLETED"
    assert "24 runs added" in (folder / f"slurm-{merge}.out").read_text("utf-8")
    same(folder / "results", whole)


def test_jobs_that_are_cancelled_requeued_and_out_of_time_lose_nothing(
    slurm: Slurm, folder: Path, whole: Results
) -> None:
    (folder / "hold").touch()
    changes = {"array": "0-2", "cpus_per_task": "2", "mem": "1G"}
    array, merge = submit(slurm, folder, **changes, time="00:01:00")
    shards = [folder / f"results/sweep.shard-{i}-of-3/runs" for i in range(3)]
    logs = [folder / f"slurm-{array}_{i}.out" for i in range(3)]
    wait(lambda: all(any(shard.glob("*.parquet")) for shard in shards))
    again = r"stopped with [1-9]\d* of (\d+) runs done(?s:.*)[1-9]\d* of \1 runs are done already"
    slurm.said("scancel", f"{array}_2")
    slurm.said("scontrol", "requeue", f"{array}_1", check=False)  # on a slow machine its time may be over, too
    # SLURM looks every 30 seconds for jobs that have less than the two minutes of --signal left: this is task 0.
    wait(lambda: all("stopped with" in log.read_text("utf-8") for log in logs) or slurm.state(merge) == "COMPLETED")
    kept = [{path.name for path in shard.glob("*.parquet")} for shard in shards]
    (folder / "hold").unlink()
    assert ended(slurm, merge) == "COMPLETED"
    assert slurm.state(array) == "COMPLETED COMPLETED CANCELLED"
    assert all(re.search(again, log.read_text("utf-8")) for log in logs[:2])
    assert "in none of these folders" in (folder / f"slurm-{merge}.out").read_text("utf-8")
    array, merge = submit(slurm, folder, **changes)
    assert ended(slurm, merge) == "COMPLETED"
    assert slurm.state(array) == "COMPLETED COMPLETED COMPLETED"
    assert all(names <= {path.name for path in shard.glob("*.parquet")} for names, shard in zip(kept, shards))
    same(folder / "results", whole)


def dask_jobs(slurm: Slurm, folder: Path, changes: Mapping[str, str]) -> AbstractContextManager[subprocess.Popen[str]]:
    """Start dask_jobs.py with other numbers."""
    script = (EXAMPLES / "dask_jobs.py").read_text("utf-8")
    for line, other in changes.items():
        assert line in script
        script = script.replace(line, other)
    (folder / "dask_jobs.py").write_text(script, "utf-8")
    environment = {
        "DASK_JOBQUEUE__SLURM__INTERFACE": "lo",
        "DASK_JOBQUEUE__SLURM__SCHEDULER_OPTIONS": '{"dashboard_address": "127.0.0.1:0"}',
        "DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "1 s",  # after which another job takes its place
    }
    return started([sys.executable, "dask_jobs.py"], cwd=folder, env={**slurm.environment, **environment})


def test_a_worker_of_dask_whose_job_is_cancelled_is_followed_by_another(
    slurm: Slurm, folder: Path, whole: Results
) -> None:
    (folder / "hold").touch()

    def jobs() -> str:
        return slurm.said("squeue", "--noheader", "--states=running", "--format=%i")

    with dask_jobs(
        slurm, folder, {'JOBS, CORES, MEMORY = 8, 4, "8GB"': 'JOBS, CORES, MEMORY = 1, 1, "1GB"'}
    ) as process:
        wait(lambda: any(folder.glob("results/sweep/runs/*.parquet")) or process.poll() is not None)
        assert process.poll() is None, process.communicate()[1]
        slurm.said("scancel", first := jobs())
        (folder / "hold").unlink()
        wait(lambda: jobs() not in ("", first) or process.poll() is not None)
        messages = process.communicate()[1]
    assert process.returncode == 0, messages
    assert "24/24 runs" in messages
    same(folder / "results", whole)
    wait(lambda: not slurm.said("squeue", "--noheader"))  # jobs end with the script


def test_workers_of_dask_that_do_not_start_are_told(slurm: Slurm, folder: Path) -> None:
    later = {"job_extra_directives=[]": 'job_extra_directives=["--begin=now+1hour"]'}
    with dask_jobs(slurm, folder, {"QUEUE_HOURS = 4, 12": "QUEUE_HOURS = 4, 0.001", **later}) as process:
        messages = process.communicate()[1]
    assert process.returncode == 1
    assert "only 0 of 32 workers have started in 0.001 hours: squeue --me shows why jobs wait" in messages
    assert not (folder / "results").exists()
    wait(lambda: not slurm.said("squeue", "--noheader"))  # jobs end with the script
