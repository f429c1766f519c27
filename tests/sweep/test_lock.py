"""Two runners on one folder (fault 6)."""

from __future__ import annotations

import errno
import os
import platform
import re
import signal
import stat
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import PROGRAMS
from tests.support.sweeps import Make

import dlsweep
from dlsweep.errors import DlsweepError, ResultsInUse
from dlsweep.storage.folder import LocalFolder

HOLD = (PROGRAMS / "hold_lock.py").read_text()


def test_the_second_runner_hears_who_the_first_is(tmp_path: Path, launch: Callable[..., subprocess.Popen[str]]) -> None:
    with launch(HOLD, tmp_path) as first:
        assert first.stdout
        assert first.stdout.readline() == "held\n"
        who = rf"in use: process {first.pid} on {platform.node()} has worked on it since \d{{4}}-\d\d-\d\d \d\d:"
        with pytest.raises(ResultsInUse, match=who), LocalFolder(tmp_path).lock():
            pass
        first.send_signal(signal.SIGKILL)
        first.wait()
        with LocalFolder(tmp_path).lock():
            pass


def test_nothing_but_the_lock_is_left(tmp_path: Path) -> None:
    with LocalFolder(tmp_path).lock(), pytest.raises(ResultsInUse), LocalFolder(tmp_path).lock():
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_locked_is_named(tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    with pytest.raises(DlsweepError, match=f"cannot write {tmp_path}"), LocalFolder(tmp_path).lock():
        pass


def failing(number: int) -> Callable[..., None]:
    def call(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_without_locks_a_note_keeps_others_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", failing(number))
    note = tmp_path / ".runner.json"
    instead = f"{re.escape(str(note))} keeps others out instead; delete it after a crash"
    with warnings.catch_warnings(record=True, action="always") as caught, LocalFolder(tmp_path).lock():
        way = f"in use: process {os.getpid()} on .*: if no process works on it, delete {re.escape(str(note))}"
        with pytest.raises(ResultsInUse, match=way), LocalFolder(tmp_path).lock():
            pass
        assert note.exists()
    assert re.search(instead, str(caught[0].message))
    assert not note.exists()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP])
def test_a_file_system_that_cannot_sync_folders(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    fsync, fail = os.fsync, failing(number)

    def only_files(handle: int) -> None:
        (fail if stat.S_ISDIR(os.fstat(handle).st_mode) else fsync)(handle)

    monkeypatch.setattr(os, "fsync", only_files)
    with pytest.warns(UserWarning, match="cannot be synced") as caught:
        results = dlsweep.run(make(), output=tmp_path, executor="inline")
    assert [Path(one.filename).name for one in caught] == ["test_lock.py"], "the place is the caller's"
    assert results.counts["done"] == 12
