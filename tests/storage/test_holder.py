"""The process that works on a folder: it has died as soon as it has ended."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from dlsweep.storage.holder import Holder


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
