"""The process that works on a folder: it has died as soon as it has ended."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import datetime
from typing import Any

import pytest

from dlsweep.storage.holder import Holder


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {},
        {"host": "node7", "pid": 1},
        {"host": "node7", "pid": 1, "since": "soon"},
        {"host": "node7", "pid": 1, "since": 5},
        {"host": 7, "pid": 1, "since": "2026-01-01"},
        {"host": "node7", "pid": float("inf"), "since": "2026-01-01"},
        {"host": "node7", "pid": "one", "since": "2026-01-01"},
        {"host": "node7", "pid": 1, "since": "0001-01-01"},
    ],
)
def test_content_of_another_program_names_no_process(content: Any) -> None:
    with pytest.raises(ValueError, match="it names no process"):
        Holder.of(content)


def test_a_time_without_a_zone_is_one_of_this_machine() -> None:
    holder = Holder.of({"host": "node\x1b[31m7", "pid": 1, "since": "2026-01-01"})
    assert datetime.fromisoformat(holder.since).tzinfo
    assert str(holder).isprintable()


@pytest.mark.skipif(sys.platform != "linux", reason="states of processes as Linux tells them")
def test_a_process_that_has_ended_has_died_before_its_parent_asks() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        holder = Holder(platform.node(), process.pid, "")
        died = [holder.has_died]
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        died.append(holder.has_died)
    assert [*died, holder.has_died] == [False, True, True]
    assert not Holder("another machine", process.pid, "").has_died
