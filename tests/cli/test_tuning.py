"""`dlsweep run` of a config with `tune:`: the candidates first, then the best of each arm on other seeds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.support.commands import Dlsweep

import dlsweep as package
from dlsweep.errors import UsageError
from dlsweep.tuning import _replayed, candidates_of

CONFIG = """\
name: tuned
data: {mnist: {train: 200, validation: 100, test: 100}}
model: {mlp: {hidden: [8]}}
train: {iterations: 30}
evaluate: {every: 10, on: [validation, test]}
seeds: 6
grid: {optimizer: [sgd, adam], optimizer.lr: [0.001, 0.1, 100]}
tune: {over: optimizer.lr, seeds: 2}
claims: [{Adam wins: {arm: {optimizer: adam}, beats: {optimizer: sgd}}}]
"""
RUN = ("run", "tuned.yaml", "--executor", "inline")


@pytest.fixture
def tuned(dlsweep: Dlsweep) -> Dlsweep:
    (dlsweep.folder / "tuned.yaml").write_text(CONFIG, "utf-8")
    return dlsweep


def chosen_by_hand(folder: Path) -> dict[str, str]:
    """The learning rate of each optimizer with the highest mean of the final validation accuracy."""
    runs = package.open_results(folder / "results/tuned-tuning").runs
    assert set(runs["seed"]) == {1000, 1001}
    assert len(runs) == 12
    chance = (runs["status"] == "diverged").to_numpy()
    runs["judged"] = np.where(chance, 0.1, runs["final_validation_accuracy"].to_numpy())
    means = runs.groupby(["optimizer", "optimizer.lr"], observed=True)["judged"].mean().reset_index()
    best = means.loc[means.groupby("optimizer", observed=True)["judged"].idxmax()]
    return dict(best[["optimizer", "optimizer.lr"]].astype(str).itertuples(index=False))


def test_the_best_candidate_of_each_arm_is_compared_on_other_seeds(tuned: Dlsweep) -> None:
    done = tuned(*RUN)
    results = package.open_results(tuned.folder / "results/tuned")
    arms = results.runs[["optimizer", "optimizer.lr"]].astype(str).drop_duplicates()
    assert dict(arms.itertuples(index=False)) == chosen_by_hand(tuned.folder)
    assert sorted(results.runs["seed"]) == sorted([*range(6)] * 2)
    assert "Tuning of each arm: 3 candidates of optimizer.lr, 2 tuning seeds, chosen by final validation accuracy." in (
        done.stdout
    )
    assert "Adam wins" in done.stdout
    assert results.compare({"optimizer": "adam"}, {"optimizer": "sgd"}).n == 6
    record = json.loads((tuned.folder / "results/tuned/sweep.json").read_text("utf-8"))["tuning"]
    assert [(arm["name"], len(arm["candidates"])) for arm in record["arms"]] == [("sgd", 3), ("adam", 3)]
    for arm in record["arms"]:
        best = arm["candidates"][arm["chosen"]]
        assert best["mean"] == max(one["mean"] for one in arm["candidates"])
        assert best["values"] == {"optimizer.lr": chosen_by_hand(tuned.folder)[arm["name"]]}
    assert "Tuning of each arm: 3 candidates" in tuned("show", "results/tuned").stdout
    assert tuned("show", "results/tuned", "--rows", "factors").stdout.count("optimizer") >= 2
    told = tuned("check", "results/tuned", "--methods", code=0 if next(iter(results.check())).as_expected else 3).stdout
    assert "Tuning of each arm: 3 candidates of optimizer.lr" in told
    tuned("check", "results/tuned", code=0 if next(iter(results.check())).as_expected else 3)


def test_a_run_again_trains_nothing_and_a_part_that_is_lost_is_trained_again(tuned: Dlsweep) -> None:
    tuned(*RUN)
    before = {path: path.read_bytes() for path in (tuned.folder / "results").rglob("sweep.json")}
    choice = package.open_results(tuned.folder / "results/tuned").record.tuning
    told = tuned(*RUN).stderr
    assert told.count("nothing to do") == 2
    assert {path: path.read_bytes() for path in before} == before
    lost = sorted((tuned.folder / "results/tuned-tuning/runs").glob("*.parquet"))[0]
    lost.unlink()
    told = tuned(*RUN).stderr
    assert told.count("nothing to do") == 1
    assert package.open_results(tuned.folder / "results/tuned").record.tuning == choice
    shutil.rmtree(tuned.folder / "results/tuned")
    assert "12/12 runs" in tuned(*RUN).stderr
    assert package.open_results(tuned.folder / "results/tuned").record.tuning == choice


def test_a_dry_run_has_both_stages(tuned: Dlsweep) -> None:
    done = tuned(*RUN, "--dry-run")
    assert "tuned-tuning: 12 runs in 2 stacks, 0 done, 12 to train" in done.stdout
    assert "tuned: 12 runs in 2 stacks, 0 done, 12 to train" in done.stdout
    assert "the first of each arm stands for the best" in done.stderr
    tuned(*RUN)
    told = json.loads(tuned(*RUN, "--dry-run", "--json").stdout)
    assert (told["runs"], told["done"], told["tuning"]["runs"], told["tuning"]["done"]) == (12, 12, 12, 12)


def test_a_choice_at_the_edge_is_noted(tuned: Dlsweep) -> None:
    done = tuned(*RUN, "grid.optimizer.lr=1e-5,0.01", "train.iterations=20", "--quiet")
    assert done.stdout == ""
    told = tuned("show", "results/tuned").stdout
    assert (
        "adam: optimizer.lr 0.01 was chosen, at the edge of its candidates (1e-05 to 0.01); larger ones may be " in told
    )
    checked = package.open_results(tuned.folder / "results/tuned").check()  # its verdicts rest on this choice
    assert "adam: optimizer.lr 0.01 was chosen, at the edge of its candidates" in str(checked)
    assert ["at the edge" in " ".join(notes) for notes in checked.data()["tuning"].values()] == [True]


def test_candidates_are_drawn_from_a_range_and_a_choice_near_its_end_is_noted(tuned: Dlsweep) -> None:
    lr = ("grid.optimizer.lr={log_uniform: [1e-5, 1e-2]}", "tune.random=9", "tune.metric=loss", "tune.seeds=1")
    tuned(*RUN, *lr, "train.iterations=10", "--quiet")
    tuning = package.open_results(tuned.folder / "results/tuned").record.tuning
    assert tuning is not None
    (span,) = tuning.ranges
    assert (span.low, span.high, span.log, span.setting) == (1e-5, 1e-2, True, "optimizer.lr")
    tried = [[float(one.values["optimizer.lr"]) for one in arm.candidates] for arm in tuning.arms]
    assert tried == [span.values(9)] * 2
    told = tuned("show", "results/tuned").stdout
    assert "Tuning of each arm: 9 candidates of optimizer.lr drawn at random, 1 tuning seed" in told
    for arm, values in zip(tuning.arms, tried):
        at = span.part(values[arm.chosen])
        note = f"{arm.name}: optimizer.lr {arm.candidates[arm.chosen].values['optimizer.lr']} was chosen, near the end"
        assert (f"{note} of its range (1e-05 to 0.01)" in told) == (not 0.1 <= at <= 0.9)
    assert tuned("run", "tuned.yaml", *lr, "train.iterations=10", "--dry-run").stdout.count(" 0 to train") == 2


def test_each_arm_tries_candidates_until_its_seconds_are_spent(tuned: Dlsweep) -> None:
    told = tuned(*RUN, "tune.seconds=1e-9").stderr
    assert "round 1 of 1e-09 seconds of tuning, with 2 candidates of 2 arms" in told
    assert "round 2" not in told
    before = package.open_results(tuned.folder / "results/tuned").record.tuning
    assert before is not None
    assert [len(arm.candidates) for arm in before.arms] == [1, 1]
    assert before.arms[0].candidates[0].values == before.arms[1].candidates[0].values
    runs = package.open_results(tuned.folder / "results/tuned-tuning").runs
    assert [arm.seconds for arm in before.arms] == pytest.approx(
        [runs.loc[runs["optimizer"] == arm.name, "seconds"].sum() for arm in before.arms]
    )
    shutil.rmtree(tuned.folder / "results/tuned-tuning")  # the numbers of candidates are recorded, too
    assert "with 2 candidates of 2 arms" in tuned(*RUN, "tune.seconds=1e-9").stderr
    assert "1 of sgd took" in tuned("show", "results/tuned").stdout
    dry = tuned(*RUN, "tune.seconds=1e6", "name=more", "--dry-run")
    assert "each arm tries more for 1e+06 seconds of training" in dry.stderr


def test_with_enough_seconds_all_candidates_are_tried_in_rounds_and_a_stop_changes_nothing(tuned: Dlsweep) -> None:
    done = tuned(*RUN, "tune.seconds=1e6")
    for part in (
        "round 1 of 1e+06 seconds of tuning, with 2 cand",
        "round 2",
        "round 3",
        "with 6 candidates of 2 arms",
    ):
        assert part in done.stderr
    assert "the config has changed" not in done.stderr
    assert "sgd: all candidates together took " in done.stdout
    tuning = package.open_results(tuned.folder / "results/tuned").record.tuning
    assert [len(arm.candidates) for arm in tuning.arms] == [3, 3] if tuning else False
    shutil.rmtree(tuned.folder / "results/tuned")
    lost = sorted((tuned.folder / "results/tuned-tuning/runs").glob("*.parquet"))[-1]
    lost.unlink()
    tuned(*RUN, "tune.seconds=1e6")
    again = package.open_results(tuned.folder / "results/tuned").record.tuning
    assert again is not None
    assert [arm.candidates for arm in again.arms] == [arm.candidates for arm in tuning.arms] if tuning else False


@pytest.mark.parametrize(
    ("budget", "counts"), [(0.5, [1, 1]), (7.9, [3, 1]), (8, [4, 2]), (30, [12, 7]), (99, [12, 12])]
)
def test_the_budget_is_filled_with_as_many_candidates_as_fit(tmp_path: Path, budget: float, counts: list[int]) -> None:
    grid = {"optimizer": ["sgd", "adam"], "optimizer.lr": {"logspace": [0.001, 1, 12]}}
    tune = {"over": "optimizer.lr", "seeds": 2, "seconds": budget}
    data = {"mnist": {"train": 100, "validation": 100, "test": 100}}
    config = package.load({"name": "x", "data": data, "evaluate": {"on": ["validation"]}, "grid": grid, "tune": tune})
    seconds = {run.id: 1.0 if run.arm.optimizer.name == "sgd" else 2.0 for run in candidates_of(config).runs()}
    assert _replayed(config, seconds) == (counts, True)
    missing = {run: s for run, s in seconds.items() if s == 1.0}
    assert _replayed(config, missing) == ([1, 1], False)


def test_other_metrics_take_the_lowest_loss(tuned: Dlsweep) -> None:
    tuned(*RUN, "tune.metric=loss", "--quiet")
    results = package.open_results(tuned.folder / "results/tuned")
    assert results.record.tuning is not None
    for arm in results.record.tuning.arms:
        finite = [one.mean for one in arm.candidates if one.mean is not None]
        assert arm.candidates[arm.chosen].mean == min(finite)
    assert "chosen by final validation loss" in tuned("show", "results/tuned").stdout


def test_seeds_are_added_to_the_chosen_arms_until_claims_are_decided(tuned: Dlsweep) -> None:
    tuned(*RUN, "--until-decided", "--max-seeds", "8", "--quiet")
    runs = package.open_results(tuned.folder / "results/tuned").runs
    arms = runs[["optimizer", "optimizer.lr"]].astype(str).drop_duplicates()
    assert dict(arms.itertuples(index=False)) == chosen_by_hand(tuned.folder)
    assert runs["seed"].max() < 8


def test_python_says_what_to_call(tmp_path: Path) -> None:
    path = tmp_path / "tuned.yaml"
    path.write_text(CONFIG, "utf-8")
    with pytest.raises(UsageError, match=r"dlsweep.run\(dlsweep.tune\(config\)\)"):
        package.run(path, output=tmp_path)
    with pytest.raises(UsageError, match=r"dlsweep.dry_run\(dlsweep.tune\(config\)\)"):
        package.dry_run(path, output=tmp_path)
    assert not list(tmp_path.glob("tuned*/"))
