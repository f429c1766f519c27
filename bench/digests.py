"""Protect a refactoring: compare a digest of every table of small sweeps, which use every technique.

    make digests                    train, compare with bench/digests.json; on an unknown machine, record
    make digests DIGESTS=--record   train and record, after an intended change of numbers

Bits depend on the BLAS kernel and on the versions of Python, NumPy and SciPy, so the file holds the digests by machine.
Times are left out. If columns differ, their sweep and table are printed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import scipy
from threadpoolctl import threadpool_info

import dlsweep

FILE = Path(__file__).with_name("digests.json")
# Columns that depend on the moment and on the program, not on the networks. The checksum is one of a file, whose
# parameters have a digest of their own.
TIMES = ("seconds", "error", "kept_checksum")

Digests = dict[str, dict[str, dict[str, str]]]  # sweep, table, column

ALL_ACTIVATIONS = [
    "identity", "sigmoid", "tanh", "relu", {"leaky_relu": {"slope": [0.01, 0.2]}}, "elu", "selu", "softplus",
    "softsign", "hard_sigmoid", "gelu", "gelu_tanh", "silu", "mish", {"prelu": {"start": [0.25, 0.1]}},
]  # fmt: skip
ALL_INITIALIZERS = [
    {"normal": {"std": [0.01, 0.1]}}, "truncated_normal", "uniform", "xavier", "lecun", "glorot_normal",
    "glorot_uniform", "he", "he_uniform", "orthogonal", "constant", "zeros", "lsuv",
]  # fmt: skip
ALL_OPTIMIZERS = [
    {"sgd": {"lr": [0.1, 1e30]}}, "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "amsgrad",
    "nadam", "lion",
]  # fmt: skip
ALL_SCHEDULES = [
    "constant", {"step": {"every": 4}}, "exponential", "cosine", {"warm_up": {"iterations": 5}}, "one_cycle",
]  # fmt: skip
PENALTIES = [
    "none", {"l1": {}}, {"l1": {"on": "activity"}}, {"l2": {"strength": [0.001, 0.1]}}, {"l2": {"on": "activity"}},
    {"elastic_net": {}}, {"max_norm": {"limit": 1.0}}, {"label_smoothing": {}}, {"input_noise": {"std": [0.1, 0.3]}},
]  # fmt: skip
DROPS = [
    {"dropout": {"ratio": [0.2, 0.5]}}, {"dropout": {"mode": "classic"}}, {"dropconnect": {"ratio": 0.2}},
    {"dropconnect": {"inference": "gaussian", "samples": 3}}, {"dropout": {"ratio": 0.15}, "l1": {"strength": 0.005}},
]  # fmt: skip
LISTS = [
    [{"conv": {"filters": 4, "kernel": 3, "pad": 1}}, "activation", {"pool": 2}, {"dense": 6}, "activation"],
    [
        {"conv": {"filters": 4, "kernel": 3, "stride": 2}},
        "batch",
        "relu",
        {"conv": {"filters": 4, "groups": 2}},
        "tanh",
    ],
    [{"conv": {"filters": 4, "bias": 0.5}}, "lrn", "activation", {"pool": {"size": 3, "stride": 2, "kind": "average"}}],
    [{"conv": {"filters": 4, "bias": False, "pad": "same"}}, "activation", {"dropout": 0.3}, "global_average_pool"],
    [{"dropout": {"ratio": 0.2, "mode": "classic"}}, "flatten", {"dense": {"units": 5, "bias": 0.1}}, "activation"],
]
MODELS = [
    {"simple_cnn": {"filters": 4, "hidden": 10}}, "lenet", {"lenet": {"variant": "modern"}}, "alexnet",
    {"vgg": {"widths": [3, 4], "hidden": [8]}},
]  # fmt: skip
LANDSCAPES = ["narrow_valley", "rosenbrock", "beale", "himmelblau", "saddle"]

ROWS = {"npz": {"path": "rows.npz"}}
IMAGES = {"npz": {"path": "images.npz"}}
LARGE = {"npz": {"path": "large.npz"}}
MLP = {"mlp": {"hidden": [8, 6]}}
EVERYWHERE = {"every": 5, "on": ["batch", "train", "validation", "test"]}

SWEEPS: dict[str, dict[str, Any]] = {
    "activations": {"data": ROWS, "model": MLP, "grid": {"activation": ALL_ACTIVATIONS}},
    "initializers": {"data": ROWS, "model": MLP, "grid": {"init": ALL_INITIALIZERS, "activation": ["relu", "tanh"]}},
    "optimizers": {"data": ROWS, "model": MLP, "grid": {"optimizer": ALL_OPTIMIZERS, "train.clip_norm": [None, 0.5]}},
    "schedules": {"data": ROWS, "model": MLP, "grid": {"schedule": ALL_SCHEDULES, "optimizer": ["sgd", "adam"]}},
    "penalties": {"data": ROWS, "model": MLP, "grid": {"regularizer": PENALTIES}},
    "drops": {
        "data": {"npz": {"path": "images.npz", "train": 40, "validation": 10, "standardize": True}},
        "model": MLP, "grid": {"regularizer": DROPS},
    },
    "normalizations": {
        "data": IMAGES, "model": {"layers": {"of": LISTS[0]}},
        "grid": {"normalization": ["none", "batch", "layer", "instance", {"group": {"groups": 2}}, "lrn"],
                 "activation": ["relu", "prelu"]},
    },
    "layers": {"data": IMAGES, "grid": {"model.layers.of": LISTS}, "model": {"layers": {"of": LISTS[0]}}},
    "networks": {"data": LARGE, "grid": {"model": MODELS}, "train": {"iterations": 4, "batch_size": 8}},
    "images": {
        "data": IMAGES, "model": {"layers": {"of": LISTS[0]}},
        "grid": {"regularizer": [{"crop": {"pad": 2}}, {"flip": {}}, *DROPS[2:]], "normalization": ["none", "batch"]},
    },
    "probes": {
        "data": IMAGES, "model": {"layers": {"of": LISTS[0]}},
        "evaluate": EVERYWHERE | {"layers": True, "keep": "final"},
        "grid": {"activation": ["relu", "sigmoid", "prelu"], "regularizer": ["none", {"l1": {"on": "activity"}}],
                 "optimizer": {"momentum": {"lr": [0.1, 1e30]}}},
    },
    "stopping": {
        "data": ROWS, "model": MLP,
        "train": {"iterations": 60, "batch_size": 10, "patience": 2, "monitor": "validation_loss"},
        "evaluate": EVERYWHERE | {"keep": "best"},
        "grid": {"optimizer": {"adam": {"lr": [0.01, 0.1]}}, "train.restore_best": [False, True]},
    },
    "ensembles": {
        "data": {"npz": {"path": "rows.npz", "train": 40, "validation": 10}}, "model": MLP,
        "evaluate": EVERYWHERE | {"ensemble": True, "layers": True},
        "grid": {"optimizer": {"adam": {"lr": [0.01, 0.1]}}, "regularizer": ["none", "dropout"]},
    },
    "landscapes": {
        "train": {"iterations": 30}, "evaluate": {"every": 5},
        "grid": {"model": [{name: {"noise": 0.1}} for name in LANDSCAPES], "optimizer": ["sgd", "momentum", "adam"],
                 "schedule": ["constant", "cosine"]},
    },
}  # fmt: skip


def write_data(folder: Path) -> None:
    """Write data sets of bytes, most of them zero, with labels computed in integers: the same on every machine."""
    rng = np.random.default_rng(0)
    for name, shape in {"rows": (20,), "images": (2, 9, 8), "large": (1, 28, 28)}.items():
        arrays = {}
        for split, count in {"train": 120, "test": 600}.items():
            x = rng.integers(1, 256, (count, *shape)) * (rng.integers(0, 10, (count, *shape)) < 4)
            t = x.reshape(count, 4, -1).sum(axis=2).argmax(axis=1)
            arrays |= {f"x_{split}": x.astype(np.uint8), f"t_{split}": t}
        np.savez(folder / f"{name}.npz", **arrays)  # type: ignore[arg-type]


def train(name: str, sweep: Mapping[str, Any], folder: Path) -> dlsweep.Results:
    """Train a sweep in this process, by default with two seeds and twelve iterations."""
    config: dict[str, Any] = {"name": name, "seeds": 2, **sweep}
    if name != "landscapes":
        config = {"train": {"iterations": 12, "batch_size": 10}, "evaluate": EVERYWHERE, **config}
        if "validation" in config["evaluate"]["on"]:
            own = config["data"]["npz"]
            config["data"] = {"npz": {"validation": 10, **own, "path": str(folder / own["path"])}}
    return dlsweep.run(config, output=folder / "results", executor="inline")


def digests(results: dlsweep.Results) -> dict[str, dict[str, str]]:
    """The digest of every column of every table, and of the kept weights."""
    found = {}
    for table in ("runs", "curves", "layers", "ensembles", "predictions"):
        if (results.folder / table).is_dir():
            found[table] = dict(_columns(getattr(results, table)))
    if (results.folder / "weights").is_dir():
        kept = blake2b(digest_size=8)
        done = results.runs[results.runs["status"] != "diverged"]
        for run_id in done["run_id"].astype(str).sort_values():
            for name, w in results.load(run_id).parameters.items():
                kept.update(name.encode() + w.tobytes())
        found["weights"] = {"parameters": kept.hexdigest()}
    return found


def _columns(frame: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """The digest of each column, with the rows in the order of the columns that name them."""
    names = [c for c in frame if not pd.api.types.is_float_dtype(frame[c]) and not c.endswith("_histogram")]
    order = frame[names].astype(str).sort_values(sorted(names), kind="stable").index
    for column in sorted(set(frame) - set(TIMES)):
        values = frame.loc[order, column]
        if pd.api.types.is_numeric_dtype(values):
            content = values.to_numpy(np.float64 if pd.api.types.is_float_dtype(values) else np.int64).tobytes()
        else:
            content = json.dumps([str(list(v)) if column.endswith("_histogram") else str(v) for v in values]).encode()
        yield column, blake2b(content, digest_size=8).hexdigest()


def machine() -> str:
    """Return the versions and the kernel that the bits depend on."""
    blas = sorted({f"{b['internal_api']} {b['version']} {b.get('architecture')}" for b in threadpool_info()})
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}"
    return f"{platform.machine()}, {versions}, {', '.join(blas)}"


def differences(before: Digests, now: Digests) -> Iterator[str]:
    """A line for each table that is not the same, with its columns."""
    for sweep in sorted({*before, *now}):
        old, new = before.get(sweep, {}), now.get(sweep, {})
        for table in sorted({*old, *new}):
            one, other = old.get(table, {}), new.get(table, {})
            columns = [c for c in sorted({*one, *other}) if one.get(c) != other.get(c)]
            if columns:
                yield f"{sweep}: {table}: {', '.join(columns)}"


def main() -> int:
    """Train every sweep, print a digest a table, and compare or record."""
    parser = argparse.ArgumentParser(description="Digests of every table of small sweeps.")
    parser.add_argument("--record", action="store_true", help="take today's digests as the right ones")
    parser.add_argument("sweeps", nargs="*", help=f"only these: {', '.join(SWEEPS)}")
    asked = parser.parse_args()
    chosen = asked.sweeps or list(SWEEPS)
    now: Digests = {}
    with TemporaryDirectory() as name:
        write_data(Path(name))
        for sweep in chosen:
            now[sweep] = digests(train(sweep, SWEEPS[sweep], Path(name)))
            for table, columns in now[sweep].items():
                whole = blake2b(json.dumps(columns, sort_keys=True).encode(), digest_size=8).hexdigest()
                print(f"{sweep:15}{table:12}{whole}")
    recorded: dict[str, Digests] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    before = recorded.get(machine(), {})
    if asked.record or not before:
        recorded[machine()] = before | now
        FILE.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(f"recorded for {machine()}")
        return 0
    differ = list(differences({sweep: before.get(sweep, {}) for sweep in chosen}, now))
    print("\n".join(["these columns differ:", *differ] if differ else [f"the same bits as recorded for {machine()}"]))
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
