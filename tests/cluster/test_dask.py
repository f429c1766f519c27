"""`--executor dask` with real schedulers and workers, killed while they train."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import pandas as pd
import pytest
from tests.support import PROGRAMS
from tests.support.commands import Dlsweep, python
from tests.support.kills import TORTURE_SECONDS, survives_kills
from tests.support.processes import started

import dlsweep as package
from dlsweep.execution.worker import Receipt, Task
from dlsweep.storage import compaction
from dlsweep.training.plan import Chunk

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

MANY = ["--max-memory", "1e-6"]  # memory for one run at a time: 12 chunks
SOON: dict[str, Any] = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "4s"}
LONG = [*MANY, "train.iterations=1000", "evaluate.every=500"]


@pytest.fixture
def dlsweep(tmp_path: Path) -> Dlsweep:
    return Dlsweep(tmp_path)


class Cluster:
    """A scheduler on loopback, and its workers, in another folder than the sweep."""

    def __init__(self, folder: Path, path: Path):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self.folder, self.environment = folder, {**os.environ, "PYTHONPATH": str(path)}
        self.processes: list[subprocess.Popen[bytes]] = []
        self._start("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]]
        process = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.processes.append(process)
        return process

    def worker(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a worker that nobody starts again, unless it has a nanny."""
        return self._start("worker", self.address, "--no-nanny", "--no-dashboard", *(options or ("--nthreads", "1")))

    def await_workers(self, count: int) -> None:
        """Wait for a number of workers."""
        from distributed import Client

        with Client(self.address) as client:
            client.wait_for_workers(count)

    def end(self) -> None:
        for process in self.processes[::-1]:
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    running = Cluster(tmp_path_factory.mktemp("elsewhere"), tmp_path)
    try:
        yield running
    finally:
        running.end()


def numbers(folder: Path) -> list[pd.DataFrame]:
    results = package.open_results(folder)
    return [results.runs.drop(columns="seconds"), results.curves, results.predictions]


def same(a: Path, b: Path) -> None:
    for one, other in zip(numbers(a), numbers(b), strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True, check_categorical=False)


def train_in_one_process(dlsweep: Dlsweep, *changes: str) -> Path:
    dlsweep("run", "tiny.yaml", *changes, "-j", "1", "-q", "-o", "whole")
    return dlsweep.folder / "whole/tiny"


def test_a_cluster_of_this_machine_gives_the_same_bits_and_ends_with_the_sweep(dlsweep: Dlsweep) -> None:
    done = dlsweep("run", "tiny.yaml", *MANY, "--executor", "dask", "-j", "2", anew=True)
    assert "12/12 runs" in done.stderr
    assert len(list((dlsweep.folder / "results/tiny/runs").iterdir())) == 12
    same(dlsweep.folder / "results/tiny", train_in_one_process(dlsweep))
    assert (
        "12 of 12 runs are done already" in dlsweep("run", "tiny.yaml", *MANY, "--executor", "dask", anew=True).stderr
    )


def test_workers_of_a_running_scheduler_give_the_same_bits(dlsweep: Dlsweep, cluster: Cluster) -> None:
    for _ in range(2):
        cluster.worker()
    done = dlsweep("run", "tiny.yaml", "--scheduler", cluster.address, anew=True)
    assert "12/12 runs" in done.stderr
    same(dlsweep.folder / "results/tiny", train_in_one_process(dlsweep))
    # The scheduler and its workers go on: they are not ours.
    assert [process.poll() for process in cluster.processes] == [None] * 3


def _parts(dlsweep: Dlsweep) -> int:
    return len(list(dlsweep.folder.glob("results/tiny/runs/*.parquet")))


def _wait(until: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not until():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_workers_that_are_killed_lose_nothing(dlsweep: Dlsweep, cluster: Cluster) -> None:
    workers = [cluster.worker(), cluster.worker()]
    with dlsweep.start(*LONG, "--scheduler", cluster.address) as process:
        for count in (1, 4, 7):
            _wait(lambda count=count: _parts(dlsweep) >= count, process)  # type: ignore[misc]
            workers.pop(0).send_signal(signal.SIGKILL)
            workers.append(cluster.worker())
        out, messages = process.communicate()
    assert process.returncode == 0, out + messages
    assert "12/12 runs" in messages
    same(dlsweep.folder / "results/tiny", train_in_one_process(dlsweep, *LONG[2:]))


def test_a_task_whose_part_was_united_is_not_run_again(
    dlsweep: Dlsweep, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker dies when its receipt has come."""
    monkeypatch.setattr(compaction, "MOST", 2)
    workers = [cluster.worker()]

    class Deadly(package.Reporter):
        def receipt(self, receipt: Receipt) -> None:
            if len(workers) == 1 and _parts(dlsweep) >= 2:
                time.sleep(0.5)  # the scheduler has heard that the result is here
                workers[0].kill()
                workers.append(cluster.worker())

    output = dlsweep.folder / "results"
    package.run(dlsweep.folder / "tiny.yaml", output=output, scheduler=cluster.address, max_memory=1, report=Deadly())
    assert len(workers) == 2
    same(output / "tiny", train_in_one_process(dlsweep))


def test_a_task_carries_the_earlier_training_of_its_own_runs_only(
    dlsweep: Dlsweep, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep of 100,000 runs that goes on would send megabytes with each."""
    from distributed import Client

    sent = list[tuple[set[str], set[str]]]()
    submit = Client.submit

    def seen(client: Any, work: Any, task: Task, chunk: Chunk, *more: Any, **options: Any) -> Any:
        sent.append((set(task.earlier.runs if task.earlier else ()), {run.id for run in chunk}))
        return submit(client, work, task, chunk, *more, **options)

    monkeypatch.setattr(Client, "submit", seen)
    keep = ["evaluate.keep=final", "evaluate.every=10"]
    dlsweep("run", "tiny.yaml", *keep, "-j", "1", "-q")
    longer = package.load(dlsweep.folder / "tiny.yaml", [*keep, "train.iterations=30"])
    cluster.worker()
    package.run(longer, output=dlsweep.folder / "results", scheduler=cluster.address, max_memory=1, quiet=True)
    assert len(sent) == 12
    assert all(earlier == runs for earlier, runs in sent)
    same(dlsweep.folder / "results/tiny", train_in_one_process(dlsweep, *keep, "train.iterations=30"))


def test_a_runner_that_is_killed_is_followed_by_another(dlsweep: Dlsweep, cluster: Cluster) -> None:
    for _ in range(2):
        cluster.worker()
    with dlsweep.start(*LONG, "--scheduler", cluster.address) as process:
        _wait(lambda: _parts(dlsweep) >= 2, process)
        process.send_signal(signal.SIGKILL)
    done = dlsweep("run", "tiny.yaml", *LONG, "--scheduler", cluster.address, anew=True)
    assert "runs are done already" in done.stderr
    same(dlsweep.folder / "results/tiny", train_in_one_process(dlsweep, *LONG[2:]))


def test_a_scheduler_that_is_killed_ends_the_sweep_with_a_sentence(dlsweep: Dlsweep, cluster: Cluster) -> None:
    cluster.worker()
    with dlsweep.start(*LONG, "--scheduler", cluster.address) as process:
        _wait(lambda: _parts(dlsweep) >= 2, process)
        cluster.processes[0].kill()
        messages = process.communicate()[1]
    assert process.returncode == 1
    assert messages.splitlines()[-1] == (
        "Dask gave up a task: its scheduler has ended; finished runs are kept, and the same command goes on"
    )
    assert "Traceback" not in messages
    assert "ERROR" not in messages
    cluster.end()
    assert "runs are done already" in dlsweep("run", "tiny.yaml", *LONG, "-j", "1").stderr


@pytest.mark.parametrize("seconds", [0, pytest.param(TORTURE_SECONDS, marks=pytest.mark.torture)])
def test_workers_and_runners_that_are_killed_at_random_lose_nothing(
    dlsweep: Dlsweep, cluster: Cluster, seconds: float
) -> None:
    """A worker is followed by another one at once; it goes on with its task when its runner is killed."""
    workers = [cluster.worker(), cluster.worker()]

    def kill_worker(runner: subprocess.Popen[str], draw: Random) -> None:
        worker = workers.pop(draw.randrange(2))
        worker.kill()
        worker.wait()
        workers.append(cluster.worker())

    survives_kills(dlsweep, str(dlsweep.folder), ["--scheduler", cluster.address], kill_worker, seconds)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_keeps_the_finished_runs(dlsweep: Dlsweep, cluster: Cluster, number: int) -> None:
    cluster.worker()
    with dlsweep.start(*LONG, "--scheduler", cluster.address) as process:
        _wait(lambda: _parts(dlsweep) >= 2, process)
        process.send_signal(number)
        messages = process.communicate()[1]
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[signal.Signals(number)]
    assert "stopped with" in messages
    assert "Traceback" not in messages
    dlsweep("run", "tiny.yaml", *LONG, "-j", "1", "-q")
    same(dlsweep.folder / "results/tiny", train_in_one_process(dlsweep, *LONG[2:]))


def test_a_run_that_kills_its_workers_fails_alone(dlsweep: Dlsweep) -> None:
    (dlsweep.folder / "deadly.py").write_text(DEADLY, "utf-8")
    (dlsweep.folder / "sweep.py").write_text(SWEEP, "utf-8")
    environment = {"PYTHONPATH": str(dlsweep.folder), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    done = python("sweep.py", folder=dlsweep.folder, environment=environment, anew=True)
    assert done.returncode == 0, done.stderr
    runs = package.open_results(dlsweep.folder / "results/tiny").runs
    assert runs.groupby("activation", observed=True)["status"].unique().map(list).to_dict() == {
        "relu": ["done"],
        "deadly": ["failed"],
    }
    assert runs["error"].dropna().str.contains("workers died with it").all()


DEADLY = '''
import os
import dlsweep


@dlsweep.activations.register
def deadly(x):
    """End the process."""
    os._exit(9)
'''
SWEEP = """
import deadly
import dlsweep

if __name__ == "__main__":
    config = {
        "name": "tiny",
        "data": {"npz": {"path": "tiny.npz"}},
        "model": {"mlp": {"hidden": [4]}},
        "train": {"iterations": 5, "batch_size": 5},
        "grid": {"activation": ["relu", "deadly"]},
        "seeds": 2,
    }
    dlsweep.run(config, executor="dask", jobs=2)
"""


@pytest.mark.parametrize(
    ("start", "message", "patience"),
    [
        (
            lambda cluster: cluster.worker("--nthreads", "2"),
            "has 2 threads; start a worker for each core, with --nthreads 1",
            {},
        ),
        (lambda cluster: None, "has no workers; start some: dask worker tcp://127.0.0.1:", SOON),
    ],
)
def test_workers_that_do_not_suit_are_refused_before_training(
    dlsweep: Dlsweep, cluster: Cluster, start: Callable[[Cluster], object], message: str, patience: dict[str, Any]
) -> None:
    start(cluster)
    done = dlsweep("run", "tiny.yaml", "--scheduler", cluster.address, code=2, anew=True, **patience)
    assert message in done.stderr
    assert not list(dlsweep.folder.glob("results/tiny/runs/*"))


def answer_as_another_program(server: socket.socket) -> None:
    """Answer one caller as the dashboard would, which speaks HTTP."""
    with server.accept()[0] as caller:
        caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        while caller.recv(4096):
            pass


def test_no_scheduler_is_a_sentence(dlsweep: Dlsweep) -> None:
    done = dlsweep("run", "tiny.yaml", "--scheduler", "tcp://127.0.0.1:9", code=2, anew=True, **SOON)
    assert "no scheduler of Dask answers at tcp://127.0.0.1:9" in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=answer_as_another_program, args=(server,), daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        done = dlsweep("run", "tiny.yaml", "--scheduler", address, code=2, anew=True, **SOON)
    assert done.stderr.splitlines()[-1] == f"no scheduler of Dask answers at {address}: another program answers there"
    done = dlsweep("run", "tiny.yaml", "--scheduler", "here", "-j", "2", code=2)
    assert done.stderr.strip() == "a scheduler of Dask has workers of its own: remove -j, or --scheduler"
    for options in ([], ["--executor", "dask"]):  # a variable that is not set
        done = dlsweep("run", "tiny.yaml", "--scheduler=", *options, code=2)
        assert done.stderr.strip() == "a scheduler of Dask needs an address, such as tcp://node7:8786; got none"


def test_a_plug_in_ends_its_own_runs_only_whatever_it_raises(dlsweep: Dlsweep) -> None:
    moods = ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException"]
    config = {
        "name": "tiny",
        "data": {"npz": {"path": str(dlsweep.folder / "tiny.npz")}},
        "model": {"mlp": {"hidden": [4]}},
        "train": {"iterations": 5, "batch_size": 5},
        "grid": {"activation": [{"rude": {"mood": moods}}, "relu"]},
        "seeds": 1,
    }
    (dlsweep.folder / "rude.py").write_text((PROGRAMS / "rude.py").read_text("utf-8"), "utf-8")
    program = "import json, sys, dlsweep, rude\nif __name__ == '__main__':\n    dlsweep.run(json.loads(sys.argv[1]), "
    (dlsweep.folder / "sweep.py").write_text(program + "executor='dask', jobs=1)", "utf-8")
    environment = {"PYTHONPATH": str(dlsweep.folder)}
    done = python("sweep.py", json.dumps(config), folder=dlsweep.folder, environment=environment, anew=True)
    assert done.returncode == 0, done.stderr
    runs = package.open_results(dlsweep.folder / "results/tiny").runs
    assert runs["status"].tolist() == ["failed"] * 4 + ["done"]
    assert [error.strip().rpartition("\n")[2].rstrip(": ") for error in runs["error"][:4]] == moods


def test_a_plug_in_that_workers_lack_is_told(dlsweep: Dlsweep, cluster: Cluster) -> None:
    cluster.environment["PYTHONPATH"] = ""
    cluster.worker()
    (dlsweep.folder / "swishes.py").write_text(PLUG_IN, "utf-8")
    (dlsweep.folder / "sweep.py").write_text(USES, "utf-8")
    arguments = ("sweep.py", cluster.address)
    done = python(*arguments, folder=dlsweep.folder, environment={"PYTHONPATH": str(dlsweep.folder)}, anew=True)
    assert done.returncode == 2, done.stderr
    assert "workers of Dask cannot train this sweep:\n  tcp://127.0.0.1:" in done.stderr
    assert "cannot import your functions: No module named 'swishes'; put their module on its PYTHONPATH" in done.stderr
    assert not list(dlsweep.folder.glob("results/tiny/runs/*"))


PLUG_IN = '''
import dlsweep


@dlsweep.activations.register
def my_identity(x):
    """Identity."""
    return x, lambda dy: dy
'''
USES = """
import sys
import dlsweep
import swishes
from dlsweep.errors import DlsweepError

if __name__ == "__main__":
    grid = {"activation": ["relu", "my_identity"]}
    train = {"iterations": 5, "batch_size": 5}
    config = {"name": "tiny", "data": {"npz": {"path": "tiny.npz"}}, "train": train, "grid": grid, "seeds": 2}
    try:
        dlsweep.run(config, scheduler=sys.argv[1])
    except DlsweepError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
"""


@contextmanager
def worker_elsewhere(cluster: Cluster, results: Path) -> Iterator[None]:
    """Start a worker in a mount namespace of its own, where the folder of the results is empty."""
    if os.geteuid() or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("needs root and mount namespaces")
    results.mkdir(exist_ok=True)
    mount = f'mount -t tmpfs none {results} && exec "$0" "$@"'
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", cluster.address]
    command = ["unshare", "-m", "bash", "-c", mount, *worker, "--no-nanny", "--no-dashboard", "--nthreads", "1"]
    with started(command, cwd=cluster.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        yield


def test_a_worker_that_does_not_see_the_folder_is_refused(dlsweep: Dlsweep, cluster: Cluster, tmp_path: Path) -> None:
    with worker_elsewhere(cluster, tmp_path / "results"):
        done = dlsweep("run", "tiny.yaml", "--scheduler", cluster.address, code=2, anew=True)
    assert "does not see" in done.stderr
    assert "workers need the same folder at the same path" in done.stderr


@pytest.mark.parametrize("fault", ["has 2 threads", "does not see"])
def test_a_worker_that_comes_later_is_checked_as_well(dlsweep: Dlsweep, cluster: Cluster, fault: str) -> None:
    """In another folder it would write results that nobody finds, and report them."""
    first = cluster.worker()
    with ExitStack() as stack, dlsweep.start(*LONG, "--scheduler", cluster.address) as process:
        _wait(lambda: _parts(dlsweep) >= 1, process)
        if fault == "does not see":
            stack.enter_context(worker_elsewhere(cluster, dlsweep.folder / "results"))
        else:
            cluster.worker("--nthreads", "2")
        first.kill()
        messages = process.communicate()[1]
    assert process.returncode == 2, messages
    assert "workers of Dask cannot train this sweep:\n  tcp://127.0.0.1:" in messages
    assert fault in messages
    assert "Traceback" not in messages
    results = package.open_results(dlsweep.folder / "results/tiny")
    assert 1 <= results.counts["done"] < 12
    assert len(results.curves) == 6 * results.counts["done"]


DEADLY_IMPORT = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"


def test_a_worker_that_dies_while_it_is_asked_is_left_out(dlsweep: Dlsweep, cluster: Cluster, tmp_path: Path) -> None:
    """It dies as it imports the module that the runner asks for."""
    (dlsweep.folder / "swishes.py").write_text(PLUG_IN, "utf-8")
    (dlsweep.folder / "sweep.py").write_text(USES, "utf-8")
    (tmp_path / "deadly").mkdir()
    (tmp_path / "deadly/swishes.py").write_text(DEADLY_IMPORT, "utf-8")
    cluster.worker()
    cluster.environment["PYTHONPATH"] = str(tmp_path / "deadly")
    deadly = cluster.worker()
    cluster.await_workers(2)
    path = {"PYTHONPATH": str(dlsweep.folder)}
    done = python("sweep.py", cluster.address, folder=dlsweep.folder, environment=path, anew=True)
    assert done.returncode == 0, done.stderr
    assert deadly.wait() == -signal.SIGKILL
    assert package.open_results(dlsweep.folder / "results/tiny").runs["status"].tolist() == ["done"] * 4


def test_workers_that_always_die_when_they_are_asked_are_told(
    dlsweep: Dlsweep, cluster: Cluster, tmp_path: Path
) -> None:
    """Their nanny starts them again."""
    (dlsweep.folder / "swishes.py").write_text(PLUG_IN, "utf-8")
    (dlsweep.folder / "sweep.py").write_text(USES, "utf-8")
    (tmp_path / "deadly").mkdir()
    (tmp_path / "deadly/swishes.py").write_text(DEADLY_IMPORT, "utf-8")
    cluster.environment["PYTHONPATH"] = str(tmp_path / "deadly")
    cluster.worker("--nthreads", "1", "--nanny")
    path = {"PYTHONPATH": str(dlsweep.folder)}
    done = python("sweep.py", cluster.address, folder=dlsweep.folder, environment=path, anew=True)
    assert done.returncode == 2, done.stderr
    assert "workers of Dask end when they are asked" in done.stderr
    assert not list(dlsweep.folder.glob("results/tiny/runs/*"))
