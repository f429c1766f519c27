"""Tiny sweeps on tiny data, and programs that run in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support import commands
from tests.support.sweeps import Execute, Launch, Make

from dlsweep.storage.results import Results


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty samples to learn and thirty to test, six features, three classes."""
    draw = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    arrays: dict[str, Any] = {}
    for split, count in (("train", 60), ("test", 30)):
        arrays[f"t_{split}"] = np.arange(count) % 3
        arrays[f"x_{split}"] = draw.normal(arrays[f"t_{split}"][:, None], 1, (count, 6)).astype(np.float32)
    np.savez(path, **arrays)
    return path


@pytest.fixture
def make(data: Path) -> Make:
    """A sweep of 2 activations × 2 initializers × 3 seeds: two cohorts, twelve runs. `grid` adds to the grid."""

    def make(*, grid: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        return {
            "name": "tiny",
            "data": {"npz": {"path": str(data)}},
            "model": {"mlp": {"hidden": [4]}},
            "train": {"iterations": 6, "batch_size": 5, "sampling": "replacement"},
            "evaluate": {"every": 2, "on": ["batch", "test"]},
            "seeds": 3,
            "grid": {"activation": ["relu", "tanh"], "init": ["he", "xavier"], **(grid or {})},
            **changes,
        }

    return make


# Ends a program with the process that started it.
FOLLOW = "if __name__ == '__main__': from tests.support import processes; processes.follow()\n"
# Where programs find tests.support.
PATH = {"PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Start a Python program as a script of its own; its arguments follow. It ends with the exit code of its error.

    A program that a failed test leaves is killed, with its workers. On Linux it also ends if pytest is killed.
    """
    started: list[subprocess.Popen[str]] = []

    def launch(program: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        script = tmp_path / "program.py"
        script.write_text(FOLLOW + program, encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, str(script), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | PATH,
            **options,
        )
        started.append(process)
        return process

    yield launch
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def execute(tmp_path: Path) -> Execute:
    """Run a Python program to its end as a script of its own; return its exit code and its messages."""

    def execute(program: str, *arguments: object) -> tuple[int, str]:
        script = tmp_path / "program.py"
        script.write_text(program, encoding="utf-8")
        done = commands.python(script, *arguments, folder=tmp_path, environment=PATH)
        return done.returncode, done.stderr

    return execute


@pytest.fixture
def bits() -> Callable[[Results], dict[str, bytes]]:
    """All of some results that is promised to be the same to the last bit, in the order of the config."""

    def bits(results: Results) -> dict[str, bytes]:
        frames = {"runs": results.runs.drop(columns=["seconds", "error"]), "curves": results.curves}
        frames |= {table: getattr(results, table) for table in results.record.tables.optional}
        told = {
            f"{table}.{name}": column.to_numpy() for table, frame in frames.items() for name, column in frame.items()
        }
        return {name: repr(a.tolist()).encode() if a.dtype == object else a.tobytes() for name, a in told.items()}

    return bits


@pytest.fixture
def leftovers() -> Callable[[Path], list[str]]:
    """Names of files that nobody should find after a sweep."""
    return lambda folder: [path.name for path in folder.rglob(".*") if path.name != ".lock"]
