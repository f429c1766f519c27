"""Time and memory of answers from large results: `python -m bench.answers [--quick]`.

Generated stores have claims of every relation, with and without predictions. Each command runs in a process of its own.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import stores
from bench.simulations import Table, command
from dlsweep.config.runs import Run
from dlsweep.datasets import data_of
from dlsweep.storage.results import Results
from dlsweep.training.result import TrainingResult

SEEDS, EVERY, IMAGES = 10, 10, 1000

CLAIMS: list[dict[str, Any]] = [
    {"beats": {"arm": {"activation": "relu"}, "beats": {"activation": "tanh"}}},
    {"beats by": {"arm": {"init": "he"}, "beats": {"init": "xavier"}, "by": 0.005, "expect": "refuted"}},
    {
        "more than": {
            "arm": {"init": "he"},
            "beats": {"init": "xavier"},
            "more": {"activation": "relu"},
            "than": {"activation": "tanh"},
            "expect": "undecided",
        }
    },
    {"equals": {"arm": {"init": "he"}, "equals": {"init": "xavier"}, "within": 0.05}},
    {"above": {"arm": {"activation": "relu"}, "above": 0.5}},
    {"below": {"arm": {"activation": "tanh", "init": "he"}, "below": 0.9}},
    {"order": {"order": [{"activation": "relu", "init": "he"}, {"activation": "tanh", "init": "xavier"}]}},
    {"trend": {"trend": "optimizer.lr", "where": {"init": "he"}}},
    {"monotone": {"monotone": "optimizer.alpha", "expect": "undecided"}},
    {"early": {"arm": {"activation": "relu"}, "beats": {"activation": "tanh"}, "at": 500}},
    {"area": {"arm": {"activation": "relu"}, "beats": {"activation": "tanh"}, "metric": "auc_test_accuracy"}},
    {"spread": {"arm": {"activation": "tanh"}, "above": 0.0, "metric": "spread_over_init_test_accuracy"}},
    {
        "iterations": {
            "arm": {"activation": "relu"},
            "beats": {"activation": "tanh"},
            "metric": "iterations_to_0.5_test_accuracy",
        }
    },
]

PLOTS = [
    {"response": {"x": "optimizer.lr", "rows": "init", "columns": "activation", "lines": "optimizer"}},
    {"forest": {}},
]


def store(output: Path, arms: int, points: int, predictions: bool) -> Results:
    """Write results of a grid of learning rates, momenta, activations and initializations, with noisy curves."""
    rates = np.geomspace(1e-3, 1, arms // 40).round(8).tolist()
    momenta = np.linspace(0.05, 0.95, 10).round(3).tolist()
    config = {
        "name": f"arms-{arms}{'-predictions' * predictions}",
        "data": {"mnist": {"train": 1000, "test": IMAGES}},
        "train": {"iterations": EVERY * points},
        "evaluate": {"every": EVERY, "on": ["test"], "predictions": predictions},
        "grid": {
            "activation": ["relu", "tanh"],
            "init": ["he", "xavier"],
            "optimizer": {"momentum": {"lr": rates, "alpha": momenta}},
        },
        "seeds": SEEDS,
        "claims": CLAIMS,
        "plots": PLOTS,
    }
    draw = np.random.default_rng(0)
    iterations = [EVERY * i for i in range(points + 1)]

    def made_up(runs: Sequence[Run]) -> TrainingResult:
        end = np.array([_end(run) for run in runs])
        noise = 0.005 * draw.normal(size=(len(runs), points + 1))
        accuracy = end[:, None] * (1 - 0.9 ** np.arange(1, points + 2)) + noise
        accuracy = (accuracy.clip(0, 1) * IMAGES).round() / IMAGES
        loss = 2.3 * (1 - accuracy) * draw.uniform(0.99, 1.01, accuracy.shape)
        result = stores.result(iterations, {"test": {"accuracy": accuracy, "loss": loss}})
        if not predictions:
            return result
        labels = data_of(runs[0].arm).arrays.t_test
        hardness = np.arange(IMAGES) / IMAGES + 0.2 * draw.normal(size=(len(runs), IMAGES))
        wrong = hardness.argsort(axis=1).argsort(axis=1) >= (accuracy[:, -1:] * IMAGES).round()
        return replace(result, predictions=list(((labels + wrong) % 10).astype(np.uint8)))

    return stores.write(output, config, made_up)


def _end(run: Run) -> float:
    """Return the accuracy that a run tends to."""
    best = 0.95 - 0.02 * np.log10(run.arm.optimizer.settings["lr"]) ** 2
    return float(best - 0.01 * (run.arm.levels["activation"] == "tanh") - 0.003 * (run.arm.levels["init"] == "xavier"))


COMMANDS = (
    ("show", "--top", "10"),
    ("show", "-y", "auc_test_accuracy", "--top", "10"),
    ("check",),
    ("effects",),
    ("plot", "--quiet"),
)


def measured(words: Sequence[str], results: Path) -> list[str]:
    """Return seconds, processor seconds and peak gigabytes of a command on some results."""
    # 3: a claim is not decided as in the larger store
    wall, cpu, memory = stores.usage([sys.executable, "-m", "dlsweep", words[0], str(results), *words[1:]], (0, 3))
    return [f"{wall:.1f}", f"{cpu:.1f}", f"{memory / 1e9:.2f}"]


def tables(share: float) -> Iterable[Table]:
    """Yield a table for each store; its number of arms is a share of the full one."""
    for arms in (1000, 10_000):
        arms = max(80, int(arms * share))
        for predictions in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                results = store(Path(folder), arms, 100, predictions).folder
                title = f"{arms} arms × {SEEDS} seeds × 100 evaluations{', with predictions' * predictions}"
                note = f"{len(CLAIMS)} claims, {len(PLOTS)} plots" + f", {IMAGES} test images" * predictions
                table = Table(title, note + ".", ["dlsweep", "seconds", "processor s", "memory, GB"])
                table.rows.extend([" ".join(words), *measured(words, results)] for words in COMMANDS)
                yield table


if __name__ == "__main__":
    command("answers", "Answers from large results", tables)
