"""Programs in processes of their own, started in milliseconds where the system can fork."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support import PROGRAMS

Done = subprocess.CompletedProcess[str]


@cache
def _starter() -> subprocess.Popen[str]:
    """The process whose forks the programs are; it ends with this one."""
    process = subprocess.Popen(
        [sys.executable, PROGRAMS / "starter.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # a fork has no threads but its own
    )
    atexit.register(process.communicate)
    return process


def python(*arguments: object, folder: Path, environment: dict[str, str] | None = None, anew: bool = False) -> Done:
    """Run `python ARGUMENTS` (`-m MODULE …` or `SCRIPT …`) in a folder, with `environment` besides this process's.

    anew: start an interpreter that has imported nothing, where the environment or the imports matter.
    """
    command = [str(argument) for argument in arguments]
    env = {**os.environ, **(environment or {})}
    if anew or sys.platform != "linux":
        return subprocess.run(
            [sys.executable, *command], cwd=folder, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
    with TemporaryDirectory() as streams:
        out, err = Path(streams, "out"), Path(streams, "err")
        request = {"arguments": command, "folder": str(folder), "environment": env, "out": str(out), "err": str(err)}
        process = _starter()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        code = int(process.stdout.readline())
        return Done(command, code, out.read_text("utf-8"), err.read_text("utf-8"))


def dlsweep(*arguments: object, **options: Any) -> Done:
    """Run `python -m dlsweep ARGUMENTS`; the options are those of `python`."""
    return python("-m", "dlsweep", *arguments, **options)
