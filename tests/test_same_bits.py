"""A run does not know its company: however a sweep was computed, its curves are the same to the last bit (fault 22)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import dlsweep

pytestmark = pytest.mark.slow


def lists(values: list[Any], size: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=size, unique_by=str)


@st.composite
def sweeps(draw: st.DrawFn) -> dict[str, Any]:
    """A small sweep of several cohorts, with numbers that stack, on data with dark features; some runs diverge."""
    rates = draw(lists([0.01, 0.1, 1e30], 2))
    return {
        "name": "drawn",
        "data": {"npz": {"path": "drawn.npz", "train": draw(st.sampled_from([None, 20])), "validation": 5}},
        "model": {"mlp": {"hidden": draw(st.lists(st.integers(1, 8), max_size=3))}},
        "train": {
            "iterations": draw(st.sampled_from([3, 40, 400])),
            "batch_size": draw(st.integers(1, 12)),
            "sampling": draw(st.sampled_from(["shuffle", "replacement"])),
        },
        "evaluate": {"every": 7, "on": ["batch", "train", "validation", "test"]},
        "seeds": draw(st.integers(1, 3)),
        "grid": {
            "activation": draw(lists(["sigmoid", "tanh", "relu", "identity"], 2)),
            "init": draw(lists(["xavier", "he", "zeros", {"normal": {"std": 0.5}}], 3)),
            "optimizer": [{draw(st.sampled_from(["sgd", "momentum", "adam"])): {"lr": rates}}],
        },
    }


def kernels(groups: st.SearchStrategy[int]) -> st.SearchStrategy[dict[str, Any]]:
    """Convolutions that fit on what others of them have left of 7×6 pixels, with four filters."""
    settings = {
        "kernel": st.sampled_from([1, 2, [2, 1]]),
        "stride": st.sampled_from([1, 1, 2]),
        "pad": st.just("same"),
        "groups": groups,
        "bias": st.booleans(),
    }
    return st.fixed_dictionaries({"conv": st.fixed_dictionaries({"filters": st.just(4), **settings})})


@st.composite
def sweeps_of_images(draw: st.DrawFn) -> dict[str, Any]:
    """A small sweep of convolutional networks: a list of layers of any kind, and the techniques with their numbers."""
    between = [
        "activation", "relu", "prelu", {"gelu": {}}, "batch", "layer", "instance", "group", "lrn",
        {"dropout": 0.3}, {"pool": {"size": 2, "pad": "same"}}, {"pool": {"size": 2, "stride": 1, "kind": "average"}},
    ]  # fmt: skip
    of = [
        *draw(st.lists(st.sampled_from(["batch", "layer", "instance", "tanh", {"dropout": 0.1}]), max_size=1)),
        draw(kernels(st.sampled_from([1, 2]))),
        *draw(st.lists(st.sampled_from(between), max_size=3)),
        draw(kernels(st.sampled_from([1, 2, 4]))),
        "activation",
        *draw(st.lists(st.sampled_from([*between, "flatten", "global_average_pool"][3:]), max_size=1)),
        *draw(st.sampled_from([[], [{"dense": 4}, "activation"]])),
    ]
    regularizers: list[Any] = [
        {"l2": {"strength": [0.0, 0.1], "on": "activity"}},
        {"elastic_net": {}, "max_norm": {"limit": [0.5, 1.0]}},
        {"dropconnect": {"ratio": [0.1, 0.3]}},
        {"dropout": {"mode": "classic"}, "input_noise": {"std": [0.1, 0.3]}, "label_smoothing": {}},
    ]
    return {
        "name": "drawn",
        "data": {"npz": {"path": "drawn.npz", "train": draw(st.sampled_from([None, 20])), "validation": 5}},
        "model": {"layers": of},
        "train": {"iterations": draw(st.sampled_from([3, 20])), "batch_size": draw(st.integers(2, 12))},
        "evaluate": {"every": 7, "on": ["batch", "train", "validation", "test"]},
        "seeds": draw(st.integers(1, 3)),
        "grid": {
            "activation": draw(lists(["tanh", "relu", {"prelu": {"start": [0.1, 0.2]}}], 1)),
            "init": draw(lists(["he", "orthogonal", "lsuv", {"normal": {"std": 0.5}}], 2)),
            "normalization": draw(lists(["none", "batch", "group", "lrn", "layer"], 1)),
            "regularizer": draw(lists(regularizers, 1)),
            "optimizer": [{draw(st.sampled_from(["momentum", "adam"])): {"lr": draw(lists([0.01, 0.1, 1e30], 2))}}],
        },
    }


def write(folder: Path, sweep: dict[str, Any]) -> Path:
    rng = np.random.default_rng(0)
    shape = (2, 7, 6) if "layers" in sweep["model"] else (30,)
    arrays: dict[str, Any] = {}
    for split, count in (("train", 40), ("test", 30)):
        x = rng.integers(1, 256, (count, *shape)) * (rng.random((count, *shape)) < 0.3)
        t = x.reshape(count, 3, -1).sum(axis=2).argmax(axis=1)
        arrays |= {f"x_{split}": x.astype(np.uint8), f"t_{split}": t}
    np.savez(folder / "drawn.npz", **arrays)
    (folder / "sweep.yaml").write_text(yaml.safe_dump(sweep), encoding="utf-8")
    return folder / "sweep.yaml"


def bits(curves: pd.DataFrame) -> dict[str, bytes]:
    """Every run's curve as bytes."""
    numbers = ["iteration", "epoch", "loss", "penalty", "accuracy"]
    return {
        f"{run} {split}": b"".join(rows.sort_values("iteration")[c].to_numpy().tobytes() for c in numbers)
        for (run, split), rows in curves.groupby(["run_id", "split"], observed=True)
    }


few = settings(
    max_examples=3, phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip


@few
@given(sweeps(), st.data())
def test_the_same_bits_alone_in_chunks_in_workers_and_after_a_kill(sweep: dict[str, Any], data: st.DataObject) -> None:
    has_one_set_of_bits(sweep, data)


@few
@given(sweeps_of_images(), st.data())
def test_the_same_bits_of_convolutional_networks(sweep: dict[str, Any], data: st.DataObject) -> None:
    has_one_set_of_bits(sweep, data)


def has_one_set_of_bits(sweep: dict[str, Any], data: st.DataObject) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        config = dlsweep.load(write(folder, sweep))
        whole = dlsweep.run(config, output=folder / "inline", executor="inline")
        expected = bits(whole.curves)
        assert {key.split()[0] for key in expected} == {run.id for run in config.runs()}

        jobs = data.draw(st.integers(1, 2))
        workers = dlsweep.run(config, output=folder / "workers", executor="processes", jobs=jobs)
        assert bits(workers.curves) == expected

        # The memory for one run of a stack at a time, or two, or three: other chunks.
        small = dlsweep.run(
            config, output=folder / "chunks", executor="inline", max_memory=data.draw(st.integers(1, 30_000))
        )
        assert bits(small.curves) == expected

        # One run alone: a sweep of its own, of one arm and one seed.
        alone = data.draw(st.sampled_from(list(config.runs())))
        levels = {factor: alone.arm.levels[factor] for factor in sweep["grid"]}
        single = write(folder, {**sweep, "name": "alone", "only": [levels], "seeds": [alone.seed]})
        curve = bits(dlsweep.run(single, output=folder, executor="inline").curves)
        assert curve == {key: value for key, value in expected.items() if key.startswith(alone.id)}

        # Killed with its workers when it has committed its first chunk, and run again.
        write(folder, sweep)
        command = [sys.executable, "-m", "dlsweep", "run", "sweep.yaml", "-j", "2", "-o", "killed", "-q"]
        with subprocess.Popen(
            command, cwd=folder, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            while process.poll() is None and not list(folder.glob("killed/drawn/runs/*.parquet")):
                time.sleep(0.01)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        assert bits(dlsweep.run(config, output=folder / "killed", executor="inline").curves) == expected
