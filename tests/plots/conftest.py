"""Frames such as `tidy` makes, with curves that look like training but are made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dlsweep.running import parts
from dlsweep.running.results import Results

MadeUp = Callable[..., pd.DataFrame]


def _made_up(
    factors: Mapping[str, Sequence[str]],
    *,
    seeds: int = 3,
    points: int = 11,
    splits: Sequence[str] = ("batch", "test"),
    classes: int | None = 10,
    diverged: Mapping[str, float] | None = None,
    failed: Sequence[str] = (),
) -> pd.DataFrame:
    """A tidy frame: every combination of the levels with every seed, a row each 10 iterations and split.

    A run's name is the number of its arm, a colon and its seed ("0:2"). diverged: runs, with the iteration of their
    last point. failed: runs without a curve.
    """
    diverged = diverged or {}
    parts = []
    x = np.arange(points) * 10
    for arm, combination in enumerate(product(*factors.values())):
        best = 0.1 + 0.85 * ((arm * 0.37) % 1)
        for seed, split in product(range(seeds), splits):
            rng = np.random.default_rng([arm, seed, len(split)])
            speed = 0.002 * (1 + arm % 4) * (1 + 0.3 * np.random.default_rng([arm, seed]).normal()) ** 2
            accuracy = 0.1 + (best - 0.1) * (1 - np.exp(-speed * x)) + rng.normal(0, 0.01, points)
            rows = pd.DataFrame(
                {
                    "run_id": f"{arm}:{seed}",
                    "arm": ", ".join(combination) or "all",
                    **dict(zip(factors, combination)),
                    "seed": seed,
                    "status": "done",
                    "iteration": x,
                    "epoch": x / 600,
                    "split": split,
                    "loss": 2.4 - 2.3 * accuracy,
                    "penalty": 0.01 * x,
                    "accuracy": accuracy.clip(0, 1),
                }
            )
            if (run := f"{arm}:{seed}") in diverged:
                rows = rows[rows["iteration"] <= diverged[run]].assign(status="diverged")
            elif run in failed:
                measured = ["iteration", "epoch", "split", "loss", "penalty", "accuracy"]
                rows = rows.iloc[:1].assign(status="failed", **dict.fromkeys(measured))
            parts.append(rows)
    frame = pd.concat([part.astype({"split": object}) for part in parts], ignore_index=True)
    for name in ("iteration", "epoch", "loss", "penalty", "accuracy"):
        frame[name] = frame[name].astype(float)
    for name, levels in factors.items():
        frame[name] = pd.Categorical(frame[name], list(levels))
    return frame if classes is None else frame.assign(classes=classes)


@pytest.fixture
def made_up() -> MadeUp:
    return _made_up


def add_layers(results: Results, depth: int = 3, every: int = 2, points: int = 4) -> None:
    """Write the table `layers/` of a sweep that was trained without it: made up, but as training writes it.

    Gradients shrink from layer to layer by a factor of the run's own; histograms stand at the first iteration and the
    last.
    """
    schema = results.record.tables.layers
    for stem, path in parts.listing(results.folder / "runs").items():
        rows = []
        for run in parts.decode(path, results.record.tables.runs).to_pylist():
            rng = np.random.default_rng(int(run["run_id"], 16) % 2**32)
            shrink = 10 ** -rng.uniform(0.1, 1)
            reached = points if run["status"] == "done" else points // 2
            for point, layer in product(range(reached), range(depth)):
                measured = point in (0, points - 1)
                spread = 0.5 * (1 + layer) ** -0.5
                low, high = -3 * spread, 3 * spread
                counts = np.histogram(rng.normal(0, spread, 1000).clip(low, high), 30, (low, high))[0].astype(float)
                shapes = {"low": low, "high": high, "histogram": counts.tolist()}
                values = {
                    "iteration": point * every,
                    "layer": f"dense{layer + 1}",
                    "weight_norm": 1.0 + layer + 0.1 * point,
                    "gradient_rms": shrink ** (depth - layer) * np.exp(-0.1 * point),
                    "update_ratio": None if point == 0 else 1e-3,
                    "activation_mean": 0.1 * layer,
                    "activation_std": spread,
                    "saturated": 0.1 * layer,
                    "dead": 0.0,
                    "sparsity": 0.5,
                    **{
                        f"{kind}_{k}": v if measured else None
                        for kind in ("activation", "weight")
                        for k, v in shapes.items()
                    },
                }
                rows.append({name: values.get(name, run.get(name)) for name in schema.names})
        content = parts.encode(pa.Table.from_pylist(rows, schema=schema))
        (results.folder / "layers").mkdir(exist_ok=True)
        (results.folder / "layers" / parts.name(stem, content)).write_bytes(content)
