"""Servers and files that drip, stall, lie or are none: one sentence, within a bounded time (faults 24, 25)."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.support.published import SERVED, SMALL, Server

from dlsweep.datasets import download
from dlsweep.datasets.fetching import fetch, take
from dlsweep.errors import DataError, FetchError, Interrupted, UsageError
from dlsweep.files import held

KMNIST, CIFAR10 = SMALL["KMNIST"], SMALL["CIFAR10"]
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def answering(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """Start a server that does something with every connection after a request; it is the mirror."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    servers: list[socket.socket] = []

    def start(act: Callable[[socket.socket], None]) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def serve() -> None:
            while True:
                with suppress(OSError):
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(65536)
                        act(connection)
                if server.fileno() < 0:
                    return

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("DLSWEEP_MIRROR", url)
        return url

    yield start
    for server in servers:
        server.close()


def sending(answer: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(answer)


def dripping(piece: bytes, start: bytes = b"") -> Callable[[socket.socket], None]:
    def drip(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(300):
            connection.sendall(piece)
            time.sleep(0.01)

    return drip


def redirecting(to: bytes) -> bytes:
    return b"HTTP/1.1 302 Found\r\nLocation: " + to + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


NO_ADDRESS = "the server redirects to an address that is none"
UNCLEAR = "the server's answer cannot be understood"
ANSWERS = {
    "redirect to a broken address": (redirecting(b"http://[::1"), NO_ADDRESS),
    "redirect to a long name": (redirecting(b"http://" + b"a" * 300 + b"/"), NO_ADDRESS),
    "redirect to no name": (redirecting(b"http://.example/"), NO_ADDRESS),
    "redirect to bytes": (redirecting(b"\xff\xfe\x00"), NO_ADDRESS),
    "redirect to a file": (redirecting(b"file:///etc/passwd"), NO_ADDRESS),
    "redirect to no server": (
        redirecting(b"http://127.0.0.1:1/"),
        "no connection to the address that the server",
    ),
    "redirect without end": (redirecting(b"/x"), "redirects without end"),
    "negative chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n", UNCLEAR),
    "chunk of no number": (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", UNCLEAR),
    "less than the length": (OK + b"Content-Length: 300\r\n\r\nabc", "broke before the whole file had arrived"),
    "length of no number": (OK + b"Content-Length: many\r\n\r\nabc", "3 bytes that are not the published file"),
    "two lengths": (OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", ""),
    "no status": (b"HTTP/1.1 abc\r\n\r\n", "cannot be understood"),
    "no HTTP": (b"hello\r\n", "cannot be understood"),
    "many headers": (OK + b"".join(b"X-%d: x\r\n" % i for i in range(2000)) + b"\r\n", "cannot be understood"),
    "nothing": (b"", "closed the connection without an answer"),
    "escape sequences": (b"HTTP/1.1 404 \x1b[31mred\r\n\r\n", "the server answers 404"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_what_a_server_may_answer(case: str, answering: Callable[..., str]) -> None:
    answer, sentence = ANSWERS[case]
    url = answering(sending(answer))
    with pytest.raises(FetchError) as error:
        fetch(KMNIST)
    first, *rest = str(error.value).splitlines()
    assert first.startswith(f"kmnist cannot be fetched: {url}/kmnist/train-images-idx3-ubyte.gz")
    assert sentence in first
    assert "no connection" not in first or "redirects to" in first
    assert "\x1b" not in first
    assert rest[0] == "to continue, download by hand"
    assert error.value.__cause__ is None


LITTLE = "has sent less than 1,000,000 bytes in 1 s"
SLOW = {
    "nothing": (lambda connection: time.sleep(3), f"is silent for 1 s|{LITTLE}"),
    "a byte at a time": (dripping(b"x", OK + b"Content-Length: 100000000\r\n\r\n"), LITTLE),
    "too little": (dripping(b"x" * 100, OK + b"Content-Length: 100000000\r\n\r\n"), LITTLE),
    "100 Continue": (dripping(b"HTTP/1.1 100 Continue\r\n\r\n"), LITTLE),
}  # fmt: skip


@pytest.mark.parametrize("case", SLOW)
def test_a_limit_on_time_without_progress(
    case: str, answering: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    act, sentence = SLOW[case]
    answering(act)
    monkeypatch.setattr(download, "PATIENCE", 1)
    monkeypatch.setattr(download, "PAUSE", 0.005)
    monkeypatch.setattr(download, "LEAST", 1_000_000)
    with pytest.raises(FetchError, match=sentence):
        fetch(KMNIST)
    assert not list(KMNIST.folder.glob(".*.part"))


@pytest.mark.parametrize("case", SLOW)
def test_a_stop_does_not_wait_for_a_server(case: str, answering: Callable[..., str]) -> None:
    answering(SLOW[case][0])
    calls = iter(range(3))

    def stop(count: int) -> None:
        if next(calls, None) is None:
            raise Interrupted(2)

    with pytest.raises(Interrupted):
        fetch(KMNIST, progress=stop)


def test_a_password_is_not_told(answering: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    url = answering(sending(b"HTTP/1.1 403 Forbidden\r\n\r\n"))
    for address in (url.replace("//", "//user:geheim@"), "http://user:ge/heim@127.0.0.1:9", "user:geheim@host/x"):
        monkeypatch.setenv("DLSWEEP_MIRROR", address)
        with pytest.raises(FetchError) as error:
            fetch(KMNIST)
        assert "heim" not in str(error.value)
        assert "kmnist/train-images-idx3-ubyte.gz" in str(error.value)


@contextmanager
def holding(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that fetches into the folder."""
    code = """
import time
from pathlib import Path
from dlsweep.datasets.fetching import _sole_writer
from tests.support.published import SMALL
with _sole_writer(SMALL["KMNIST"], print):
    print("holds", flush=True)
    time.sleep(60)
"""
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "holds\n"
    try:
        yield other
    finally:
        other.kill()
        other.wait()
        other.stdout.close()


def test_who_waits_says_for_whom_and_can_be_stopped(cache: Path, server: Server) -> None:
    notes: list[str] = []
    with holding(KMNIST.folder) as other:
        with pytest.raises(Interrupted):
            fetch(KMNIST, notes.append, progress=lambda count: (_ for _ in ()).throw(Interrupted(15)))
        assert len(notes) == 1
        assert f"{KMNIST.folder} is in use: process {other.pid} on " in notes[0]
    fetch(KMNIST)
    assert KMNIST.missing() == []
    assert not (KMNIST.folder / ".holder").exists()


def test_what_a_killed_download_left_is_deleted_when_the_files_come_by_hand(cache: Path, tmp_path: Path) -> None:
    for by in ("import", "copy"):
        KMNIST.folder.mkdir(parents=True, exist_ok=True)
        part = KMNIST.folder / f".{KMNIST.files[1].name}.part"
        part.write_bytes(b"half")
        source = KMNIST.folder if by == "copy" else tmp_path / "by hand"
        source.mkdir(exist_ok=True)
        for name, content in SERVED["kmnist"].items():
            (source / name).write_bytes(content)
        if by == "import":
            assert take(KMNIST, [source]) == []
        else:
            fetch(KMNIST)
        assert not part.exists()
        assert KMNIST.missing() == []


def test_a_folder_of_the_cache_that_leads_out_is_not_written_into(cache: Path, server: Server, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    KMNIST.folder.parent.mkdir(parents=True, exist_ok=True)
    KMNIST.folder.symlink_to(outside)
    for write in (lambda: fetch(KMNIST), lambda: take(KMNIST, [])):
        with pytest.raises(UsageError, match=r"kmnist is a link that leads out of .*; nothing is written through it"):
            write()
    assert not list(outside.iterdir())
    inside = KMNIST.folder.parent / "elsewhere"
    inside.mkdir()
    KMNIST.folder.unlink()
    KMNIST.folder.symlink_to(inside)
    fetch(KMNIST)
    assert not KMNIST.missing()


def test_nothing_is_written_through_links(cache: Path, server: Server, tmp_path: Path) -> None:
    KMNIST.folder.mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.write_text("mine")
    for name in (".lock", ".holder", *(f".{file.name}.part" for file in KMNIST.files), KMNIST.files[0].name):
        (KMNIST.folder / name).symlink_to(outside)
    fetch(KMNIST)
    assert outside.read_text() == "mine"
    assert KMNIST.missing() == []
    assert not (KMNIST.folder / KMNIST.files[0].name).is_symlink()


def test_pipes_and_devices_are_no_files(cache: Path, server: Server, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(DataError, match=f"{path}: there is no such file, only a pipe or a device"):
            take(KMNIST, [path])
    KMNIST.folder.mkdir(parents=True)
    for file in KMNIST.files:
        os.mkfifo(KMNIST.folder / file.name)
    with pytest.raises(DataError, match="not a regular file"):
        _ = KMNIST.dataset(None, 0, None, False).arrays
    fetch(KMNIST)
    assert KMNIST.missing() == []


@pytest.mark.parametrize(
    ("name", "member", "version"),
    [
        ("cifar-10-python.tar.gz", "x", "Python"),
        ("download", "cifar-10-batches-py/batches.meta", "Python"),
        ("download", "cifar-100-python/meta", "Python"),
        ("download", "cifar-10-batches-mat/readme.html", "Matlab"),
    ],
)
def test_other_versions_of_cifar(name: str, member: str, version: str, cache: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / name, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo(member), io.BytesIO())
    for path in (tmp_path / name, tmp_path / Path(member).parent):
        if path != tmp_path:
            path.mkdir(exist_ok=True) if path.suffix == "" and path.name != name else None
            with pytest.raises(DataError) as error:
                take(CIFAR10, [path])
            told = f"is the {version} version of CIFAR; fetch its binary version, cifar-10-binary.tar.gz"
            assert told in str(error.value)


def test_the_lock_is_not_held_by_the_dead(cache: Path, server: Server) -> None:
    with holding(KMNIST.folder) as other:
        other.kill()
        other.wait()
        notes: list[str] = []
        fetch(KMNIST, notes.append)
    assert "in use" not in notes[0]
    with held(KMNIST.folder / ".lock"):
        pass
