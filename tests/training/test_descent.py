"""Descents: through the whole program to known points, the same bits in any company, failure as data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dlsweep
from dlsweep.config import load
from dlsweep.config.runs import Run
from dlsweep.datasets import data_of
from dlsweep.nn.landscapes import landscapes
from dlsweep.nn.optimizers import optimizers
from dlsweep.storage.results import Results
from dlsweep.training.plan import plan, train
from dlsweep.training.result import TrainingResult

VALLEY = [
    ({"sgd": {"lr": 0.95}}, -0.3503929958, 0.0847823166),
    ({"momentum": {"lr": 0.1}}, 0.8964138585, 0.0880856017),
    ({"adagrad": {"lr": 1.5}}, -0.1201623223, None),
    ({"adam": {"lr": 0.3, "eps": 1e-8}}, 0.1360146173, 0.3182453889),
]


def config(**changes: Any) -> dict[str, Any]:
    return {"name": "descent", "model": "narrow_valley", "train": {"iterations": 30}, **changes}


def descents(given: Mapping[str, Any]) -> tuple[list[Run], TrainingResult]:
    """The runs of a config, which are of one cohort, and their outcome as one stack."""
    runs = list(load(given).runs())
    return runs, train(runs, data_of(runs[0].arm))


def paths(outcome: TrainingResult) -> list[bytes]:
    """The path of each run: all that is known of every point."""
    names = ("iteration", "loss", "x", "y", "distance")
    curves = outcome.curves
    return [
        b"".join(curves[name][curves["run"] == run].tobytes() for name in names) for run in range(len(outcome.status))
    ]


def test_thirty_steps_in_the_narrow_valley(tmp_path: Path) -> None:
    grid = {"optimizer": [optimizer for optimizer, _, _ in VALLEY]}
    results = dlsweep.run(config(grid=grid), output=tmp_path, executor="inline")
    for optimizer, x, y in VALLEY:
        curve = results.curves.query("optimizer == @name", local_dict={"name": next(iter(optimizer))})
        assert curve["iteration"].tolist() == list(range(31))
        assert (curve["x"].iloc[0], curve["y"].iloc[0]) == (-7, 2)
        assert curve["x"].iloc[-1] == pytest.approx(x, abs=5e-11)
        if y is not None:
            assert curve["y"].iloc[-1] == pytest.approx(y, abs=5e-11)
        at = curve[["x", "y"]].to_numpy().T
        assert curve["loss"].to_numpy() == pytest.approx(at[0] ** 2 / 20 + at[1] ** 2, rel=1e-14)
        assert curve["distance"].to_numpy() == pytest.approx(np.hypot(*at), rel=1e-14)


def test_the_tables_say_how_a_descent_ended(tmp_path: Path) -> None:
    grid = {"optimizer": {"sgd": {"lr": [0.9, 0.1]}}, "model": [{"narrow_valley": {}, "label": "Valley"}, "saddle"]}
    given = config(grid=grid, evaluate={"every": 20})
    del given["model"]
    results = dlsweep.run(given, output=tmp_path, executor="inline")
    assert set(results.record.levels) == {"optimizer", "model", "schedule"}
    assert results.curves.groupby("run_id", observed=True)["iteration"].agg(list).tolist() == [[0, 20, 30]] * 4
    runs = results.runs
    assert set(zip(runs["model"], runs["landscape"], strict=True)) == {
        ("Valley", "narrow_valley"),
        ("saddle", "saddle"),
    }
    last = results.curves.groupby("run_id", observed=True)[["loss", "distance"]].last()
    assert runs["final_train_loss"].tolist() == last["loss"][runs["run_id"]].tolist()
    assert runs["final_train_distance"].tolist() == last["distance"][runs["run_id"]].tolist()
    assert not [c for c in map(str, runs) if "accuracy" in c or "batch" in c or "activation" in c or "init" in c]
    assert results.curves["accuracy"].isna().all()
    assert runs["classes"].isna().all()
    assert runs["parameters"].tolist() == [2] * 4


@settings(max_examples=30)
@given(data=st.data())
def test_the_same_bits_in_any_company(data: st.DataObject) -> None:
    landscape, name = data.draw(st.sampled_from(list(landscapes))), data.draw(st.sampled_from(list(optimizers)))
    rates = data.draw(st.lists(st.floats(1e-4, 10), min_size=1, max_size=6, unique_by="{:.3g}".format))  # by label
    noise = data.draw(st.sampled_from([0.0, 0.3]))
    given = config(
        model={landscape: {"noise": noise}},
        seeds=[0, 3] if noise else [0],
        grid={"optimizer": {name: {"lr": rates}}},
    )
    runs, together = descents(given)
    company = data.draw(st.permutations(range(len(runs))))[: data.draw(st.integers(1, len(runs)))]
    some = train([runs[i] for i in company], data_of(runs[0].arm))
    assert paths(some) == [paths(together)[i] for i in company]
    assert some.status == [together.status[i] for i in company]
    assert some.iterations == [together.iterations[i] for i in company]


def test_noise_is_the_same_in_every_arm_and_another_for_every_seed() -> None:
    grid = {"optimizer": {"sgd": {"lr": [0.1, 0.2]}}}
    given = config(model={"narrow_valley": {"noise": 0.5}}, train={"iterations": 1}, seeds=3, grid=grid)
    _, outcome = descents(given)
    first = outcome.curves["iteration"] == 1
    moved = np.stack([outcome.curves["x"][first] + 7, outcome.curves["y"][first] - 2], axis=1)
    noise = -moved / np.repeat([[0.1], [0.2]], 3, axis=0) - [-0.7, 4]  # what is not the gradient
    assert noise[:3] == pytest.approx(noise[3:], abs=1e-12)
    assert len(np.unique(noise[:3].round(6))) == 6

    _, long = descents(config(model={"narrow_valley": {"noise": 0.5}}, train={"iterations": 400}, seeds=3))
    _, still = descents(config(train={"iterations": 400}))
    rest = [outcome.curves["loss"][outcome.curves["iteration"] > 350].mean() for outcome in (long, still)]
    assert rest[0] > rest[1]


def test_a_descent_that_diverges_keeps_its_path_and_disturbs_nobody() -> None:
    given = config(model="rosenbrock", grid={"optimizer": {"sgd": {"lr": [1e-3, 0.1, 1e-4]}}})
    runs, together = descents(given)
    assert together.status == ["done", "diverged", "done"]
    ended = together.iterations[1]
    own = together.curves["run"] == 1
    assert together.curves["iteration"][own].tolist() == list(range(ended))
    assert np.isfinite([together.curves[name][own] for name in ("loss", "x", "y")]).all()
    alone = [train([run], data_of(run.arm)) for run in runs]
    assert paths(together) == [path for outcome in alone for path in paths(outcome)]


def test_progress_adds_up_to_all_iterations() -> None:
    for rate in (0.1, 100.0):  # one ends, one diverges
        runs = list(load(config(model="rosenbrock", grid={"optimizer": {"sgd": {"lr": [rate, 2 * rate]}}})).runs())
        counted: list[int] = []
        train(runs, data_of(runs[0].arm), progress=counted.append)
        assert sum(counted) == 2 * 30


def test_a_schedule_scales_the_learning_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    _, plain = descents(config(grid={"optimizer": {"sgd": {"lr": 0.1}}}))
    entry = dlsweep.schedules["constant"]
    monkeypatch.setitem(vars(entry), "function", lambda t, steps: 2.0 if t <= steps / 2 else 0.0)
    _, halved = descents(config(grid={"optimizer": {"sgd": {"lr": 0.1}}}))
    assert halved.curves["x"][1] == pytest.approx(-7 + 0.2 * 0.7)
    assert plain.curves["x"][1] == pytest.approx(-7 + 0.1 * 0.7)
    assert len(set(halved.curves["x"][15:])) == 1


def test_numbers_stack_and_landscapes_do_not() -> None:
    grid = {"optimizer": {"sgd": {"lr": [0.1, 0.2]}}, "model": ["saddle", "beale"], "model.start": [[1, 1], [0, 0.5]]}
    whole = plan(load({"name": "descent", "train": {"iterations": 9}, "grid": grid}))
    assert [cohort.arms for cohort in whole.cohorts] == [2] * 4
    assert whole.runs == 8
    assert {cohort.parameters for cohort in whole.cohorts} == {2}


def test_running_again_repeats_nothing(tmp_path: Path) -> None:
    def run(**changes: Any) -> Results:
        return dlsweep.run(config(grid={"optimizer": ["sgd", "adam"]}, **changes), output=tmp_path, executor="inline")

    before = run().curves
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    assert files
    assert run().curves.equals(before)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")} == files
