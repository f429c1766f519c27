"""Results with made-up curves, written by dlsweep's own writers: large ones for measurements, small ones for tests.

python -m bench.stores FOLDER ARMS SEEDS POINTS

Processor time and memory of `dlsweep show --top 3` on a two-core Xeon:

| arms × seeds × points | `-y test_loss` | `-y auc_test_accuracy` |
|---|---|---|
| 1000 × 10 × 100 | 1.6 s, 0.2 GB | 2.3 s, 0.3 GB |
| 10 000 × 10 × 100 | 5.1 s, 0.3 GB | 10.3 s, 1.1 GB |
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

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

    There are no predictions.
    """
    config = {**config, "evaluate": {**config.get("evaluate", {}), "predictions": False}}
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


def large(output: Path, arms: int, seeds: int, points: int) -> Results:
    """Write results of a grid of learning rates and momenta, with noisy curves."""
    rates = np.geomspace(1e-3, 1, arms // 10).round(8).tolist()
    config = {
        "name": f"store-{arms}-{seeds}-{points}",
        "data": {"mnist": {"train": 300, "test": 200}},
        "train": {"iterations": 10 * points},
        "evaluate": {"every": 10, "on": ["test"], "predictions": False},
        "grid": {"optimizer": {"momentum": {"lr": rates, "alpha": np.linspace(0.05, 0.95, 10).round(3).tolist()}}},
        "seeds": seeds,
    }
    draw = np.random.default_rng(0)
    iterations = [10 * i for i in range(points + 1)]

    def made_up(runs: Sequence[Run]) -> TrainingResult:
        end = np.array([0.95 - 0.02 * np.log10(run.arm.optimizer.settings["lr"]) ** 2 for run in runs])
        shape = len(runs), points + 1
        accuracy = end[:, None] * (1 - 0.9 ** np.arange(1, points + 2)) + 0.005 * draw.normal(size=shape)
        accuracy = accuracy.clip(0, 1)
        return result(iterations, {"test": {"accuracy": accuracy, "loss": 2.3 * (1 - accuracy)}})

    return write(output, config, made_up)


if __name__ == "__main__":
    folder, *numbers = sys.argv[1:]
    print(large(Path(folder), *map(int, numbers)).folder)
