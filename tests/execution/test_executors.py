"""The executor that is chosen, the number of its workers and their memory."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.commands import Dlsweep

import dlsweep
from dlsweep import machine
from dlsweep.errors import UsageError
from dlsweep.execution.dask import INSTALL
from dlsweep.execution.executors import Executor, Options, choose, executors
from dlsweep.machine import BLAS_BUFFER

GB = 1 << 30
CONFIG: dict[str, Any] = {
    "name": "tiny",
    "data": {"mnist": {"train": 100, "test": 100}},
    "model": {"mlp": {"hidden": [4]}},
    "train": {"iterations": 2},
    "seeds": 8,
}


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of four cores and eight gigabytes."""
    monkeypatch.setattr(machine, "cores", lambda: 4)
    monkeypatch.setattr(machine, "memory", lambda: 8 * GB)
    monkeypatch.setattr("dlsweep.execution.executors.registering_modules", lambda: ())


@pytest.mark.parametrize(
    ("options", "workers", "memory"),
    [
        ({}, 4, GB),
        ({"jobs": 1}, 1, 4 * GB),
        ({"executor": "inline", "jobs": 1}, 1, 4 * GB),
        ({"jobs": 2, "max_memory": 6 * GB}, 2, 3 * GB),
        ({"max_memory": 1}, 4, BLAS_BUFFER),
    ],
)
def test_workers_share_the_memory(options: dict[str, Any], workers: int, memory: int) -> None:
    executor = choose(Options(Path(), **options))
    assert executor.workers == workers
    assert executor.stack_memory == memory - BLAS_BUFFER


@pytest.mark.parametrize("options", [["--executor", "dask"], ["--executor", "dask", "--dry-run"], ["--scheduler", "x"]])
def test_without_its_package_dask_is_refused_before_training(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "distributed.py").write_text("raise ImportError", "utf-8")  # it may be installed
    done = Dlsweep(tmp_path)("run", "tiny.yaml", *options, code=2, anew=True, PYTHONPATH=str(tmp_path))
    assert done.stderr == f"{INSTALL}\n"
    assert not (tmp_path / "results").exists()


@pytest.fixture
def seen() -> Iterator[list[int]]:
    """The widths of the chunks that an executor of a test is given; it states four workers, or as many as asked."""
    widths: list[int] = []

    def train(jobs, task, chunks, progress):
        for chunk in chunks:
            widths.append(len(chunk))
            yield from task.work(chunk, progress)

    @executors.register
    def listing(*, jobs: int = 4) -> Executor:
        """Registered by a test."""
        return Executor(partial(train, jobs), workers=jobs, memory=GB)

    yield widths
    del executors._entries["listing"]


@pytest.mark.parametrize("jobs", [None, 2])
def test_an_executor_describes_itself(seen: list[int], tmp_path: Path, jobs: int | None) -> None:
    forecast = dlsweep.dry_run(CONFIG, output=tmp_path, executor="listing", jobs=jobs)
    assert forecast.workers == (jobs or 4)
    assert not seen
    results = dlsweep.run(CONFIG, output=tmp_path, executor="listing", jobs=jobs)
    assert set(results.runs["status"]) == {"done"}
    assert len(seen) == forecast.chunks
    assert len(seen) >= forecast.workers


def test_an_executor_that_describes_nothing_is_told() -> None:
    @executors.register
    def bare():
        """Registered by a test."""

    try:
        with pytest.raises(
            UsageError, match=r"executor 'bare' \(.*test_executors\.py:\d+\) must return an Executor, got None"
        ):
            choose(Options(Path(), executor="bare"))
    finally:
        del executors._entries["bare"]


def test_a_run_that_needs_more_is_told(seen: list[int], tmp_path: Path) -> None:
    forecast = dlsweep.dry_run(CONFIG, output=tmp_path, executor="listing", max_memory=1)
    assert any("B, more than max_memory leaves to a worker; it trains alone" in note for note in forecast.notes)
    assert forecast.chunks == 8
