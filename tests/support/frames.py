"""Frames like those of `curves_of`, with made-up curves that look like training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd


def made_up(
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
    kinds = {"split": object, **dict.fromkeys(("iteration", "epoch", "loss", "penalty", "accuracy"), float)}
    frame = pd.concat([part.astype(kinds) for part in parts], ignore_index=True)
    for name, levels in factors.items():
        frame[name] = pd.Categorical(frame[name], list(levels))
    return frame if classes is None else frame.assign(classes=classes)
