"""`exclude:` and `only:`."""

from __future__ import annotations

import pytest
from tests.support.configs import Load, Refused

GRID = """
grid:
  activation: [relu, tanh, sigmoid]
  init: [he, {normal: {std: [0.1, 0.01]}}, {xavier: , label: "Xavier & co"}]
"""


def names(sweep: Load, text: str) -> list[str]:
    return [arm.name for arm in sweep(text).arms()]


def test_exclude_takes_away_what_fits_a_partial_arm(sweep: Load) -> None:
    left = names(sweep, GRID + "exclude: [{activation: relu}, {activation: [tanh], init: [he, 'Xavier & co']}]")
    assert left == [
        "tanh, normal std=0.1",
        "tanh, normal std=0.01",
        "sigmoid, he",
        "sigmoid, normal std=0.1",
        "sigmoid, normal std=0.01",
        "sigmoid, Xavier & co",
    ]


def test_only_keeps_what_fits_some_partial_arm(sweep: Load) -> None:
    left = names(sweep, GRID + "only: [{activation: relu, init: he}, {init: normal std=0.1}]")
    assert left == ["relu, he", "relu, normal std=0.1", "tanh, normal std=0.1", "sigmoid, normal std=0.1"]


def test_a_name_stands_for_all_levels_of_that_name(sweep: Load) -> None:
    assert names(sweep, GRID + "only: [{init: [normal, xavier], activation: relu}]") == [
        "relu, normal std=0.1",
        "relu, normal std=0.01",
        "relu, Xavier & co",
    ]


def test_only_and_exclude_together(sweep: Load) -> None:
    assert names(sweep, GRID + "only: [{init: he}]\nexclude: [{activation: [relu, tanh]}]") == ["sigmoid, he"]


def test_values_of_dotted_factors_fit_however_they_are_written(sweep: Load) -> None:
    text = """
        grid:
          optimizer: [sgd, momentum]
          optimizer.lr: [1, 0.1]
          optimizer.momentum.alpha: 0.5
          model.mlp.hidden: [[40, 20], [7]]
        only:
          - {optimizer.lr: 1.0, model.mlp.hidden: [40, 20]}
          - {optimizer.lr: 1e-1, optimizer.momentum.alpha: "-", model.mlp.hidden: [[7]]}
        """
    assert names(sweep, text) == ["sgd, 1, -, [40, 20]", "sgd, 0.1, -, [7]", "momentum, 1, 0.5, [40, 20]"]


def test_rules_speak_of_all_grids(sweep: Load) -> None:
    text = "{grid: [{init: [he, xavier]}, {activation: tanh}], exclude: [{activation: relu, init: he}]}"
    assert names(sweep, text) == ["xavier, relu", "he, tanh"]


def test_an_empty_list_is_no_rule(sweep: Load) -> None:
    assert len(names(sweep, GRID + "exclude: []\nonly: []")) == 12


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        (
            "exclude: [{activation: [relu, ▲rleu]}]",
            "activation has no level 'rleu'; did you mean 'relu'? (choices: relu, sigmoid, tanh)",
        ),
        (
            "only: [{init: ▲normal std=0.2}]",
            "init has no level 'normal std=0.2'; did you mean 'normal std=0.1'? (choices: Xavier & co, he,"
            " normal std=0.01, normal std=0.1)",
        ),
        (
            "only: [{▲activatoin: relu}]",
            "only speaks of 'activatoin', no factor here; did you mean 'activation'? (choices: activation, init,"
            " normalization, optimizer, regularizer, schedule)",
        ),
        ("exclude: [▲{}]", "exclude gives arms by their levels, such as {init: he}, got {}"),
        ("exclude: [▲relu]", "exclude gives arms by their levels, such as {init: he}, got 'relu'"),
        ("only: ▲{init: he}", "only must be a list of partial arms such as [{activation: relu}], got {init: …}"),
        ("▲only: [{init: he}]\nexclude: [{activation: [relu, tanh, sigmoid]}]", "exclude and only leave no arm at all"),
    ],
)
def test_rules_that_fit_nothing(refused: Refused, rules: str, sentence: str) -> None:
    refused(GRID + rules, sentence)


def test_levels_that_no_arm_has_together(refused: Refused) -> None:
    refused(
        """
        grid:
          "activation, init": [[relu, he], [tanh, xavier]]
        exclude: [{activation: relu, init: he}, ▲{activation: relu, init: xavier}]
        """,
        "exclude names levels that no arm has together: activation relu, init xavier",
    )
