"""What a grid expands to: levels, labels, dotted factors, unions, factors that move together, folds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.configs import Load, Refused

from dlsweep.config import load
from dlsweep.config.runs import Train
from dlsweep.config.words import numbers
from dlsweep.nn.optimizers import optimizers
from dlsweep.nn.regularizers import regularizers
from dlsweep.registry import Choice, Entry, NonNegative


def names(sweep: Load, text: str, *overrides: str) -> list[str]:
    return [arm.name for arm in sweep(text, *overrides).arms()]


def test_a_config_without_a_grid_is_one_arm_of_defaults(sweep: Load) -> None:
    config = sweep("data: mnist")
    (arm,) = config.arms()
    assert config.name == arm.name == "sweep"
    assert config.count == 5
    assert config.seeds == (0, 1, 2, 3, 4)
    assert config.varying == ()
    assert arm.data == Choice("mnist", {"train": None, "validation": 0, "test": None, "standardize": False})
    assert (arm.activation.name, arm.init.name, arm.optimizer.name) == ("relu", "he", "sgd")
    assert (arm.regularizer, arm.normalization.name, arm.schedule.name) == ((), "none", "constant")
    assert arm.train == Train(1000, None, 100, "shuffle")
    assert (arm.evaluate.every, arm.evaluate.on) == (20, ("batch", "test"))  # about 50 evaluations


def test_lists_are_factors_and_the_last_runs_fastest(sweep: Load) -> None:
    config = sweep("grid: {init: [xavier, he], activation: [relu, tanh], optimizer: adam}")
    assert [arm.name for arm in config.arms()] == ["xavier, relu", "xavier, tanh", "he, relu", "he, tanh"]
    assert config.factors == ("init", "activation", "optimizer", "regularizer", "normalization", "schedule")
    assert config.varying == ("init", "activation")
    assert list(next(config.arms()).levels.items()) == [
        ("init", "xavier"),
        ("activation", "relu"),
        ("optimizer", "adam"),
        ("regularizer", "none"),
        ("normalization", "none"),
        ("schedule", "constant"),
    ]


def test_a_list_in_the_settings_is_several_levels(sweep: Load) -> None:
    config = sweep("grid: {optimizer: [sgd, {momentum: {lr: [0.1, 1], alpha: [0.5, 0.9]}}]}")
    assert config.levels("optimizer") == (
        "sgd",
        "momentum lr=0.1 alpha=0.5",
        "momentum lr=0.1 alpha=0.9",
        "momentum lr=1 alpha=0.5",
        "momentum lr=1 alpha=0.9",
    )
    assert [type(arm.optimizer.settings["lr"]) for arm in config.arms()] == [float] * 5  # 1 is a number of steps, 1.0


def test_only_the_settings_that_differ_are_in_a_label(sweep: Load) -> None:
    config = sweep("grid: {optimizer: [{momentum: {lr: 0.5}}, {momentum: {lr: 0.5, alpha: 0.1}}, {sgd: {lr: 9}}]}")
    assert config.levels("optimizer") == ("momentum alpha=0.9", "momentum alpha=0.1", "sgd")


def test_a_label_renames_a_level_and_its_lists_are_told_apart(sweep: Load) -> None:
    config = sweep(
        'grid: {optimizer: [{sgd: {lr: 0.1}, label: "SGD, fast"}, {label: 日本 🎉, adam: {lr: [0.1, 0.2]}}]}'
    )
    assert config.levels("optimizer") == ("SGD, fast", "日本 🎉 lr=0.1", "日本 🎉 lr=0.2")


def test_a_label_is_no_part_of_a_runs_identity(sweep: Load) -> None:
    plain, labelled = sweep("grid: {init: he}"), sweep("grid: {init: {he: , label: He et al.}}")
    assert [run.id for run in plain.runs()] == [run.id for run in labelled.runs()]


def test_a_setting_that_is_a_list_is_a_value_and_a_list_of_lists_are_several(sweep: Load) -> None:
    one = sweep("model: {mlp: {hidden: [40, 20, 20]}}")
    assert next(one.arms()).model.settings == {"hidden": [40, 20, 20]}
    several = sweep("grid: {model.mlp.hidden: [[40, 20], [], [7]]}")
    assert [arm.model.settings["hidden"] for arm in several.arms()] == [[40, 20], [], [7]]
    assert several.levels("model.mlp.hidden") == ("[40, 20]", "[]", "[7]")
    single = sweep("grid: {model.hidden: [40, 20]}")
    assert [arm.model.settings["hidden"] for arm in single.arms()] == [[40, 20]]
    levels = sweep("grid: {model: [mlp, {mlp: {hidden: [[1], [2, 3]]}}]}")
    assert levels.levels("model") == ("mlp hidden=[100]", "mlp hidden=[1]", "mlp hidden=[2, 3]")


def test_dotted_factors_of_train_and_data(sweep: Load) -> None:
    config = sweep("""
        train: {sampling: replacement}
        grid: {train.batch_size: [10, 100], train.epochs: [1, 2], data.mnist.train: [300, null]}
        """)
    assert [arm.name for arm in config.arms()][:3] == ["10, 1, 300", "10, 1, null", "10, 2, 300"]
    assert {arm.train for arm in config.arms()} == {
        Train(None, epochs, size, "replacement") for size in (10, 100) for epochs in (1, 2)
    }
    assert [arm.data.settings["train"] for arm in config.arms()][:2] == [300, None]
    assert len({arm.fingerprint for arm in config.arms()}) == 2
    assert config.settings == ("data.train", "data.validation", "optimizer.lr")  # the factors have columns of their own


def test_numeric_settings_have_columns_and_arms_that_lack_one_do_not_have_it(sweep: Load) -> None:
    config = sweep("grid: {init: [{normal: {std: 0.5}}, he], optimizer: [{sgd: {lr: 1}}, adam]}")
    assert config.settings == (
        "data.validation",
        "init.std",
        "optimizer.beta1",
        "optimizer.beta2",
        "optimizer.eps",
        "optimizer.lr",
        "train.batch_size",
        "train.iterations",
    )
    first, *_, last = config.arms()
    assert numbers("init", first.init) == {"init.std": 0.5}
    assert numbers("data", first.data) == {"data.validation": 0}
    assert numbers("train", first.train) == {"train.batch_size": 100, "train.iterations": 1000}
    assert numbers("init", last.init) == {}


def test_a_dotted_factor_reaches_every_level_that_has_the_setting(sweep: Load) -> None:
    config = sweep("grid: {optimizer: [sgd, adam], optimizer.lr: [0.1, 0.01]}")
    assert [arm.name for arm in config.arms()] == ["sgd, 0.1", "sgd, 0.01", "adam, 0.1", "adam, 0.01"]
    assert [arm.optimizer.settings["lr"] for arm in config.arms()] == [0.1, 0.01, 0.1, 0.01]


def test_where_a_dotted_factor_does_not_apply_the_arms_fold_into_one(sweep: Load) -> None:
    config = sweep("grid: {optimizer: [sgd, momentum], activation: [relu, tanh], optimizer.momentum.alpha: [0.5, 0.9]}")
    assert [arm.name for arm in config.arms()] == [
        "sgd, relu, -",
        "sgd, tanh, -",
        "momentum, relu, 0.5",
        "momentum, tanh, 0.5",
        "momentum, relu, 0.9",
        "momentum, tanh, 0.9",
    ]
    assert config.count == 8 * 5
    assert config.folds() == [("sgd, relu, 0.9", "sgd, relu, -"), ("sgd, tanh, 0.9", "sgd, tanh, -")]
    assert config.levels("optimizer.momentum.alpha") == ("-", "0.5", "0.9")


def test_levels_that_mean_the_same_fold_into_the_first(sweep: Load) -> None:
    config = sweep("grid: {optimizer: [{sgd: {lr: 0.01}, label: a}, {sgd: , label: b}, adam], init: [he, xavier]}")
    assert [arm.name for arm in config.arms()] == ["a, he", "a, xavier", "adam, he", "adam, xavier"]
    assert config.folds() == [("b, he", "a, he"), ("b, xavier", "a, xavier")]


def test_data_sets_of_the_same_content_fold(sweep: Load) -> None:
    config = sweep("grid: {data: [{mnist: {train: 60000}, label: asked}, {mnist: , label: all}]}")
    assert [arm.name for arm in config.arms()] == ["asked"]
    assert config.folds() == [("all", "asked")]


def test_a_level_that_was_excluded_is_nothing_to_fold_into(sweep: Load) -> None:
    config = sweep("""
        grid: {optimizer: [{sgd: {lr: 0.01}, label: a}, {sgd: , label: b}]}
        exclude: [{optimizer: a}]
        """)
    assert [arm.name for arm in config.arms()] == ["b"]


def test_factors_that_move_together(sweep: Load) -> None:
    text = """
        grid:
          "activation, init": [[relu, he], [sigmoid, {normal: {std: [0.1, 0.2]}}]]
          schedule: constant
        """
    assert names(sweep, text) == ["relu, he", "sigmoid, normal std=0.1", "sigmoid, normal std=0.2"]


def test_a_factor_moves_together_with_a_setting_of_its_own(sweep: Load) -> None:
    config = sweep('grid: {"optimizer, optimizer.lr, train.batch_size": [[sgd, 0.1, 10], [adam, 0.001, 20]]}')
    assert [arm.name for arm in config.arms()] == ["sgd, 0.1, 10", "adam, 0.001, 20"]
    assert [arm.optimizer.settings["lr"] for arm in config.arms()] == [0.1, 0.001]


def test_a_row_may_hold_a_list_as_a_value(sweep: Load) -> None:
    assert names(sweep, 'grid: {"activation, model.mlp.hidden": [[relu, [40, 20]], [tanh, []]]}') == [
        "relu, [40, 20]",
        "tanh, []",
    ]


def test_a_list_of_grids_is_their_union(sweep: Load) -> None:
    config = sweep("""
        grid:
          - {activation: [relu, tanh], init: he}
          - {init: [xavier, he], optimizer.lr: [0.01, 0.5]}
        """)
    assert [arm.name for arm in config.arms()] == [
        "relu, he, 0.01",
        "tanh, he, 0.01",
        "relu, xavier, 0.01",
        "relu, xavier, 0.5",
        "relu, he, 0.5",
    ]
    assert config.count == 6 * 5
    assert config.folds() == []  # the same arm twice is a union's own matter
    assert config.factors[:3] == ("activation", "init", "optimizer.lr")


def test_labels_are_the_same_in_all_grids(sweep: Load) -> None:
    config = sweep("grid: [{optimizer: {sgd: {lr: 1}}, init: xavier}, {init: [zeros, he]}]")
    assert config.levels("optimizer") == ("sgd lr=1", "sgd lr=0.01")


def l1(w: object, *, strength: NonNegative = 0.1) -> None:
    """One penalty."""


def l2(w: object, *, strength: NonNegative = 0.1) -> None:
    """Another penalty."""


@pytest.fixture
def penalties(monkeypatch: pytest.MonkeyPatch) -> None:
    for function in (l1, l2):
        monkeypatch.setitem(regularizers._entries, function.__name__, Entry("regularizer", function.__name__, function))


@pytest.mark.usefixtures("penalties")
def test_regularizers_combine_in_any_order(sweep: Load) -> None:
    config = sweep("grid: {regularizer: [none, l1, {l2: {strength: [0.2, 0.3]}, l1: }, {l1: , l2: {strength: 0.4}}]}")
    assert config.levels("regularizer") == (
        "none",
        "l1",
        "l1 + l2 strength=0.2",
        "l1 + l2 strength=0.3",
        "l1 + l2 strength=0.4",
    )
    assert [c.name for arm in config.arms() for c in arm.regularizer] == ["l1"] + ["l1", "l2"] * 3
    assert "regularizer.l2.strength" in config.settings


@pytest.mark.usefixtures("penalties")
def test_a_dotted_factor_sets_all_regularizers_or_one_of_them(sweep: Load) -> None:
    def strengths(grid: str) -> list[tuple[float, ...]]:
        return [tuple(c.settings["strength"] for c in arm.regularizer) for arm in sweep(f"grid: {grid}").arms()]

    assert strengths("{regularizer: [none, {l1: , l2: }], regularizer.strength: [1, 2]}") == [(), (1, 1), (2, 2)]
    assert strengths("{regularizer: [none, {l1: , l2: }], regularizer.l2.strength: [1, 2]}") == [(), (0.1, 1), (0.1, 2)]
    assert sweep("grid: {regularizer: [none, {l1: , l2: }], regularizer.l2.strength: [1]}").levels(
        "regularizer.l2.strength"
    ) == ("-", "1")


@pytest.mark.usefixtures("penalties")
def test_none_combines_with_nothing(refused: Refused) -> None:
    refused("grid: {regularizer: ▲{none: , l1: }}", "none does not combine with another regularizer")


def test_a_run_has_about_fifty_evaluations_where_nothing_else_is_said(sweep: Load) -> None:
    """Each arm by its own length; an epoch of 5000 samples has 50 minibatches of 100 and 5 of 1000."""
    text = "{data: {mnist: {train: 5000}}, train: {iterations: %s}}"
    assert [next(sweep(text % t).arms()).evaluate.every for t in (1, 74, 75, 76, 1000, 12345)] == [1, 1, 2, 2, 20, 247]
    by_size = sweep("{data: {mnist: {train: 5000}}, train: {epochs: 20}, grid: {train.batch_size: [100, 1000]}}")
    assert [arm.evaluate.every for arm in by_size.arms()] == [20, 2]
    assert "every" not in by_size.resolved()["evaluate"]
    assert [arm.evaluate.every for arm in sweep("{evaluate: {every: 7}}").arms()] == [7]


def test_runs_are_every_arm_with_every_seed(sweep: Load) -> None:
    config = sweep("{seeds: [7, 3], grid: {init: [he, xavier]}}")
    assert [(run.arm.name, run.seed) for run in config.runs()] == [("he", 7), ("he", 3), ("xavier", 7), ("xavier", 3)]
    assert len({run.id for run in config.runs()}) == 4


def test_a_run_id_is_a_contract(sweep: Load) -> None:
    """Results on disk are found by it: if this changes, every finished sweep trains again."""
    run = next(sweep("{grid: {init: he}, train: {iterations: 10}, evaluate: {every: 10}}").runs())
    assert run.id == "dadc80919a64b6ef"


def test_evaluation_in_another_order_is_the_same(sweep: Load) -> None:
    a, b = sweep("evaluate: {on: [test, batch]}"), sweep("evaluate: {on: [batch, test]}")
    assert [run.id for run in a.runs()] == [run.id for run in b.runs()]


@pytest.mark.parametrize(
    ("grid", "sentence"),
    [
        ("{init: [he, ▲he]}", "init has he twice"),
        ("{init: [he, ▲{he: {}}]}", "init has he twice"),
        ("{optimizer: {sgd: {lr: [0.1, ▲1e-1]}}}", "optimizer has sgd twice"),
        ("{optimizer.lr: [0.1, ▲0.10]}", "optimizer.lr has 0.1 twice"),
        ('{"init, activation": [[he, relu], [▲he, relu]]}', "init, activation has he, relu twice"),
        (
            "{optimizer: [{sgd: {lr: 1}, label: a}, ▲{adam: , label: a}]}",
            "two levels of optimizer have the label 'a'; give one of them another `label:`",
        ),
        (
            "{optimizer: [adam, ▲{sgd: , label: adam}]}",
            "two levels of optimizer have the label 'adam'; give one of them another `label:`",
        ),
        (
            "{optimizer: {sgd: {lr: ▲1}}, optimizer.lr: [1, 2]}",
            "optimizer.lr is a factor of this grid; take lr out of this level",
        ),
        (
            "{optimizer.lr: [1, 2], ▲optimizer.sgd.lr: 1}",
            "optimizer.lr and optimizer.sgd.lr contradict each other in one grid; keep one of them",
        ),
        (
            "{train.iterations: 5, ▲train.epochs: 1}",
            "train.iterations and train.epochs contradict each other in one grid; keep one of them",
        ),
        (
            "{optimizer: [sgd, adam], ▲optimizer.momentum.alpha: 0.9}",
            "optimizer.momentum.alpha applies to no optimizer of this grid, which has sgd, adam (choices:"
            " optimizer.adam.beta1, optimizer.adam.beta2, optimizer.adam.eps, optimizer.adam.lr, optimizer.sgd.lr)",
        ),
        (
            "{optimizer: nesterov, ▲optimizer.momentum.alpha: 0.9}",
            "optimizer.momentum.alpha applies to no optimizer of this grid, which has nesterov; did you mean"
            " 'optimizer.nesterov.alpha'? (choices: optimizer.nesterov.alpha)",
        ),
        (
            "{▲data.npz.train: 5}",
            "data.npz.train applies to no data of this grid, which has mnist; did you mean 'data.mnist.train'?"
            " (choices: data.mnist.train)",
        ),
        (
            '{▲"optimizer, optimizer": [[sgd, sgd]]}',
            "optimizer is a factor of this grid already; give all its levels in one place",
        ),
        (
            '{init: he, ▲"init, activation": [[he, relu]]}',
            "init is a factor of this grid already; give all its levels in one place",
        ),
        ('{"optimizer, optimizer.lr": [[sgd, ▲[1, 2]]]}', "a row has one value of optimizer.lr, got [1, 2]"),
        (
            '{"activation, init": [[relu, he], ▲relu]}',
            "a row of activation, init is [a level of activation, a level of init], got 'relu'",
        ),
        (
            '{"activation, init": ▲relu}',
            "activation, init move together in a list of rows such as [a level of activation, a level of init],"
            " got 'relu'",
        ),
        ("▲[]", "grid must have at least one grid, got an empty list"),
        ("[▲relu]", "a grid is a mapping from factors to levels, got 'relu'"),
        ("{activation: ▲[]}", "activation must have at least one level, got an empty list"),
        ("{optimizer.lr: ▲[]}", "optimizer.lr must have at least one level, got an empty list"),
        ("{optimizer: {sgd: {lr: ▲[]}}}", "optimizer.sgd.lr must have at least one value, got an empty list"),
        (
            "{activation: [▲[relu]]}",
            "a level of activation is a name, or a name with settings, got [relu]",
        ),
        (
            "{regularizer: ▲~}",
            "a level of regularizer is a name, or a name with settings, got nothing; write none for nothing",
        ),
        (
            "{regularizer: {none: ▲5}}",
            "settings of regularizer.none must be removed, since it has no settings, got 5",
        ),
    ],
)
def test_grids_that_cannot_be(refused: Refused, grid: str, sentence: str) -> None:
    refused(f"grid: {grid}", sentence)


def test_a_mistake_is_not_told_twice_by_what_depends_on_it(refused: Refused) -> None:
    refused(
        """
        grid:
          optimizer: [▲momentun, sgd]
          optimizer.momentum.alpha: [0.5]
        exclude: [{optimizer: momentum}]
        """,
        f"there is no optimizer 'momentun'; did you mean 'momentum'? (choices: {', '.join(optimizers)})",
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "{train: {batch_size: ▲5}, grid: {train.batch_size: [10, 100]}}",
            "train.batch_size has no effect here, since it is a factor of the grid; take it out",
        ),
        (
            "{train: {iterations: ▲5}, grid: [{train.epochs: 1}, {'init, train.iterations': [[he, 7]]}]}",
            "train.iterations has no effect here, since train.epochs is a factor of the grid; take it out",
        ),
        (
            "{data: {mnist: {train: ▲300}}, grid: {data.train: [100, 200]}}",
            "data.mnist.train has no effect here, since data.train is a factor of the grid; take it out",
        ),
        (
            "{model: {mlp: {hidden: ▲[3]}}, grid: {model: [mlp, {mlp: {hidden: [7]}}]}}",
            "model.mlp.hidden has no effect here, since model is a factor of the grid; take it out",
        ),
    ],
)
def test_a_setting_that_no_arm_takes(refused: Refused, text: str, sentence: str) -> None:
    refused(text, sentence)


def test_a_setting_that_one_grid_of_two_takes(sweep: Load) -> None:
    config = sweep("{train: {batch_size: 5}, grid: [{train.batch_size: 10}, {init: xavier}]}")
    assert [arm.train.batch_size for arm in config.arms()] == [10, 5]
    assert config.resolved()["train"]["batch_size"] == 5


def test_a_setting_that_no_arm_takes_is_no_question(sweep: Load) -> None:
    resolved = sweep("grid: {train.batch_size: [10, 20], model: mlp, data.mnist.train: 300}").resolved()
    assert "batch_size" not in resolved["train"]
    assert resolved["model"] == {"mlp": {}}
    assert resolved["data"] == {"mnist": {"validation": 0, "test": None, "standardize": False}}


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("regularizer: {dropout: 0.2}", "regularizer: {dropout: {ratio: 0.2}}"),
        (
            "regularizer: {dropout: [0.1, 0.2], l2: 0.1}",
            "regularizer: {dropout: {ratio: [0.1, 0.2]}, l2: {strength: 0.1}}",
        ),
        ("optimizer: [{sgd: 0.1}, adam]", "optimizer: [{sgd: {lr: 0.1}}, adam]"),
        ("init: {normal: 0.1, label: N}", "init: {normal: {std: 0.1}, label: N}"),
        ("model: {mlp: [50, 20]}", "model: {mlp: {hidden: [50, 20]}}"),
        (
            "model: {layers: [[{dense: 4}, relu], [relu]]}",
            "model: {layers: {of: [[{dense: {units: 4}}, relu], [relu]]}}",
        ),
    ],
)
def test_a_value_without_a_name_is_that_of_the_first_setting(sweep: Load, short: str, long: str) -> None:
    one, other = sweep(f"grid: {{{short}}}"), sweep(f"grid: {{{long}}}")
    assert one.resolved() == other.resolved()
    assert [run.id for run in one.runs()] == [run.id for run in other.runs()]


def test_a_value_without_a_name_outside_the_grid_and_changed_by_an_override(sweep: Load, tmp_path: Path) -> None:
    (arm,) = sweep("{data: {mnist: 300}, model: {mlp: [7]}}", "data.mnist.test=200", "seeds=1").arms()
    assert (arm.data.settings["train"], arm.data.settings["test"], arm.model.settings["hidden"]) == (300, 200, [7])
    (arm,) = sweep("grid: {regularizer: {dropout: 0.2}}", "grid.regularizer.dropout.mode=classic").arms()
    assert arm.regularizer[0].settings == {"ratio": 0.2, "mode": "classic"}
    (plot,) = sweep("{grid: {init: [he, zeros]}, plots: [{curves: init}]}").plots
    assert plot.settings["rows"] == "init"


@pytest.mark.parametrize("values", [np.linspace(0.1, 0.5, 5), np.linspace(0.1, 0.5, 5, dtype=np.float32)])
def test_arrays_are_lists_and_labels_have_no_rounding_error(values: Any) -> None:
    grid = {"optimizer.lr": values, "regularizer": [{"dropout": values}]}
    config = load({"name": "x", "grid": grid, "exclude": [{"optimizer.lr": values[2]}]})
    assert {arm.levels["optimizer.lr"] for arm in config.arms()} == {"0.1", "0.2", "0.4", "0.5"}
    assert config.levels("regularizer") == tuple(f"dropout ratio={digits}" for digits in (0.1, 0.2, 0.3, 0.4, 0.5))
