"""Run commands at the same time. `python together.py "[[\"sleep\", \"1\"]]"` prints what they took, as JSON.

A process of its own, since it waits for all of its children.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import time
from contextlib import suppress

PR_SET_CHILD_SUBREAPER = 36  # of Linux's prctl


def together(lines: list[list[str]]) -> tuple[float, float]:
    """Run commands. Return seconds, and processor seconds of them and of all their descendants.

    A server that forks the workers is no child that its parent waits for: on Linux this process adopts it.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    start = time.perf_counter()
    processes = [subprocess.Popen(line) for line in lines]
    assert [process.wait() for process in processes] == [0] * len(lines)
    wall = time.perf_counter() - start
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    print(json.dumps(together(json.loads(sys.argv[1]))))
