"""Checks look at a sweep that has been read. Each yields its own mistakes, in any order, as often as it is asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlsweep.config import loading
from dlsweep.config.checks import CHECKS
from dlsweep.config.document import gather
from dlsweep.config.loading import read
from dlsweep.config.sweep import Sweep

NETWORKS = {
    "name": "x",
    "data": {"mnist": 50},
    "model": {"layers": ["flatten", "relu", {"pool": 2}]},
    "train": {"iterations": 5, "min_delta": 0.1},
    "evaluate": {"on": ["batch", "validation"]},
    "grid": {"train.iterations": 5, "activation": ["relu", "tanh"], "regularizer": [{"crop": 40}, "none"]},
    "plots": [{"curves": {"rows": "inti"}}, "filters", "paths"],
}
STOPPING = {"name": "x", "train": {"patience": 3}, "evaluate": {"ensemble": True}}
STOPPING |= {"plots": ["response", "forest", "ranking"]}
UNREADABLE = {"name": "x", "data": {"npz": "nowhere.npz"}}
CROSSED = {"name": "x", "seeds": {"init": 2, "dropout": 2}, "evaluate": {"ensemble": True}}
LANDSCAPES = {"name": "x", "model": "beale", "data": "mnist", "grid": {"init": "he"}, "plots": ["curves"]}
CLAIMS = {"name": "x", "seeds": {"init": 2}, "claims": [{"he learns": {"arm": {"init": "he"}, "above": 1.5}}]}

TUNED = {"name": "x", "seeds": [1000], "data": {"mnist": {"validation": 50}}, "evaluate": {"on": ["validation"]}}
TUNED |= {"grid": {"optimizer.lr": [0.1, 1]}, "tune": {"over": ["optimizer.lr", "schedule"]}}
TUNED |= {"claims": [{"0.1 is large": {"arm": {"optimizer.lr": 0.1}, "above": 0.5}}]}


def sweep(config: dict[str, Any]) -> Sweep:
    """The sweep as checks see it, whatever is wrong with it."""
    given, _ = gather(read(config))
    assert given.document is not None
    whole: Any = loading._read
    found, _ = gather(whole.__wrapped__(given.document, given, loading.MAX_RUNS, CHECKS))
    assert isinstance(found, Sweep)
    return found


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> list[Sweep]:
    file = tmp_path_factory.mktemp("data") / "mine.npz"
    np.savez(file, x=np.eye(12, dtype=np.float32), t=np.arange(12) % 2)
    folds = {"name": "x", "seeds": 4, "data": {"npz": {"path": str(file), "folds": 3}}, "evaluate": {"ensemble": True}}
    configs = (NETWORKS, STOPPING, UNREADABLE, CROSSED, LANDSCAPES, CLAIMS, TUNED, folds)
    return [sweep(config) for config in configs]


def test_no_check_needs_another(sweeps: list[Sweep]) -> None:
    told = {check: [list(check(one)) for one in sweeps] for check in CHECKS}
    assert {check: [list(check(one)) for one in sweeps] for check in reversed(CHECKS)} == told


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.__module__.rpartition('.')[2]}.{check.__name__}")
def test_every_check_finds_something(sweeps: list[Sweep], check: Any) -> None:
    assert any(list(check(one)) for one in sweeps)
