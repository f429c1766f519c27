"""Sweeps of crossed seeds: their tables, their networks, and results that grow."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.support.sweeps import Make

import dlsweep
from dlsweep.errors import UsageError
from dlsweep.storage.results import Results

CROSSED = {"init": 2, "batches": 3}


def run(config: dict[str, Any], output: Path, **options: Any) -> Results:
    return dlsweep.run(config, output=output, **{"executor": "inline", "quiet": True, **options})


def seeds_of(results: Results) -> list[tuple[int, ...]]:
    one = results.runs[results.runs["arm"] == results.runs["arm"].iloc[0]]
    return list(one[["seed", "seed_init", "seed_batches"]].itertuples(index=False, name=None))


def test_columns_of_the_tables(make: Make, tmp_path: Path) -> None:
    results = run(make(seeds=CROSSED), tmp_path)
    combinations = list(product(range(2), range(3)))
    assert seeds_of(results) == [(i, *own) for i, own in enumerate(combinations)]
    assert results.curves.groupby("run_id", observed=True)[["seed_init", "seed_batches"]].nunique().max().max() == 1
    stored = pd.read_parquet(results.folder / "runs")
    assert set(stored["seed"]) == {0}
    assert {*zip(stored["seed_init"], stored["seed_batches"])} == {*combinations}


def test_each_source_has_its_own_draws(make: Make, tmp_path: Path) -> None:
    """Runs of one seed of `init` begin with the weights of that plain seed, whatever their minibatches."""
    evaluate = {"every": 2, "on": ["batch", "test"], "keep": "final"}
    crossed = run(make(seeds=CROSSED, evaluate=evaluate), tmp_path)
    plain = run(make(name="plain", seeds=3, evaluate=evaluate), tmp_path)
    arm = {"activation": "relu", "init": "he"}

    def weights(results: Results, seed: Any, at: Any = "start") -> bytes:
        return b"".join(w.tobytes() for w in results.load(arm=arm, seed=seed, at=at).parameters.values())

    for init, batches in product(range(2), range(3)):
        seed = {"init": init, "batches": batches}
        assert weights(crossed, seed) == weights(plain, init)
        assert weights(crossed, seed) == weights(crossed, 3 * init + batches)
        same = init == batches  # without other draws, the run is that of the plain seed
        assert (weights(crossed, seed, "kept") == weights(plain, init, "kept")) == same


def test_loading_names_unknown_seeds(make: Make, tmp_path: Path) -> None:
    results = run(make(seeds=CROSSED, grid={"activation": "relu", "init": "he"}), tmp_path)
    for seed, sentence in (
        ({"inits": 0}, "the seeds of inits do not vary in .*; did you mean 'init'"),
        ({"init": 2}, r"there is no init seed 2 in .* \(choices: 0, 1\)"),
        (6, r"there is no seed 6 in"),
    ):
        with pytest.raises(UsageError, match=sentence):
            results.load(seed=seed, at="start")
    assert "batches=1 init=1" in repr(results.load(seed={"init": 1, "batches": 1}, at="start"))


def test_a_source_with_further_seeds_trains_the_missing_runs(make: Make, tmp_path: Path) -> None:
    small = run(make(seeds=CROSSED), tmp_path)
    before = small.runs.set_index("run_id")["final_test_loss"]
    grown = run(make(seeds={"init": 3, "batches": 4}), tmp_path)
    assert seeds_of(grown) == [(i, *own) for i, own in enumerate(product(range(3), range(4)))]
    after = grown.runs.set_index("run_id")["final_test_loss"]
    assert len(after) == 4 * 12
    pd.testing.assert_series_equal(after[before.index], before)
    shrunk = run(make(seeds={"init": 2, "batches": [3, 0]}), tmp_path)
    assert seeds_of(shrunk) == [(i, *own) for i, own in enumerate(product(range(2), (3, 0)))]
    assert len(shrunk.record.hidden) == 4 * 8


def test_other_sources_are_another_sweep(make: Make, tmp_path: Path) -> None:
    run(make(seeds=CROSSED), tmp_path)
    for seeds in (3, {"init": 2}):
        with pytest.raises(UsageError, match="belongs to a different config"):
            run(make(seeds=seeds), tmp_path)


def test_workers_and_chunks_do_not_matter(make: Make, tmp_path: Path) -> None:
    config = make(seeds=CROSSED, grid={"regularizer": {"dropout": 0.2}})
    one, many = run(config, tmp_path / "one"), run(config, tmp_path / "many", executor="processes", jobs=2)
    columns = ["run_id", "seed", "seed_init", "final_test_loss"]
    assert one.runs[columns].equals(many.runs[columns])
    assert np.isfinite(one.runs["final_test_loss"]).all()
