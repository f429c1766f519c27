"""Programs in processes of their own, started in milliseconds where the system can fork."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from tests.support import PROGRAMS
from tests.support.processes import started

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


# Before a command that trains without end: if no test stops it, the system does, after two minutes of processor time.
ENDING = ["bash", "-c", 'ulimit -t 120; exec "$@"', "bash"]

TINY = """\
name: tiny
data: {npz: {path: tiny.npz}}
model: {mlp: {hidden: [8]}}
train: {iterations: 20, batch_size: 10}
seeds: 3
grid:
  activation: [tanh, relu]
  init: [xavier, he]
"""


class Dlsweep:
    """`dlsweep` in a folder with a tiny data set and a config. environment: its variables besides this process's."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment: dict[str, str] = {}
        rng = np.random.default_rng(0)
        x, t = rng.normal(size=(60, 5)).astype(np.float32), np.arange(60) % 3
        x[:, 0] += 3 * t
        np.savez(folder / "tiny.npz", x_train=x[:40], t_train=t[:40], x_test=x[40:], t_test=t[40:])
        (folder / "tiny.yaml").write_text(TINY, "utf-8")

    def __call__(self, *arguments: str, code: int | None = 0, anew: bool = False, **environment: Any) -> Done:
        env = {"COLUMNS": "200", **self.environment, **environment}
        done = dlsweep(*arguments, folder=self.folder, environment=env, anew=anew)
        assert code in (None, done.returncode), done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    @contextmanager
    def start(self, *arguments: str, before: Sequence[str] = (), **environment: Any) -> Iterator[subprocess.Popen[str]]:
        """Start `dlsweep run tiny.yaml`, which ends with the block. before: a command that starts it."""
        command = [*before, sys.executable, "-m", "dlsweep", "run", "tiny.yaml", *arguments]
        env = {**os.environ, **self.environment, **environment}
        with started(command, cwd=self.folder, env=env) as process:
            yield process
