"""Results with made-up curves, written by dlsweep's own writers, for tests and for `bench.answers`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bench.common import environment
from dlsweep import open_results
from dlsweep.config import load
from dlsweep.config.runs import Run
from dlsweep.storage import compatibility
from dlsweep.storage.folder import make_folder
from dlsweep.storage.results import Results
from dlsweep.storage.store import WRITTEN, Store
from dlsweep.training.result import TrainingResult

CHUNK = 100  # runs in a part, as in sweeps of small networks


def write(
    output: Path, config: Mapping[str, Any], result_of: Callable[[Sequence[Run]], TrainingResult], chunk: int = CHUNK
) -> Results:
    """Write the results of a config, with the results of its runs from a function; return them.

    There are predictions only if the config asks for them.
    """
    config = {**config, "evaluate": {"predictions": False, **config.get("evaluate", {})}}
    asked = load(config, max_runs=1_000_000)
    folder = make_folder(output, asked.name, (*WRITTEN, "figures"))
    store = Store(folder, compatibility.tables(asked, None))
    every = iter(asked.runs())
    while runs := tuple(islice(every, chunk)):
        store.commit(store.encode(runs, result_of(runs)))
    folder.put("sweep.yaml", asked.text)
    compatibility.describe(asked, None, {}).write(folder)
    return open_results(str(folder))


def result(
    iterations: Sequence[int],
    columns: Mapping[str, Mapping[str, np.ndarray]],
    status: Sequence[str] | None = None,
    final: Sequence[int] | None = None,
) -> TrainingResult:
    """Return the result of runs with evaluations at some iterations.

    columns: by split, of `accuracy`, `loss` and `penalty`, `(runs, evaluations)`; NaN from where a run has no more
    evaluations.
    """
    shape = next(iter(next(iter(columns.values())).values())).shape
    runs, points = (a.ravel() for a in np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij"))
    order = np.argsort(points, kind="stable")
    runs, points = runs[order], points[order]
    parts = []
    for split, own in columns.items():
        filled = {name: own.get(name, np.zeros(shape)).ravel()[order] for name in ("loss", "penalty", "accuracy")}
        there = ~np.isnan(filled["accuracy"])
        at = np.asarray(iterations)[points]
        part = {"run": runs, "iteration": at, "epoch": at / 100, "split": np.full(len(at), split), **filled}
        parts.append({name: values[there] for name, values in part.items()})
    curves = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    last = np.zeros(shape[0], int)
    np.maximum.at(last, curves["run"], curves["iteration"])
    ends = last.tolist()
    return TrainingResult(curves, list(status or ["done"] * shape[0]), ends, list(final or ends), 1000, 0.5 * shape[0])


def usage(line: Sequence[str], expected: Collection[int] = (0,)) -> tuple[float, float, float]:
    """Return seconds, processor seconds with those of its children, and peak bytes of one process of a command."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=told, env=environment(None))
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        told.seek(0)
        if process.returncode not in expected:
            raise RuntimeError(f"{' '.join(line)} has failed: {told.read().decode()}")
    memory = used.ru_maxrss * (1 if sys.platform == "darwin" else 1e3)
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, memory
