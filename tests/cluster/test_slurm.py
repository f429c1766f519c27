"""The scripts of examples/slurm/ as they stand, but for the numbers that a user edits, on a real SLURM of one node."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from tests.support.commands import Dlsweep
from tests.support.slurm import MISSING, Slurm

import dlsweep as package

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

# A package whose activation stops training once a folder has parts, as long as there is a file `hold`.
WAITING = '''
import os
import time
from pathlib import Path

import numpy as np


def waiting(x):
    """Hyperbolic tangent."""
    task = os.environ.get("SLURM_ARRAY_TASK_ID")
    parts = f"results/sweep{f'.shard-{task}-of-*' if task else ''}/runs/*.parquet"
    while Path("hold").exists() and len(list(Path().glob(parts))) > 1:
        time.sleep(0.02)
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


@pytest.fixture
def dlsweep(tmp_path: Path, slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Dlsweep:
    """The command, in the environment that jobs get, too."""
    about = tmp_path / "waiting-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: waiting\nVersion: 1\n", "utf-8")
    (about / "entry_points.txt").write_text("[dlsweep.activations]\nwaiting = waiting:waiting\n", "utf-8")
    (tmp_path / "waiting.py").write_text(WAITING, "utf-8")
    (tmp_path / "sweep.yaml").write_text(SWEEP, "utf-8")
    command = tmp_path / "bin/dlsweep"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m dlsweep "$@"\n', "utf-8")
    command.chmod(0o755)
    given = {"PYTHONPATH": str(tmp_path), "PATH": f"{command.parent}:{os.environ['PATH']}"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setitem(slurm.environment, name, value)
    return Dlsweep(tmp_path)


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


def same(dlsweep: Dlsweep) -> None:
    """Assert that the results are those of a sweep that was trained in one go, and that each run is there once."""
    dlsweep("run", "sweep.yaml", "-j", "1", "-q", "-o", "whole", anew=True)
    results = dlsweep.folder / "results"
    one, other = (package.open_results(path) for path in (results / "sweep", dlsweep.folder / "whole/sweep"))
    for table in ("runs", "curves", "predictions"):
        left, right = (getattr(results, table).drop(columns="seconds", errors="ignore") for results in (one, other))
        pd.testing.assert_frame_equal(left, right, check_exact=True, check_categorical=False)
    trained = sorted(results.glob("sweep.shard-*")) or [results / "sweep"]
    parts = pd.concat(pd.read_parquet(path) for folder in trained for path in (folder / "runs").iterdir())
    assert parts["run_id"].is_unique


def test_a_job_has_the_cores_and_the_memory_that_it_asks_for(slurm: Slurm, tmp_path: Path) -> None:
    program = "from dlsweep import machine; print(machine.cores(), machine.memory())"
    work = f"srun {sys.executable} -c '{program}'"
    asked = [["--cpus-per-task=1", "--mem=300"], ["--mem-per-cpu=300"]]
    jobs = [slurm.said("sbatch", "--parsable", *options, "--wrap", work, folder=tmp_path) for options in asked]
    wait(lambda: all(slurm.state(job) == "COMPLETED" for job in jobs))
    assert [(tmp_path / f"slurm-{job}.out").read_text("utf-8") for job in jobs] == 2 * [f"1 {300 << 20}\n"]


def test_an_array_job_trains_the_shards_and_another_one_unites_them(slurm: Slurm, dlsweep: Dlsweep) -> None:
    array, merge = submit(slurm, dlsweep.folder, array="0-2", cpus_per_task="1", mem="1G")
    wait(lambda: slurm.state(merge) == "COMPLETED")
    assert slurm.state(array) == "COMPLETED COMPLETED COMPLETED"
    assert "24 runs added" in (dlsweep.folder / f"slurm-{merge}.out").read_text("utf-8")
    same(dlsweep)


def test_jobs_that_are_cancelled_requeued_and_out_of_time_lose_nothing(slurm: Slurm, dlsweep: Dlsweep) -> None:
    folder = dlsweep.folder
    (folder / "hold").touch()
    changes = {"array": "0-2", "cpus_per_task": "2", "mem": "1G"}
    array, merge = submit(slurm, folder, **changes, time="00:01:00")
    shards = [folder / f"results/sweep.shard-{i}-of-3/runs" for i in range(3)]
    logs = [folder / f"slurm-{array}_{i}.out" for i in range(3)]
    wait(lambda: all(len(list(shard.glob("*.parquet"))) > 1 for shard in shards))
    again = r"stopped with [1-9]\d* of (\d+) runs done(?s:.*)[1-9]\d* of \1 runs are done already"
    slurm.said("scancel", f"{array}_2")
    slurm.said("scontrol", "requeue", f"{array}_1", check=False)  # on a slow machine its time may be over, too
    # SLURM looks every 30 seconds for jobs that have less than the two minutes of --signal left: this is task 0.
    wait(lambda: all("stopped with" in log.read_text("utf-8") for log in logs))
    kept = [{path.name for path in shard.glob("*.parquet")} for shard in shards]
    (folder / "hold").unlink()
    wait(lambda: slurm.state(merge) == "COMPLETED")
    assert slurm.state(array) == "COMPLETED COMPLETED CANCELLED"
    assert all(re.search(again, log.read_text("utf-8")) for log in logs[:2])
    assert "in none of these folders" in (folder / f"slurm-{merge}.out").read_text("utf-8")
    array, merge = submit(slurm, folder, **changes)
    wait(lambda: slurm.state(merge) == "COMPLETED")
    assert slurm.state(array) == "COMPLETED COMPLETED COMPLETED"
    assert all(names <= {path.name for path in shard.glob("*.parquet")} for names, shard in zip(kept, shards))
    same(dlsweep)


def test_a_worker_of_dask_whose_job_is_cancelled_is_followed_by_another(slurm: Slurm, dlsweep: Dlsweep) -> None:
    script = (EXAMPLES / "dask_jobs.py").read_text("utf-8")
    few = script.replace('JOBS, CORES, MEMORY = 8, 4, "8GB"', 'JOBS, CORES, MEMORY = 1, 1, "1GB"')
    assert few != script
    (dlsweep.folder / "dask_jobs.py").write_text(few, "utf-8")
    (dlsweep.folder / "hold").touch()
    environment = {
        "DASK_JOBQUEUE__SLURM__INTERFACE": "lo",
        "DASK_JOBQUEUE__SLURM__SCHEDULER_OPTIONS": '{"dashboard_address": "127.0.0.1:0"}',
        "DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "1 s",  # after which another job takes its place
    }

    def jobs() -> str:
        return slurm.said("squeue", "--noheader", "--states=running", "--format=%i")

    with subprocess.Popen(
        [sys.executable, "dask_jobs.py"],
        cwd=dlsweep.folder,
        env={**slurm.environment, **environment},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait(lambda: len(list(dlsweep.folder.glob("results/sweep/runs/*"))) > 1 or process.poll() is not None)
        assert process.poll() is None, process.communicate()[1]
        slurm.said("scancel", first := jobs())
        (dlsweep.folder / "hold").unlink()
        wait(lambda: jobs() not in ("", first) or process.poll() is not None)
        messages = process.communicate()[1]
    assert process.returncode == 0, messages
    assert "24/24 runs" in messages
    same(dlsweep)
    wait(lambda: not slurm.said("squeue", "--noheader"))  # jobs end with the script
