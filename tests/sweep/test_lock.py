"""Two runners on one folder (fault 6)."""

from __future__ import annotations

import platform
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import PROGRAMS

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
