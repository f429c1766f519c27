"""Executors: the same bits from each; one bad run or one dead worker costs nothing but itself (faults 7, 8, 9, 22)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from tests.support import PROGRAMS
from tests.support.sweeps import Bits, Execute, Launch, Make

import dlsweep
from dlsweep.execution.executors import executors
from dlsweep.execution.worker import Task
from dlsweep.storage import parts
from dlsweep.storage.store import Store

SCRIPT = (PROGRAMS / "moody.py").read_text()


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, messages = process.communicate()
    return process.returncode, messages


@pytest.mark.parametrize(
    "options",
    [{"executor": "processes", "jobs": 1}, {"jobs": 4}, {"executor": "inline", "max_memory": 1}],
)
def test_every_executor_gives_the_same_bits(make: Make, tmp_path: Path, bits: Bits, options: dict[str, Any]) -> None:
    assert set(executors) >= {"inline", "processes"}
    alone = dlsweep.run(make(), output=tmp_path / "alone", executor="inline")
    crowd = dlsweep.run(make(), output=tmp_path / "crowd", **options)
    assert bits(alone) == bits(crowd)


@pytest.mark.parametrize(
    ("mood", "executor", "error"),
    [
        ("fail", "inline", "ValueError: no such luck"),
        ("fail", "processes", "ValueError: no such luck"),
        ("crash", "processes", "the worker process was killed by SIGKILL, perhaps because memory ran out"),
        ("mumble", "processes", "the worker process was killed by SIGKILL, perhaps because memory ran out"),
        ("leave", "processes", "the worker process ended with exit code 3"),
        ("hang", "processes", "the worker process was killed: no progress for 5 s"),
    ],
)
def test_one_bad_run_fails_alone(
    make: Make, execute: Execute, tmp_path: Path, bits: Bits, leftovers: Any, mood: str, executor: str, error: str
) -> None:
    moody = {"moody": {"lr": [0.1, 0.5], "mood": mood}}
    config = make(grid={"activation": ["relu"], "init": ["he"], "optimizer": [moody]}, seeds=2)
    options: dict[str, Any] = {"output": str(tmp_path), "executor": executor}
    if executor == "processes":
        options |= {"jobs": 2}
    if mood == "hang":
        options |= {"timeout": 5}
    assert execute(SCRIPT, json.dumps(config), json.dumps(options)) == (0, "")

    results = dlsweep.open_results(tmp_path / "tiny")
    good, bad = (results.runs[results.runs["optimizer.lr"] == lr] for lr in (0.1, 0.5))
    assert good["status"].tolist() == ["done", "done"]
    assert bad["status"].tolist() == ["failed", "failed"]
    assert bad["error"].str.strip().str.endswith(error).all()
    assert bad["last_test_loss"].isna().all()
    assert set(results.curves["run_id"]) == set(good["run_id"])
    assert not leftovers(results.folder)


@pytest.mark.parametrize("lost", ["curves", "weights"])
def test_a_part_without_its_partners_is_no_receipt(make: Make, tmp_path: Path, lost: str) -> None:
    """A worker of Dask has outlived its killed runner, and the next one deleted them before runs/ was there."""
    config = make(seeds=2, evaluate={"every": 2, "on": ["test"], "keep": "final"})
    results = dlsweep.run(config, output=tmp_path, executor="inline")
    task = Task(Store(results.files, results.record.tables))
    chunks = list(dlsweep.plan(dlsweep.load(config)).chunks((), 1, 1 << 30))
    assert [task.on_disk(chunk)[1] for chunk in chunks] == [(), ()]
    stems = {parts.stem(chunks[0]), *(run.id for run in chunks[0])}
    next(path for path in (results.folder / lost).iterdir() if parts.key(path.name) in stems).unlink()
    assert [task.on_disk(chunk) for chunk in chunks[:1]] == [([], chunks[0])]
    assert [task.on_disk(chunk)[1] for chunk in chunks] == [chunks[0], ()]
    again = dlsweep.run(config, output=tmp_path, executor="inline")
    assert set(again.runs["status"]) == {"done"}


def test_a_worker_may_take_longer_to_start_than_to_make_progress(make: Make, execute: Execute, tmp_path: Path) -> None:
    slow = SCRIPT.replace("if __name__", "if __name__ != '__main__': time.sleep(4)\nif __name__", 1)
    options = {"output": str(tmp_path), "executor": "processes", "jobs": 1, "timeout": 3}
    assert execute(slow, json.dumps(make()), json.dumps(options)) == (0, "")
    assert set(dlsweep.open_results(tmp_path / "tiny").runs["status"]) == {"done"}


def test_a_dry_run_tells_what_fails_in_a_sentence(make: Make, execute: Execute, tmp_path: Path) -> None:
    config = make(grid={"activation": ["relu"], "init": ["he"], "optimizer": [{"moody": {"lr": 0.5}}]})
    dry = SCRIPT.replace("dlsweep.run(config, report=dlsweep.Reporter(), ", "dlsweep.dry_run(config, ")
    told = execute(dry, json.dumps(config), json.dumps({"output": str(tmp_path)}))
    assert told == (1, "training the cohort of tiny fails: ValueError: no such luck\n")


def test_failed_runs_are_kept_or_tried_again(make: Make, execute: Execute, tmp_path: Path) -> None:
    grid = {"activation": ["relu"], "init": ["he"], "optimizer": [{"moody": {"lr": [0.1, 0.5]}}]}
    arguments = json.dumps(make(grid=grid, seeds=1)), json.dumps({"output": str(tmp_path), "executor": "inline"})
    assert execute(SCRIPT, *arguments)[0] == 0
    parts = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    assert execute(SCRIPT, *arguments)[0] == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")} == parts

    retry = json.dumps({"output": str(tmp_path), "executor": "inline", "retry": True})
    another = SCRIPT.replace("np.float32(0.5)", "np.float32(0.7)")  # one run is done with the function as it was
    code, message = execute(another, arguments[0], retry)
    assert code == 2
    assert "has another source now" in message
    assert "give the sweep another name" in message

    healed = SCRIPT.replace('raise ValueError("no such luck")', "pass")  # the function finds it by its name, as data
    assert execute(healed, arguments[0], retry)[0] == 0
    results = dlsweep.open_results(tmp_path / "tiny")
    assert results.runs["status"].tolist() == ["done", "done"]
    assert len(results.curves) == 2 * 4 * 2


def test_the_first_failure_ends_the_sweep_where_asked(make: Make, execute: Execute, tmp_path: Path) -> None:
    grid = {"activation": ["relu"], "init": ["he"], "optimizer": [{"moody": {"lr": 0.5}}]}
    options = {"output": str(tmp_path), "fail_fast": True}
    code, message = execute(SCRIPT, json.dumps(make(grid=grid, seeds=4)), json.dumps(options))
    assert code == 1
    assert message == "tiny, seed 0: ValueError: no such luck; the sweep ends at the first failure, as asked\n"
    assert len(dlsweep.open_results(tmp_path / "tiny").runs) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only there are workers forked from a server")
@pytest.mark.skipif(int(pa.__version__.split(".")[0]) < 20, reason="older pyarrow imports pandas when it reads a table")
def test_workers_do_without_pandas_but_may_import_it(make: Make, execute: Execute, tmp_path: Path) -> None:
    there = 'raise ValueError("pandas" in sys.modules, __import__("pandas").__name__)'
    script = SCRIPT.replace('raise ValueError("no such luck")', there)
    grid = {"activation": ["relu"], "init": ["he"], "optimizer": [{"moody": {"lr": [0.1, 0.5]}}]}
    options = {"output": str(tmp_path), "executor": "processes", "jobs": 1, "max_memory": 1}  # a chunk for each run
    assert execute(script, json.dumps(make(grid=grid, seeds=1)), json.dumps(options)) == (0, "")
    error = dlsweep.open_results(tmp_path / "tiny").runs["error"][1]
    assert error.strip().endswith("ValueError: (False, 'pandas')")


KIND = """
import dlsweep
from dlsweep.nn.layers import Layer, Output, kinds

@kinds.register
def doubled(name, shape):
    "Twice its input."
    return Layer(name, lambda p, x, context: Output(2 * x, lambda dy: (2 * dy, {})), {}, shape)

"""


def test_a_layer_that_a_script_registers_is_known_to_its_workers(make: Make, launch: Launch, tmp_path: Path) -> None:
    script = KIND + "import json, sys\nif __name__ == '__main__': dlsweep.run(json.loads(sys.argv[1]), quiet=True, "
    config = json.dumps(make(model={"layers": {"of": ["doubled", {"dense": 4}, "activation"]}}))
    for i, options in enumerate(("output=sys.argv[2])", "output=sys.argv[2], executor='processes', jobs=2)")):
        assert finish(launch(script + options, config, tmp_path / str(i))) == (0, "")
        assert set(dlsweep.open_results(tmp_path / str(i) / "tiny").runs["status"]) == {"done"}


@pytest.mark.parametrize("first", ["", "from dlsweep.execution.startup import warm_up; warm_up()\n"])
def test_a_script_needs_no_main_guard(make: Make, execute: Execute, tmp_path: Path, first: str) -> None:
    bare = "import json, sys, dlsweep\ndlsweep.run(json.loads(sys.argv[1]), output=sys.argv[2], jobs=2, quiet=True)"
    assert execute(first + bare, json.dumps(make()), tmp_path) == (0, "")
    assert len(dlsweep.open_results(tmp_path / "tiny").runs) == 12


@pytest.fixture
def long_sweep(make: Make, launch: Launch, tmp_path: Path) -> subprocess.Popen[str]:
    """A sweep with two workers, both at work, that trains until somebody stops it; one short chunk is done."""
    config = make(evaluate={"every": 1000, "on": ["test"]}, seeds=4)
    del config["train"]["iterations"]
    config["grid"] = {"train.iterations": [1, 10_000_000]}
    process = launch(
        SCRIPT, json.dumps(config), json.dumps({"output": str(tmp_path), "executor": "processes", "jobs": 2})
    )
    while len(workers(process)) < 2 or not list(tmp_path.glob("tiny/runs/*.parquet")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return process


def group(process: subprocess.Popen[str]) -> list[int]:
    """The living processes of a program: it, its workers and what helps them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == process.pid and fields[0] not in "ZX":
            found.append(int(path.parent.name))
    return found


def workers(process: subprocess.Popen[str]) -> list[int]:
    """The workers of a program: children of the server that it has started."""
    return [pid for pid in group(process) if parent(parent(pid)) == process.pid]


def parent(pid: int) -> int:
    """The parent of a process; 0 where it has just ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def all_end(process: subprocess.Popen[str]) -> None:
    """Wait until no process of a program is left; a process that stays reaches the suite's time limit."""
    while group(process):
        time.sleep(0.02)


linux = pytest.mark.skipif(sys.platform != "linux", reason="counts processes in /proc")


@linux
@pytest.mark.parametrize(
    ("signals", "code"), [([signal.SIGINT], 130), ([signal.SIGINT, signal.SIGINT], 130), ([signal.SIGTERM], 143)]
)
def test_a_stopped_sweep_keeps_what_is_done_and_leaves_nobody_behind(
    long_sweep: subprocess.Popen[str], tmp_path: Path, leftovers: Any, signals: list[signal.Signals], code: int
) -> None:
    # As a terminal or SLURM sends a signal: to all processes, one after the other.
    at_work = workers(long_sweep)
    for number in signals:
        for pid in at_work:
            os.kill(pid, number)
        time.sleep(0.3)
        assert workers(long_sweep) == at_work
        os.killpg(long_sweep.pid, number)
        time.sleep(0.3)
    message = "stopped; the finished runs are kept, and the same command goes on from there\n"
    assert finish(long_sweep) == (code, message)
    all_end(long_sweep)
    results = dlsweep.open_results(tmp_path / "tiny")
    assert set(results.runs["train.iterations"]) == {"1"}
    assert not leftovers(results.folder)


@linux
def test_a_second_runner_exits_and_names_the_first(
    long_sweep: subprocess.Popen[str], make: Make, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(json.dumps(make()))
    command = [sys.executable, "-m", "dlsweep", "run", "config.yaml", "-o", "."]
    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert second.returncode == 4
    assert f"tiny is in use: process {long_sweep.pid} on {os.uname().nodename} has worked on it" in second.stderr
    long_sweep.kill()
    long_sweep.communicate()
    assert subprocess.run([*command, "--force", "-q"], cwd=tmp_path).returncode == 0


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files, with a path that is short enough for sockets."""
    with TemporaryDirectory() as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


@linux
def test_workers_die_with_their_parent(sockets: Path, long_sweep: subprocess.Popen[str]) -> None:
    assert len(group(long_sweep)) >= 3
    assert len(list(sockets.iterdir())) == 1
    long_sweep.kill()
    long_sweep.communicate()
    all_end(long_sweep)
    assert not list(sockets.iterdir())


@linux
def test_a_server_that_is_killed_while_it_forks_a_worker_is_replaced(
    make: Make, tmp_path: Path, bits: Bits, monkeypatch: pytest.MonkeyPatch
) -> None:
    server: Any = forkserver._forkserver
    killed = list[int]()
    found = server.ensure_running

    def ensure_running() -> None:
        found()
        if not killed:
            killed.append(server._forkserver_pid)
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(server, "ensure_running", ensure_running)
    results = dlsweep.run(make(), output=tmp_path / "killed", executor="processes", jobs=2)
    assert killed
    assert bits(results) == bits(dlsweep.run(make(), output=tmp_path / "whole", executor="inline"))


@linux
def test_a_killed_worker_is_replaced_and_its_runs_finish(
    make: Make, launch: Launch, tmp_path: Path, bits: Bits, leftovers: Any
) -> None:
    config = make(train={"iterations": 3000, "batch_size": 5}, evaluate={"every": 100, "on": ["test"]})
    options = {"output": str(tmp_path / "killed"), "executor": "processes", "jobs": 2}
    process = launch(SCRIPT, json.dumps(config), json.dumps(options))
    killed = 0
    while process.poll() is None:
        pair = workers(process)
        if len(pair) == 2 and killed < 2:
            os.kill(pair[killed % 2], signal.SIGKILL)
            killed += 1
        time.sleep(0.02)
    assert finish(process) == (0, "")
    assert killed
    results = dlsweep.open_results(tmp_path / "killed" / "tiny")
    assert not leftovers(results.folder)
    whole = dlsweep.run(config, output=tmp_path / "whole", executor="inline")
    assert bits(results) == bits(whole)
