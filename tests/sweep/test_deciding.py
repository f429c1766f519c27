"""Seeds until the claims are decided, at planned looks: the real command line on a small sweep."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.support.commands import Dlsweep

import dlsweep as api
from dlsweep.analysis.sequential import Plan, sequential_test

CONFIG = """\
name: tiny
data: {npz: {path: tiny.npz}}
model: {mlp: {hidden: [8]}}
train: {iterations: 20, batch_size: 10}
evaluate: {on: [train]}
seeds: 3
grid:
  activation: [tanh, relu]
  init: [he, xavier, {normal: {std: 0.01}}]
plots: []
claims:
  - the loss is finite: {arm: {init: normal}, below: 10, where: {activation: relu}, metric: train_loss}
  - He is as Xavier: {arm: {init: he}, beats: {init: xavier}, where: {activation: relu}, metric: train_loss}
"""


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Dlsweep:
    """The command, in a folder with a sweep of which one claim is decided early."""
    dlsweep = Dlsweep(tmp_path_factory.mktemp("decided"))
    (dlsweep.folder / "tiny.yaml").write_text(CONFIG, "utf-8")
    dlsweep("run", "tiny.yaml", "--until-decided", "--max-seeds", "12", "-j", "1")
    return dlsweep


def recorded(dlsweep: Dlsweep) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((dlsweep.folder / "results/tiny/sweep.json").read_text("utf-8"))
    return record


def seeds(dlsweep: Dlsweep) -> dict[tuple[str, str], int]:
    runs = api.open_results(dlsweep.folder / "results/tiny").runs
    return dict(Counter(zip(runs["activation"].astype(str), runs["init"].astype(str), strict=True)))


@pytest.mark.slow
def test_only_arms_of_undecided_claims_get_more_seeds(decided: Dlsweep) -> None:
    first = Plan.of(0.05, claims=2, most=12).looks[0]
    found = seeds(decided)
    assert {found["tanh", init] for init in ("he", "xavier", "normal")} == {3}
    assert found["relu", "normal"] == first == 7
    assert found["relu", "he"] == found["relu", "xavier"] > first


def test_the_stored_verdicts_are_those_of_the_sequential_test(decided: Dlsweep) -> None:
    looks = recorded(decided)["looks"]
    assert looks["at"] == list(Plan.of(0.05, claims=2, most=12).looks)
    claims = json.loads(decided("check", "results/tiny", "--json", code=3).stdout)["claims"]
    runs = api.open_results(decided.folder / "results/tiny").runs.query("activation == 'relu'")
    losses = {
        str(init): own.sort_values("seed")["final_train_loss"].to_numpy()
        for init, own in runs.groupby("init", observed=True)
    }
    plan = Plan.of(0.05, claims=2, most=12, key="tiny")
    better = 10 - losses["normal"], losses["xavier"] - losses["he"]
    for claim, differences in zip(claims, better, strict=True):
        sign = sequential_test(differences, plan).sign
        assert claim["verdict"] == ("undecided", "supported", "refuted")[sign]
        assert claim["p"] is None
    sentence = decided("check", "results/tiny", code=3).stdout
    assert "planned looks up to 12 seeds and decided at 7, so the effect may be overestimated" in sentence
    assert "the last of the planned looks, at 12 seeds, did not decide it" in sentence.lower()
    told = decided("check", "results/tiny", "--methods", code=3).stdout
    assert "each of 6 arms was trained with 3 to 12 seeds" in told
    assert "sequential, at planned numbers of seeds up to 12; the looks spend the error rate of 0.05, divided" in told
    assert "Holm (1979)" not in told


def test_running_again_trains_nothing_with_and_without_the_option(decided: Dlsweep) -> None:
    before = seeds(decided)
    again = decided("run", "tiny.yaml", "--until-decided", "--max-seeds", "12", "-j", "1").stderr
    plain = decided("run", "tiny.yaml", "-j", "1").stderr
    assert "training" not in again + plain
    assert "tiny follows its planned looks at 7, 8, 10, 12 seeds, for 2 claims; --until-decided --max-seeds 12" in plain
    assert "cannot decide" not in plain
    assert seeds(decided) == before
    assert recorded(decided)["looks"]


def test_another_plan_is_refused(decided: Dlsweep) -> None:
    refused = decided("run", "tiny.yaml", "--until-decided", "--max-seeds", "15", "-j", "1", code=2).stderr
    assert "has a plan up to 12 seeds at an error rate of 0.05, made before its first look" in refused
    assert "write --max-seeds 12" in refused


def test_a_dry_run_names_the_looks(decided: Dlsweep, tmp_path: Path) -> None:
    (decided.folder / "new.yaml").write_text(CONFIG.replace("name: tiny", "name: new"), "utf-8")
    fresh = decided("run", "new.yaml", "--until-decided", "--max-seeds", "12", "--dry-run").stdout
    assert "planned looks at 7, 8, 10, 12 seeds, for 2 claims; this is the training up to the look at 7" in fresh
    found = json.loads(decided("run", "new.yaml", "--until-decided", "--dry-run", "--json").stdout)
    assert found["looks"]["at"][-1] == 20
    later = decided("run", "tiny.yaml", "--dry-run")
    assert "the look at 12" in later.stdout
    assert "cannot decide" not in later.stderr
    assert not (decided.folder / "results/new").exists()


def test_a_claim_that_is_added_later_is_no_part_of_the_plan(decided: Dlsweep, tmp_path: Path) -> None:
    added = "  - it learns: {arm: {activation: relu, init: he}, below: 1.0, metric: train_loss}\n"
    (decided.folder / "more.yaml").write_text(CONFIG + added, "utf-8")
    decided("run", "more.yaml", "-j", "1", "-q")
    claims = json.loads(decided("check", "results/tiny", "--json", code=3).stdout)["claims"]
    assert [claim["p"] is None for claim in claims] == [True, True, False]
    assert claims[2]["late"]
    assert [claim["unplanned"] for claim in claims] == [False, False, True]
    told = decided("check", "results/tiny", "--methods", code=3).stdout
    assert "with an error rate of 0.05 beside theirs" in told
    assert "1 claim was added to those of the planned looks, and tested once" in told
    decided("run", "tiny.yaml", "-j", "1", "-q")


def test_a_stopped_plan_goes_on(tmp_path: Path) -> None:
    """The looks are on disk before anything is trained; what is missing is trained with the same plan."""
    dlsweep = Dlsweep(tmp_path)
    (tmp_path / "tiny.yaml").write_text(CONFIG, "utf-8")
    dlsweep("run", "tiny.yaml", "--until-decided", "--max-seeds", "12", "-j", "1", "-q")
    whole = (seeds(dlsweep), recorded(dlsweep)["looks"])
    for part in sorted((tmp_path / "results/tiny/runs").iterdir())[:2]:
        part.unlink()
    dlsweep("run", "tiny.yaml", "--until-decided", "--max-seeds", "12", "-j", "1", "-q")
    assert (seeds(dlsweep), recorded(dlsweep)["looks"]) == whole


def test_a_plan_after_seen_verdicts_says_so(tmp_path: Path) -> None:
    dlsweep = Dlsweep(tmp_path)
    (tmp_path / "tiny.yaml").write_text(CONFIG, "utf-8")
    dlsweep("run", "tiny.yaml", "seeds=8", "-j", "1", "-q")
    noted = dlsweep("run", "tiny.yaml", "--until-decided", "--max-seeds", "12", "-j", "1").stderr
    assert "planned after 8 seeds were seen; no error rate is claimed" in noted
    assert recorded(dlsweep)["looks"]["at"] == [8, 10, 12]
    assert "no error rate is claimed" in dlsweep("check", "results/tiny", code=3).stdout


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["claims=[]"], "the config has no claims; write some under `claims:`"),
        (["--max-seeds", "4"], "--max-seeds 4 is too few for 2 claims; write at least 7"),
        (["--max-seeds", "1001"], "a plan has at most 1000 seeds, got 1001"),
        (["seeds={init: 2, batches: 2}"], "2 claims are left out, since"),
    ],
)
def test_a_config_that_no_seeds_can_decide_is_refused(tmp_path: Path, changes: list[str], said: str) -> None:
    dlsweep = Dlsweep(tmp_path)
    (tmp_path / "tiny.yaml").write_text(CONFIG, "utf-8")
    assert said in dlsweep("run", "tiny.yaml", "--until-decided", *changes, "-j", "1", code=2).stderr
    assert not (tmp_path / "results").exists()


def test_max_seeds_alone_is_refused(tmp_path: Path) -> None:
    dlsweep = Dlsweep(tmp_path)
    assert "--max-seeds needs --until-decided" in dlsweep("run", "tiny.yaml", "--max-seeds", "9", code=2).stderr
