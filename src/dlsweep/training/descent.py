"""Descents on a landscape: a stack of points, from their start to their paths."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from dlsweep.config.runs import Run
from dlsweep.datasets.base import Dataset
from dlsweep.nn.in_place import fastest
from dlsweep.nn.landscapes import Landscape, landscapes
from dlsweep.nn.layers import broadcast
from dlsweep.nn.optimizers import optimizers
from dlsweep.nn.schedules import schedules
from dlsweep.training import divergence
from dlsweep.training.observers.curves import Row, long_columns
from dlsweep.training.result import TrainingResult
from dlsweep.types import Array


def descend(runs: Sequence[Run], data: Dataset, *, progress: Callable[[int], None] = lambda n: None) -> TrainingResult:
    """Let the points of one cohort descend as one stack and return their paths.

    The curves have the columns of a network's training: the split is `train`; epoch and accuracy are NaN; further
    columns are `x`, `y` and `distance`, to the nearest minimum. progress: as for `dlsweep.training.loop.train`. A path
    ends before the point at which its run diverges (`dlsweep.training.divergence`).
    """
    start = time.perf_counter()
    arm = runs[0].arm  # whatever is code is the same in every arm of a cohort
    landscape: Landscape = landscapes[arm.model.name](**arm.model.settings)
    steps = arm.train.iterations
    assert steps is not None  # a landscape has no epochs

    path, ended = _paths(runs, landscape, steps, progress)
    curves = long_columns(path, "iteration", "run", "loss", "x", "y")
    none = np.full(len(curves["run"]), np.nan)
    curves |= {"epoch": none, "split": np.full(len(none), "train"), "penalty": np.zeros(len(none)), "accuracy": none}
    return TrainingResult(
        curves=curves | {"distance": landscape.distance(curves["x"], curves["y"])},
        status=["done" if at < 0 else "diverged" for at in ended],
        iterations=[steps if at < 0 else int(at) for at in ended],
        final=[steps] * len(runs),
        parameters=2,
        seconds=time.perf_counter() - start,
    )


def _paths(
    runs: Sequence[Run], landscape: Landscape, steps: int, progress: Callable[[int], None]
) -> tuple[list[Row], Array]:
    """Return the evaluated points of the paths, and the iteration at which each run diverges, or -1."""
    arms = [run.arm for run in runs]
    optimizer, schedule = optimizers[arms[0].optimizer.name], schedules[arms[0].schedule.name]
    stepped, every = fastest(optimizer.function), arms[0].evaluate.every
    w = np.tile(np.array(landscape.start, np.float64), (len(runs), 1))
    gradient = np.zeros_like(w)
    slots = [np.zeros_like(w) for _ in optimizer.rest]
    settings = broadcast(optimizer.columns([a.optimizer for a in arms], np.float64), w)
    scheduled = broadcast(schedule.columns([a.schedule for a in arms], np.float64), w)
    ended = np.full(len(runs), -1)
    path: list[Row] = []

    with np.errstate(all="ignore"):
        for t in range(steps + 1):
            if t:
                lr = settings["lr"] * schedule(t, steps, **scheduled)
                w, *slots = stepped(w, gradient + _noise(landscape, runs, t), t, *slots, **settings | {"lr": lr})
            loss, slopes = landscape.at(*w.T)
            gradient = np.stack(slopes, axis=1)
            if not t:
                limits = divergence.limit(loss, 1.0)
            finite = np.isfinite(loss) & np.isfinite(gradient).all(axis=1) & (loss <= limits)
            ended[(ended < 0) & ~finite] = t  # it stays in the stack, and disturbs no other row of it
            which = np.flatnonzero(ended < 0)
            if t % every == 0 or t == steps:
                x, y = w[which].T
                path.append({"iteration": t, "run": which, "loss": loss[which], "x": x, "y": y})
            progress(len(runs) if t else 0)
            if not len(which):
                progress(len(runs) * (steps - t))
                break

    return path, ended


def _noise(landscape: Landscape, runs: Sequence[Run], t: int) -> Array:
    """Return the noise on the gradients of step t, `(R, 2)`: the same draws for every arm of a seed, scaled."""
    if not landscape.noise:
        return np.zeros(2)
    draws = {seeds: seeds.stream("noise", t).standard_normal(2) for seeds in {run.seeds for run in runs}}
    return np.array([landscape.noise * draws[run.seeds] for run in runs])
