"""`tune:`, read and checked before anything is trained."""

from __future__ import annotations

import pytest
from tests.support.configs import Load, Refused

from dlsweep.config.tuning import Tuning
from dlsweep.errors import ConfigError

DATA = """
data: {mnist: {train: 300, validation: 100, test: 200}}
train: {iterations: 20}
evaluate: {on: [validation, test]}
"""
GRID = DATA + "grid: {optimizer: [sgd, adam], optimizer.lr: [0.1, 1, 10], init: [he, xavier]}\n"


def test_settings_and_defaults(sweep: Load) -> None:
    assert sweep(GRID).tuning is None
    found = sweep(GRID + "tune: {over: optimizer.lr}")
    assert found.tuning == Tuning(("optimizer.lr",), "final_validation_accuracy", 3)
    assert [arm.name for arm in found.candidates()[0]] == [
        "sgd, 0.1, he",
        "sgd, 1, he",
        "sgd, 10, he",
    ]
    other = sweep(
        GRID + "tune: {over: [optimizer.lr, init], seeds: 5, metric: best_loss}", "tune.random=2", "tune.seeds=4"
    )
    assert other.tuning == Tuning(("optimizer.lr", "init"), "best_validation_loss", 4, 2)
    assert [len(group) for group in other.candidates()] == [2, 2]


def test_candidates_differ_in_tuned_settings_only_however_they_are_written(sweep: Load) -> None:
    levels = "[{sgd: {lr: [0.1, 1]}}, {momentum: {lr: [0.1, 1], alpha: [0.5, 0.9]}}]"
    tune = "tune: {over: [optimizer.lr, train.batch_size]}"
    found = sweep(f"{DATA}grid: {{optimizer: {levels}, train.batch_size: [10, 20]}}\n{tune}").candidates()
    names = [{arm.name.partition(" ")[0] + str(arm.optimizer.settings.get("alpha", "")) for arm in g} for g in found]
    assert names == [{"sgd"}, {"momentum0.5"}, {"momentum0.9"}]
    assert list(map(len, found)) == [4, 4, 4]


def test_random_candidates_are_the_same_for_arms_with_the_same_values(sweep: Load) -> None:
    lr = "optimizer.lr: {logspace: [0.001, 1, 31]}"
    text = DATA + "tune: {over: optimizer.lr, random: 6}\ngrid: {%s, optimizer: [%s]}"
    drawn = [[arm.levels["optimizer.lr"] for arm in group] for group in sweep(text % (lr, "sgd, adam")).candidates()]
    assert drawn[0] == drawn[1]
    assert len({*drawn[0]}) == 6
    assert drawn[0] == sorted(drawn[0], key=float)
    more = sweep(text % (lr, "rmsprop, sgd, {momentum: {alpha: [0.5, 0.9]}}")).candidates()
    assert [[arm.levels["optimizer.lr"] for arm in group] for group in more] == [drawn[0]] * 4
    inside = text % ("init: he", "{sgd: {lr: {logspace: [0.001, 1, 31]}}}")
    assert [arm.name for arm in sweep(inside).candidates()[0]] == [f"sgd lr={value}" for value in drawn[0]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("tune: ▲optimizer.lr", "settings of tune must be a mapping such as {over: …}, got 'optimizer.lr'"),
        ("tune: {over: optimizer.lr, ▲split: test}", "tune has no setting 'split'"),
        ("tune: {over: ▲optimizer.rl}", "there is no factor 'optimizer.rl'; did you mean 'optimizer.lr'?"),
        (
            "tune: {over: [optimizer.lr, ▲schedule]}",
            "schedule has one value in each arm, so there is nothing to choose",
        ),
        (
            "tune: {over: optimizer.lr, on: ▲test}",
            "tune.on must not be test: a setting that is chosen on the test images",
        ),
        (
            "tune: {over: optimizer.lr, on: ▲train}",
            "tune.on is train and evaluate.on has validation, test only; write ",
        ),
        ("tune: {over: optimizer.lr, metric: ▲acuracy}", "there is no metric 'acuracy'; did you mean"),
        ("tune: {over: optimizer.lr, metric: ▲test_loss}", "tune.metric has no split, got 'test_loss'; write on: test"),
        (
            "tune: {over: optimizer.lr, metric: ▲seconds}",
            "tune.metric must be of a curve, such as accuracy or best_loss",
        ),
        ("tune: {over: optimizer.lr, random: ▲3}", "tune.random must be below 3, the number of candidates of an arm"),
        ("tune: {over: optimizer.lr}\nseeds: ▲[0, 1000]", "seeds from 1000 on are for tuning, so that none of them"),
        ("▲tune: {over: optimizer.lr}\nseeds: {init: 2}", "tune needs independent runs"),
    ],
)
def test_mistakes_have_their_place(sweep: Load, text: str, sentence: str) -> None:
    before, _, after = (GRID + text).partition("▲")
    with pytest.raises(ConfigError) as caught:
        sweep(before + after)
    (mistake,) = caught.value.mistakes
    assert mistake.message.startswith(sentence)
    assert (mistake.line, mistake.column) == (before.count("\n") + 1, len(before) - before.rfind("\n"))


def test_claims_name_arms_and_not_candidates(refused: Refused) -> None:
    refused(
        GRID
        + """tune: {over: optimizer.lr}
claims:
  - He helps: {arm: {init: he}, beats: {init: xavier}}
  - ▲large steps help: {arm: {optimizer.lr: 1}, beats: {optimizer.lr: 0.1}}
  - steps matter: {trend: ▲optimizer.lr}
""",
        "the claim names some candidates of sgd, he only, and optimizer.lr is chosen for it; name the arm without it",
        "optimizer.lr is tuned, so each arm is compared at one value of it; take it out of tune.over, or claim "
        "something else",
    )


def test_a_landscape_is_not_tuned(refused: Refused) -> None:
    text = "model: beale\n▲tune: {over: optimizer.lr}\ngrid: {optimizer.lr: [0.1, 1]}\n"
    refused(text, "tune has no effect on a landscape; take it out")


def test_arms_that_are_not_tuned_alike_are_noted(sweep: Load) -> None:
    grid = "grid: {optimizer: [{sgd: {lr: [0.1, 1]}}, {adam: {lr: [0.1, 1]}}, adagrad]}\ntune: {over: optimizer.lr}\n"
    claim = "claims: [{A: {arm: {optimizer: %s}, beats: {optimizer: sgd}}}]\n"
    notes = [note.partition(": ")[2] for note in sweep(DATA + grid + claim % "adagrad").notes]
    assert notes == [
        "arms are not tuned alike: 1 candidate of adagrad, 2 of sgd, adam",
        "A: the claim compares arms not tuned alike: 1 candidate of adagrad, 2 of sgd",
    ]
    assert len(sweep(DATA + grid + claim % "adam").notes) == 1


@pytest.mark.parametrize(
    ("grid", "note"),
    [
        ("{schedule: [constant, {step: {every: 20}}]}", "the schedule step has 20 iterations, and runs end after 20"),
        ("{schedule: {warm_up: {iterations: 100}}}", "the schedule warm_up has 100 iterations, and runs end after 20"),
        ("{schedule: cosine, train.patience: 2}", "runs with patience may end before the schedule cosine does"),
        ("{schedule: {step: {every: 19}}}", ""),
        ("{schedule: [cosine, one_cycle]}", ""),
    ],
)
def test_arms_that_are_compared_before_the_end_of_a_schedule_are_noted(sweep: Load, grid: str, note: str) -> None:
    assert [found.partition(": ")[2] for found in sweep(f"{DATA}grid: {grid}\n").notes] == [note] * bool(note)


def test_a_claim_at_an_iteration_before_the_end_of_a_schedule_is_noted(sweep: Load) -> None:
    text = DATA.replace("{on:", "{every: 5, on:") + "grid: {schedule: [cosine, constant]}\n"
    (note,) = sweep(text + "claims: [{A: {arm: {schedule: cosine}, above: 0.5, at: 10}}]\n").notes
    assert note.endswith("A: at iteration 10 the schedule cosine has not ended")
