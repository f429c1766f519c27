"""Ensembles on disk and in what is told: a table of their own, whole arms, and nothing where there are none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.support.sweeps import Bits, Make

import dlsweep
from dlsweep.analysis.closing import closing_data, closing_table
from dlsweep.analysis.frames import curves_of
from dlsweep.errors import UsageError
from dlsweep.nn.initializers import initializers
from dlsweep.storage.results import Results

EVALUATE = {"every": 2, "on": ["batch", "train", "test"], "ensemble": True}


def run(config: dict[str, Any], output: Path, **options: Any) -> Results:
    return dlsweep.run(config, output=output, **{"executor": "inline", **options})


def test_a_row_per_arm_iteration_and_split(make: Make, tmp_path: Path) -> None:
    results = run(make(evaluate=EVALUATE), tmp_path)
    ensembles = results.ensembles
    expected = ["arm", *results.record.tables.factors, "members", "iteration", "epoch", "split", "loss", "accuracy"]
    assert list(ensembles.columns) == expected
    assert list(pd.read_parquet(results.folder / "ensembles").columns) == expected
    assert ensembles["arm"].astype(str).drop_duplicates().tolist() == results.runs["arm"].drop_duplicates().tolist()
    assert len(ensembles) == 4 * 4 * 2  # arms, evaluations, splits that seeds share
    assert set(ensembles["split"]) == {"train", "test"}
    assert set(ensembles["members"]) == {3}
    assert list(ensembles["activation"].cat.categories) == ["relu", "tanh"]
    # -log is convex: on the mean the ensemble is no worse than its members.
    keys = ["arm", "iteration", "split"]
    members = results.curves.groupby(keys, observed=True)["loss"].mean()
    assert (ensembles.set_index(keys)["loss"] <= members.reindex(ensembles.set_index(keys).index) + 1e-6).all()


def test_without_them_there_is_no_table(make: Make, tmp_path: Path) -> None:
    results = run(make(), tmp_path)
    assert not (results.folder / "ensembles").exists()
    with pytest.raises(UsageError, match=r"tiny has no ensembles; train with evaluate\.ensemble: true"):
        _ = results.ensembles
    assert "ensemble" not in closing_table(results)
    assert "ensemble_loss" not in curves_of(results)


def test_members_train_as_they_do_alone(make: Make, tmp_path: Path) -> None:
    """Only their identity is another, since it has the list of the seeds."""
    on = ["batch", "train", "test"]
    alone = run(make(evaluate={"every": 2, "on": on}), tmp_path / "alone")
    together = run(make(evaluate=EVALUATE), tmp_path / "together")
    columns = ["iteration", "loss", "accuracy"]
    pd.testing.assert_frame_equal(alone.curves[columns], together.curves[columns])
    assert not set(alone.runs["run_id"]) & set(together.runs["run_id"])
    fewer = dlsweep.load(make(evaluate=EVALUATE, seeds=2))
    assert not {one.id for one in fewer.runs()} & set(together.runs["run_id"])
    other_order = dlsweep.load(make(evaluate=EVALUATE, seeds=[2, 0, 1]))
    assert {one.id for one in other_order.runs()} == set(together.runs["run_id"])
    with pytest.raises(UsageError, match=r"seeds: \[0, 1, 2\] there, \[0, 1, 2, 3\] now"):
        run(make(evaluate=EVALUATE, seeds=4), tmp_path / "together")


def test_the_same_bits_in_small_chunks_and_in_workers(make: Make, tmp_path: Path, bits: Bits) -> None:
    config = make(evaluate=EVALUATE)
    whole = bits(run(config, tmp_path / "whole"))
    assert bits(run(config, tmp_path / "small", max_memory=1)) == whole
    assert bits(run(config, tmp_path / "workers", executor="processes", jobs=2)) == whole
    assert len(list((tmp_path / "small/tiny/ensembles").iterdir())) == 4  # an arm is never cut


def test_force_leaves_nothing_of_what_was_there(make: Make, tmp_path: Path) -> None:
    run(make(evaluate=EVALUATE), tmp_path)
    results = run(make(), tmp_path, force=True)
    assert not list(results.folder.glob("ensembles/*"))


BROKEN = ["the state of a machine, say"]


@pytest.fixture
def fragile() -> Iterator[None]:
    """An initializer that raises, for one seed of two levels."""

    @initializers.register
    def fragile(draw: Any, shape: Any, fan_in: Any, fan_out: Any, *, limit: float = 0.0) -> Any:
        """Registered by a test."""
        first = draw.random()
        if BROKEN and first < limit:
            raise RuntimeError(f"too small: {first}")
        return draw.normal(0, 0.1, shape)

    yield
    del initializers._entries["fragile"]


@pytest.mark.usefixtures("fragile")
def test_an_arm_fails_as_a_whole_and_is_tried_again_as_a_whole(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make(evaluate=EVALUATE, grid={"init": [{"fragile": {"limit": [0.0, 0.5]}}]}, seeds=4)
    results = run(config, tmp_path)
    failed = results.runs[results.runs["status"] == "failed"]
    assert set(failed.groupby("arm", observed=True).size()) == {4}
    assert set(failed["init"]) == {"fragile limit=0.5"}
    assert failed["error"].str.contains("RuntimeError: too small").all()
    assert set(results.ensembles["init"]) == {"fragile limit=0"}
    rows = closing_table(results).splitlines()[1:5]
    assert all(("limit=0.5" in row) == (row.split()[-2] == "4") for row in rows)

    monkeypatch.setattr(f"{__name__}.BROKEN", [])
    again = run(config, tmp_path, retry=True)
    assert set(again.runs["status"]) == {"done"}
    assert set(again.ensembles["init"]) == {"fragile limit=0", "fragile limit=0.5"}


def test_ensembles_are_told_beside_their_members(make: Make, tmp_path: Path) -> None:
    results = run(make(evaluate=EVALUATE), tmp_path)
    last = results.ensembles.query("iteration == 6 and split == 'test'")
    board = results.leaderboard()
    by_arm = dict(zip(last["arm"].astype(str), last["accuracy"]))
    assert board["final_test_accuracy_ensemble"].tolist() == [by_arm[arm] for arm in board["arm"].astype(str)]
    assert "ensemble" in re.split(r"\s{2,}", closing_table(results).splitlines()[0])
    assert "ensemble" not in closing_table(results, "batch_accuracy")
    told = json.loads(json.dumps(closing_data(results)))
    assert [arm["ensemble"]["final_test_loss"] for arm in told["arms"]] == last["loss"].tolist()
    best = results.ensembles.query("split == 'train'").groupby("arm", sort=False, observed=True)["accuracy"].max()
    assert [arm["ensemble"]["best_train_accuracy"] for arm in told["arms"]] == best.tolist()


def test_an_arm_whose_members_all_diverge_has_no_final_ensemble(make: Make, tmp_path: Path) -> None:
    config = make(evaluate=EVALUATE, grid={"optimizer": {"sgd": {"lr": [0.01, 1e30]}}})
    results = run(config, tmp_path)
    for arm in closing_data(results)["arms"]:
        assert (arm["ensemble"]["final_test_loss"] is None) == (arm["diverged"] == 3)
    assert "–" in closing_table(results)


def test_plots_have_the_ensemble_of_each_run(make: Make, tmp_path: Path) -> None:
    results = run(make(evaluate=EVALUATE), tmp_path)
    frame = curves_of(results)
    assert len(frame) == len(results.curves)
    assert frame.loc[frame["split"] == "batch", "ensemble_loss"].isna().all()
    keys = ["arm", "iteration", "split"]
    ensembles = results.ensembles.astype({"arm": str, "split": str}).set_index(keys)
    shared = frame[frame["split"] != "batch"]
    np.testing.assert_array_equal(
        shared["ensemble_loss"], ensembles["loss"].loc[list(shared[keys].itertuples(index=False))]
    )


# Three arms, by their learning rates, and every way to name two or all of them once the first two are there.
RATES = (0.01, 0.1, 0.5)
NAMED = [(arms, names) for arms in ((0, 2), (0, 1, 2)) for names in permutations("xyz", len(arms))]


@pytest.fixture
def named(make: Make) -> Callable[..., dict[str, Any]]:
    """Some of the three arms, with these names."""

    def named(arms: Iterable[int], names: Iterable[str]) -> dict[str, Any]:
        levels = [{"sgd": {"lr": RATES[arm]}, "label": name} for arm, name in zip(arms, names, strict=True)]
        return make(
            evaluate={"every": 3, "on": ["test"], "ensemble": True},
            grid={"optimizer": levels, "init": ["he"], "activation": ["relu"]},
            seeds=2,
        )

    return named


def measured(results: Results) -> dict[str, list[list[float]]]:
    """Return the rows of each arm's ensemble."""
    rows = results.ensembles.groupby("arm", observed=True)[["members", "iteration", "loss", "accuracy"]]
    assert results.ensembles["arm"].astype(str).tolist() == results.ensembles["optimizer"].astype(str).tolist()
    return {str(arm): own.to_numpy().tolist() for arm, own in rows}


@pytest.mark.parametrize(("arms", "names"), NAMED)
def test_names_of_arms_may_pass_from_one_to_another(
    named: Callable[..., dict[str, Any]], tmp_path: Path, arms: tuple[int, ...], names: tuple[str, ...]
) -> None:
    """Stored rows of two arms may have the same name, in parts that were trained under two configs."""
    own = list(measured(run(named((0, 1, 2), "xyz"), tmp_path / "fresh")).values())
    assert own[0] != own[1] != own[2] != own[0]
    run(named((0, 1), "xy"), tmp_path)
    for chosen, now in ((arms, names), ((0, 1, 2), "yzx"), ((2, 1), "xy")):
        assert measured(run(named(chosen, now), tmp_path)) == {
            name: own[arm] for arm, name in zip(chosen, now, strict=True)
        }


def test_a_factor_may_be_added_and_taken_out(make: Make, tmp_path: Path) -> None:
    configs = [
        make(evaluate=EVALUATE, seeds=2, grid=grid)
        for grid in (
            {},
            {"optimizer": [{"sgd": {"lr": [0.01, 0.1]}}]},
            {"train.clip_norm": [None, 0.1]},
            {"activation": ["tanh"]},
        )
    ]
    for i, config in enumerate([*configs, *configs[::-1]]):
        fresh = run(config, tmp_path / str(i)).ensembles
        pd.testing.assert_frame_equal(run(config, tmp_path).ensembles, fresh, check_categorical=False)
