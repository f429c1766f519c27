"""Results on a real server of S3 (SeaweedFS) on loopback: every command, two runners at once, a bad server between."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest
from tests.support.kills import TORTURE_SECONDS, survives_kills
from tests.support.processes import of_session, started
from tests.support.s3 import Proxy, Remote, Request, Rule, environment, files, free_ports

import dlsweep as package

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

CLAIM = 'claims=[{"tanh learns": {"arm": {"activation": "tanh"}, "above": 0.1}}]'
MANY = ["--max-memory", "1e-6", "-j", "2"]  # memory for one run at a time: 12 chunks
LONG = [*MANY, "train.iterations=2000", "evaluate.every=500"]
SHORT_LEASE: dict[str, Any] = {"DLSWEEP_LEASE": "3"}
SHORT_TIMES: dict[str, Any] = {"FSSPEC_S3": '{"config_kwargs": {"read_timeout": 1}}'}


def numbers(place: str | Path) -> list[pd.DataFrame]:
    results = package.open_results(place)
    return [results.runs.drop(columns="seconds"), results.curves, results.predictions]


def assert_same_as_here(remote: Remote, *changes: str) -> None:
    remote("run", "tiny.yaml", *changes, "-j", "1", "-q", "-o", "here")
    for one, other in zip(numbers(remote.place), numbers(remote.folder / "here/tiny"), strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True, check_categorical=False)


def wait(until: Callable[[], bool], *processes: subprocess.Popen[str]) -> None:
    while not until():
        for process in processes:
            assert process.poll() is None, process.communicate()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def trained(server: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """A sweep on the server, and a copy of it here."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(server).items():
            patch.setenv(name, value)
        remote = Remote(tmp_path_factory.mktemp("commands"), server)
        done = remote("run", "tiny.yaml", CLAIM, "-o", remote.url, "-j", "2")
        assert "12/12 runs" in done.stderr
        assert not (remote.folder / "s3:").exists()
        assert not (remote.folder / "results").exists()
        assert_same_as_here(remote, CLAIM)
        remote("merge", "copy/tiny", remote.place)
        yield remote


@pytest.mark.parametrize(
    "command",
    [
        ["show", "PLACE"],
        ["show", "PLACE", "activation=relu", "--csv"],
        ["check", "PLACE"],
        ["check", "PLACE", "--json"],
        ["effects", "PLACE"],
        ["verify", "PLACE", "--runs", "2", "--sample", "1", "-j", "1", "-q"],
        ["status", "PLACE"],
        ["status", "PLACE", "--watch"],
        ["status", "PLACE", "--json"],
        ["diff", "PLACE", "here/tiny"],
        ["run", "tiny.yaml", CLAIM, "-o", "URL", "--dry-run"],
        ["run", "tiny.yaml", CLAIM, "-o", "URL", "-q"],
    ],
    ids=" ".join,
)
def test_a_command_says_of_a_url_what_it_says_of_a_folder(trained: Remote, command: list[str]) -> None:
    def told(place: str, url: str) -> str:
        words = [word.replace("PLACE", place).replace("URL", url) for word in command]
        done = trained(*words, code=None)
        return str(done.stdout + done.stderr).replace(place, "PLACE").replace(url, "URL")

    here = told("copy/tiny", "copy")
    assert here or "-q" in command
    lines = [told(trained.place, trained.url).splitlines(), here.splitlines()]
    at_once = [[line for line in one if '"command' not in line and "predicted" not in line] for one in lines]
    assert at_once[0] == at_once[1]


def test_commands_that_write_to_a_url(trained: Remote) -> None:
    place = trained.place
    assert trained("plot", place, "-k", "final").stdout.split() == [f"{place}/figures/final-accuracy.png"]
    assert files(trained.port).cat_file(f"{place}/figures/final-accuracy.png")[1:4] == b"PNG"
    assert trained("plot", place, "-k", "final", "-o", "figures").stdout.split() == ["figures/tiny-final-accuracy.png"]
    for output in ("runs.csv", f"{trained.url}/runs.csv"):
        assert trained("export", place, "-o", output).stdout.split() == [output]
    assert files(trained.port).cat_file(f"{trained.url}/runs.csv") == (trained.folder / "runs.csv").read_bytes()
    trained("merge", f"{trained.url}-back/tiny", "copy/tiny")
    assert "bit by bit" in trained("diff", f"{trained.url}-back/tiny", "here/tiny").stdout


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["export", "PLACE", "--to", "tensorboard", "-o", "URL/log"], "needs a folder of this machine; got URL/log"),
        (["export", "PLACE", "--to", "mlflow", "-o", "URL/mlflow.db"], "needs a folder of this machine"),
        (["run", "s3://x/tiny.yaml"], "a config is a file of this machine, and only results may be at a URL"),
        (["show", "URL/nothing"], "there are no results in URL/nothing"),
        (["status", "s3://no-bucket/x"], "there are no results in s3://no-bucket/x"),
    ],
)
def test_commands_that_cannot_use_a_url_say_so(trained: Remote, command: list[str], sentence: str) -> None:
    def named(text: str) -> str:
        return text.replace("PLACE", trained.place).replace("URL/", f"{trained.url}/")

    assert named(sentence) in trained(*map(named, command), code=2).stderr


def test_a_doctor_tries_a_folder_on_the_server(trained: Remote) -> None:
    found = json.loads(trained("doctor", "-o", trained.url, "--json").stdout)
    assert trained.url in json.dumps(found)


def test_a_killed_runner_is_followed_and_a_second_one_is_refused(remote: Remote) -> None:
    command = [sys.executable, "-m", "dlsweep", "status", remote.url, "--watch", "--every", "0.1"]
    with ExitStack() as stack:
        process = stack.enter_context(remote.start(*LONG, "-o", remote.url))
        wait(lambda: remote.published() >= 2, process)
        watch = stack.enter_context(started(command, env={**os.environ, **remote.environment}, stderr=None))
        refused = remote("run", "tiny.yaml", *LONG, "-o", remote.url, code=4)
        assert f"{remote.place} is in use: process {process.pid} on {socket.gethostname()}" in refused.stderr
        assert watch.stdout
        assert "runs are on disk" in watch.stdout.readline()
        assert f"process {process.pid}" in watch.stdout.readline()
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert "no process works on it; to go on: " in watch.communicate()[0]
    done = remote("run", "tiny.yaml", *LONG, "-o", remote.url)
    assert "runs are done already" in done.stderr
    assert_same_as_here(remote, *LONG[4:])


@pytest.mark.parametrize("seconds", [0, pytest.param(TORTURE_SECONDS, marks=pytest.mark.torture)])
def test_workers_and_runners_that_are_killed_at_random_lose_nothing(remote: Remote, seconds: float) -> None:
    def kill_worker(runner: subprocess.Popen[str], draw: Random) -> None:
        if workers := of_session(runner.pid):
            os.kill(draw.choice(workers), signal.SIGKILL)

    survives_kills(remote, remote.url, ["-j", "2"], kill_worker, seconds)


ELSEWHERE = ["unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
ELSEWHERE += ["sh", "-c", 'hostname elsewhere && exec "$@"', "sh"]


def other_hosts() -> bool:
    """Tell if this user can start a process that takes itself to be on another host."""
    return not subprocess.run([*ELSEWHERE, "true"], capture_output=True, check=False).returncode


@pytest.mark.parametrize("second", ["here", "elsewhere"])
def test_of_two_runners_that_start_together_one_trains(remote: Remote, second: str) -> None:
    if second == "elsewhere" and not other_hosts():
        pytest.skip("needs root and namespaces")
    before = ELSEWHERE if second == "elsewhere" else []
    both, met = threading.Barrier(2), list[Request]()

    def rule(request: Request) -> str:
        """Let the requests for the lease pass when there are two of them."""
        if "/.lease/" in request.path and request.headers.get("If-None-Match") and len(met) < 2:
            met.append(request)
            both.wait(60)
        return ""

    with Proxy(remote.port, rule) as proxy, ExitStack() as stack:
        pair = [
            stack.enter_context(remote.start(*MANY, "-o", remote.url, before=own, **proxy.environment))
            for own in ([], before)
        ]
        messages = [process.communicate()[1] for process in pair]
    assert sorted(process.returncode for process in pair) == [0, 4], messages
    loser = [process.returncode for process in pair].index(4)
    host = "elsewhere" if before and loser == 0 else socket.gethostname()
    winner = pair[0].pid if loser == 1 else "[0-9]+" if before else pair[1].pid
    how = rf"in use: (process {winner} on {host} has worked on it|another process has just taken it)"
    assert re.search(how, messages[loser]), messages
    assert_same_as_here(remote)
    assert remote.published() == 12
    assert len(remote.names("runs")) == 24


def test_a_runner_that_is_paused_past_its_lease_stops_and_leaves_nothing(remote: Remote) -> None:
    """It is stopped while it commits; the next one computes other bits, with another kernel of BLAS."""
    paused: list[subprocess.Popen[str]] = []

    def rule(request: Request) -> str:
        if paused and request.method == "PUT" and "/tiny/runs/" in request.path and request.path.count("/.") == 0:
            os.killpg(paused.pop().pid, signal.SIGSTOP)
        return ""

    one, other = ({**SHORT_LEASE, "OPENBLAS_CORETYPE": kernel} for kernel in ("Haswell", "Prescott"))
    with (
        Proxy(remote.port, rule) as proxy,
        remote.start("-j", "1", "-o", remote.url, **one, **proxy.environment) as first,
    ):
        paused.append(first)
        wait(lambda: not paused, first)
        early = set(remote.names("curves"))
        assert len(early) == 1
        wait(
            lambda: (
                not remote(
                    "run", "tiny.yaml", "-j", "1", "-q", "-o", remote.url, code=None, anew=True, **other
                ).returncode
            )
        )
        os.killpg(first.pid, signal.SIGCONT)
        assert first.communicate()[1].endswith(
            f"{remote.place} was taken by another process, since this one could not renew its lease\n"
        )
        assert first.returncode == 4
    remote("run", "tiny.yaml", "-j", "1", "-q", "-o", "here", anew=True, **other)
    for a, b in zip(numbers(remote.place), numbers(remote.folder / "here/tiny"), strict=True):
        pd.testing.assert_frame_equal(a, b, check_exact=True, check_categorical=False)
    assert not early & set(remote.names("curves"))  # they had other bits
    count = {inside: len(remote.names(inside)) for inside in ("curves", "predictions", "runs")}
    assert count == {"curves": 2, "predictions": 2, "runs": 4}  # two chunks, and their markers


def each(period: int, *faults: str | int) -> Rule:
    """Meet each change of that period with the next fault, until all of them were met twice."""
    left = [*faults, *faults]
    return lambda request: left.pop(0) if left and request.number and request.number % period == 0 else ""


@pytest.mark.parametrize(
    ("rule", "options"),
    [
        (each(5, "cut", "lost", 409, "torn", 503), {}),
        (each(9, "stall"), SHORT_TIMES),
    ],
    ids=["broken", "stalled"],
)
def test_requests_that_are_lost_cost_nothing(remote: Remote, rule: Rule, options: dict[str, Any]) -> None:
    with Proxy(remote.port, rule) as proxy:
        done = remote("run", "tiny.yaml", *MANY, "-o", remote.url, anew=True, **proxy.environment, **options)
    assert len(proxy.faults) in (2, 10)
    assert "12/12 runs" in done.stderr
    assert remote.published() == 12
    assert_same_as_here(remote)


@pytest.mark.parametrize(("jobs", "impatient"), [("1", False), ("2", True)])
def test_a_stop_does_not_wait_for_a_server_that_stalls(remote: Remote, jobs: str, impatient: bool) -> None:
    """The limit on the time of a request is 1,000 seconds here, and it stalls even for the thread that renews."""
    stalled = threading.Event()

    def rule(request: Request) -> str:
        if request.method == "PUT" and "/tiny/runs/." in request.path and remote.published() >= 2:
            stalled.set()
        return "stall" if stalled.is_set() else ""

    patient = {**SHORT_LEASE, "FSSPEC_S3": '{"config_kwargs": {"read_timeout": 1000}}'}
    options = ["--max-memory", "1e-6", "-j", jobs, "-o", remote.url]
    with Proxy(remote.port, rule) as proxy, remote.start(*options, **proxy.environment, **patient) as process:
        assert stalled.wait(300)
        time.sleep(1)  # longer than a renewal
        process.send_signal(signal.SIGINT)
        assert process.stderr
        told = process.stderr.readline()
        while impatient and "stopping: finished runs are kept" not in told:
            told += process.stderr.readline()
        if impatient:
            process.send_signal(signal.SIGINT)
        messages = told + process.communicate(timeout=300)[1]
    assert process.returncode == 130, messages
    assert "stopping: finished runs are kept" in messages
    assert "Traceback" not in messages
    assert impatient or "stopped with 2 of 12 runs done" in messages
    kept = remote.published()
    assert 2 <= kept < 12
    assert f"{kept} of 12 runs are done already" in remote("run", "tiny.yaml", *options).stderr
    assert remote.published() == 12
    assert_same_as_here(remote)


@pytest.mark.parametrize("fault", ["lost", 409])
def test_a_marker_whose_answer_was_lost_is_its_own(remote: Remote, fault: str | int) -> None:
    met = list[str]()

    def rule(request: Request) -> str | int:
        if request.headers.get("If-None-Match") and request.path not in met:
            met.append(request.path)
            return fault
        return ""

    with Proxy(remote.port, rule) as proxy:
        remote("run", "tiny.yaml", "-j", "1", "-q", "-o", remote.url, **proxy.environment)
    assert any("/runs/." in path for path in met)
    assert any("/.lease/" in path for path in met)
    assert_same_as_here(remote)


def test_a_server_that_ignores_the_condition_is_found_out(remote: Remote) -> None:
    with Proxy(remote.port, lambda one: "unconditional" if one.headers.get("If-None-Match") else "") as proxy:
        done = remote("run", "tiny.yaml", "-o", remote.url, "-j", "1", **proxy.environment)
    assert (
        f"{remote.place} is on a server that ignores the condition of a put (If-None-Match): two runners that start at "
        "the same moment are not kept apart; start one at a time"
    ) in " ".join(done.stderr.split())
    assert_same_as_here(remote)
    assert "ignores the condition" not in remote("run", "tiny.yaml", "-o", remote.url, "-j", "1").stderr


def test_a_server_that_is_gone_ends_the_sweep_with_a_sentence(remote: Remote) -> None:
    gone = f"http://127.0.0.1:{free_ports(1)[0]}"
    done = remote("run", "tiny.yaml", "-o", remote.url, code=4, AWS_ENDPOINT_URL=gone)
    assert f"cannot read {remote.place}" in done.stderr


def test_what_is_missing_for_a_server_is_told(remote: Remote) -> None:
    lacking: dict[str, Any] = {
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = remote("run", "tiny.yaml", "-o", remote.url, code=4, **lacking, HOME=str(remote.folder))
    assert "Unable to locate credentials (set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write" in done.stderr
    done = remote("run", "tiny.yaml", "-o", remote.url, code=4, AWS_SECRET_ACCESS_KEY="wrong")
    assert f"cannot read {remote.place}" in done.stderr
    assert "signature" in done.stderr
    with Proxy(remote.port, lambda one: 404) as proxy:  # as S3 answers where there is no such bucket
        done = remote("run", "tiny.yaml", "-o", remote.url, code=1, **proxy.environment)
    assert f"cannot write {remote.place}/.lease/" in done.stderr


def test_a_server_that_has_no_space_ends_the_sweep_with_a_sentence_and_it_goes_on(remote: Remote) -> None:
    with Proxy(remote.port, lambda one: 507 if one.method == "PUT" and one.number > 20 else "") as proxy:
        done = remote("run", "tiny.yaml", *MANY, "-o", remote.url, code=1, **proxy.environment)
    assert f"cannot write {remote.place}/" in done.stderr
    assert 0 < remote.published() < 12
    assert "runs are done already" in remote("run", "tiny.yaml", *MANY, "-o", remote.url).stderr
    assert_same_as_here(remote)
