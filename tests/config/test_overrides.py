"""`key=value` on the command line."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.configs import FACTORS, TRAIN_SETTINGS, Load, Refused

from dlsweep.config import Config
from dlsweep.config.runs import Train

TEXT = """
name: base
train: {iterations: 1000, batch_size: 100}
grid:
  activation: [relu, tanh]
  optimizer: [{sgd: {lr: 0.5}}, momentum, {adam: {lr: 0.001}, label: Adam}]
"""


def first(config: Config) -> Any:
    return next(config.arms())


def test_plain_keys(sweep: Load) -> None:
    config = sweep(TEXT, "train.iterations=200", "seeds=3", "name=x", "evaluate.every=7", "evaluate.on=test,batch")
    assert (config.name, config.seeds) == ("x", (0, 1, 2))
    assert first(config).train.iterations == 200
    assert first(config).train.batch_size == 100
    assert (config.evaluate.every, config.evaluate.on) == (7, ("batch", "test"))


def test_commas_make_a_list_but_not_inside_brackets_or_quotes(sweep: Load) -> None:
    assert sweep(TEXT, "seeds=3,1").seeds == (3, 1)
    assert sweep(TEXT, "seeds=[3, 1]").seeds == (3, 1)
    config = sweep(TEXT, "grid.model.mlp.hidden=[40,20],[7]")
    assert config.levels("model.mlp.hidden") == ("[40, 20]", "[7]")
    assert first(sweep(TEXT, "model.mlp.hidden=[40,20]")).model.settings["hidden"] == [40, 20]
    assert sweep(TEXT, 'grid.init={he: , label: "a, b"},xavier').levels("init") == ("a, b", "xavier")


def test_values_are_yaml_1_2(sweep: Load) -> None:
    assert first(sweep(TEXT, "grid.optimizer.sgd.lr=1e-3")).optimizer.settings["lr"] == 0.001
    assert sweep(TEXT, "name=off").name == "off"


def test_a_factor_is_replaced_or_added(sweep: Load) -> None:
    assert sweep(TEXT, "grid.activation=sigmoid,relu").levels("activation") == ("sigmoid", "relu")
    added = sweep(TEXT, "grid.init=he,xavier")
    assert added.factors[:3] == ("activation", "optimizer", "init")
    assert added.varying == ("activation", "optimizer", "init")
    assert sweep("name: x", "grid.init=he,xavier").varying == ("init",)


def test_settings_are_reached_by_the_name_of_the_level(sweep: Load) -> None:
    config = sweep(
        TEXT, "grid.optimizer.sgd.lr=0.1,0.01", "grid.optimizer.momentum.alpha=0.5", "grid.optimizer.adam.lr=1"
    )
    assert config.levels("optimizer") == ("sgd lr=0.1", "sgd lr=0.01", "momentum", "Adam")
    settings = {arm.levels["optimizer"]: arm.optimizer.settings for arm in config.arms()}
    assert settings["momentum"] == {"lr": 0.01, "alpha": 0.5}
    assert settings["Adam"]["lr"] == 1.0


def test_settings_of_the_default_level(sweep: Load) -> None:
    assert sweep("name: x", "grid.optimizer.sgd.lr=0.1,0.2").levels("optimizer") == ("sgd lr=0.1", "sgd lr=0.2")
    assert first(sweep("name: x", "data.mnist.train=300")).data.settings["train"] == 300
    assert first(sweep("data: {mnist: {test: 50}}", "data.mnist.train=300")).data.settings["test"] == 50


def test_dotted_factors(sweep: Load) -> None:
    assert sweep(TEXT, "grid.train.batch_size=10,20").levels("train.batch_size") == ("10", "20")
    again = sweep(
        "grid: {train.batch_size: [1, 2], optimizer.sgd.lr: 0.1}",
        "grid.train.batch_size=5",
        "grid.optimizer.sgd.lr=3,4",
    )
    assert again.levels("train.batch_size") == ("5",)
    assert again.levels("optimizer.sgd.lr") == ("3", "4")


def test_all_grids_of_a_union_are_reached(sweep: Load) -> None:
    text = "grid: [{optimizer: [sgd, adam], init: he}, {optimizer: [{sgd: {lr: 9}}]}, {optimizer: [adam]}]"
    config = sweep(text, "grid.optimizer.sgd.lr=0.25")
    assert {arm.optimizer.settings["lr"] for arm in config.arms() if arm.optimizer.name == "sgd"} == {0.25}


def test_rows_of_factors_that_move_together_are_reached_by_name(sweep: Load) -> None:
    config = sweep('grid: {"activation, optimizer": [[relu, sgd], [tanh, adam]]}', "grid.optimizer.adam.lr=0.5")
    assert [arm.optimizer.settings["lr"] for arm in config.arms()] == [0.01, 0.5]


def test_epochs_take_the_place_of_iterations(sweep: Load) -> None:
    assert first(sweep(TEXT, "train.epochs=2")).train == Train(None, 2, 100, "shuffle")
    assert first(sweep("train: {epochs: 2}", "train.iterations=3")).train.epochs is None


def test_a_key_with_nothing_after_it_is_as_good_as_none(sweep: Load) -> None:
    config = sweep("grid:\ndata:\ntrain:", "grid.init=he,xavier", "data.mnist.train=300", "train.batch_size=7")
    assert config.levels("init") == ("he", "xavier")
    assert first(config).train.batch_size == 7


def test_the_last_of_two_wins(sweep: Load) -> None:
    assert sweep(TEXT, "seeds=2", "seeds=4").seeds == (0, 1, 2, 3)


def test_the_text_stays_as_it_was_given(sweep: Load) -> None:
    assert sweep(TEXT, "seeds=2").text == TEXT.encode()


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("seeds", "an override is key=value, such as train.iterations=200, got 'seeds'"),
        ("=3", "an override is key=value, such as train.iterations=200, got '=3'"),
        ("seeds=", "seeds=: there is no value after the equals sign"),
        (
            "sedes=3",
            "sedes=3: there is no key 'sedes'; did you mean 'seeds'? (choices: claims, data, evaluate, exclude, grid,"
            " model, name, only, plots, seeds, statistics, title, train, tune)",
        ),
        (
            "train.iteration=3",
            f"train has no setting 'iteration'; did you mean 'iterations'? {TRAIN_SETTINGS}",
        ),
        ("iterations=3", "iterations=3: there is no key 'iterations'; did you mean 'train.iterations'?"),
        ("iteration=3", "iteration=3: there is no key 'iteration'; did you mean 'train.iterations'?"),
        ("optimizer.lr=1", "optimizer.lr=1: there is no key 'optimizer'; did you mean 'grid.optimizer.lr'?"),
        ("lr=1", "lr=1: there is no key 'lr'; did you mean 'grid.optimizer.lr'?"),
        (
            "dropout=0.2",
            "dropout=0.2: there is no key 'dropout'; "
            "did you mean 'grid.regularizer=dropout' or 'model.alexnet.dropout'?",
        ),
        (
            "hidden=[4]",
            "hidden=[4]: there is no key 'hidden'; "
            "did you mean 'model.mlp.hidden' or 'model.simple_cnn.hidden' or 'model.vgg.hidden'?",
        ),
        ("train.iterations=0", "train.iterations must be at least 1, got 0"),
        (
            "train.iterations=1,2",
            "train.iterations has one value here, got [1, 2]; to compare several, use a factor of the grid",
        ),
        ("grid.optimizer.sgd.lr=0", "optimizer.sgd.lr must be above 0, got 0"),
        (
            "grid.optimizer.rmsprop.lr=1",
            "grid.optimizer.rmsprop.lr=1: no level of optimizer in the grid is called 'rmsprop'",
        ),
        ("grid.optimizer.sgd.alpha=1", "optimizer.sgd has no setting 'alpha' (choices: lr)"),
        (
            "grid.optmizer=sgd",
            f"there is no factor 'optmizer'; did you mean 'optimizer'? {FACTORS}",
        ),
        (
            "data.npz.path=x",
            "data.npz.path=x: data is mnist here; its settings are set by name, such as data.mnist.train=…",
        ),
        ("data.train=3", "data.train=3: data is mnist here; its settings are set by name, such as data.mnist.train=…"),
        (
            "seeds=[",
            "seeds=[: not valid YAML: while parsing a flow sequence, did not find expected ',' or ']'; look for a"
            " missing colon, bracket, quote or indent",
        ),
        (
            "seeds=!!python/name:os.system x",
            "seeds=!!python/name:os.system x: the tag !!python/name:os.system is not allowed;"
            " a config holds plain values only",
        ),
        ("seeds=" + "[" * 100, "seeds=" + "[" * 100 + ": nested more than 50 deep"),
    ],
)
def test_overrides_that_cannot_be(refused: Refused, override: str, sentence: str) -> None:
    refused(TEXT, f"command line: {sentence}", overrides=(override,))


def test_moving_factors_are_changed_in_the_file(refused: Refused) -> None:
    refused(
        'grid: {"activation, init": [[relu, he]]}',
        "command line: grid.init=he: init moves together with others in 'activation, init'; change it in the file",
        overrides=("grid.init=he",),
    )


def test_mistakes_of_the_command_line_and_of_the_file_come_together(refused: Refused) -> None:
    refused(
        "train: {batch_size: ▲0}",
        "train.batch_size must be at least 1, got 0",
        "command line: seeds must be a count of at least 1, or a list such as [0, 1, 2], got 0",
        overrides=("seeds=0",),
    )


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("train.batch_size=5", "train.batch_size has no effect here, since it is a factor of the grid"),
        ("train.epochs=5", "train.epochs has no effect here, since train.iterations is a factor of the grid"),
        ("data.mnist.train=5", "data.mnist.train has no effect here, since data is a factor of the grid"),
        ("model.mlp.hidden=[5]", "model.mlp.hidden has no effect here, since model.hidden is a factor of the grid"),
    ],
)
def test_an_override_that_no_arm_takes(refused: Refused, override: str, sentence: str) -> None:
    instead = {"train.epochs": "train.iterations", "model.mlp.hidden": "model.hidden"}
    key = override.partition("=")[0]
    refused(
        "grid: {train.batch_size: [10, 100], train.iterations: 5, data: mnist, model.hidden: [[4], [5]]}",
        f"command line: {sentence}; write grid.{instead.get(key, key)}=… instead",
        overrides=(override,),
    )


def test_a_factor_takes_the_place_of_a_setting_of_the_file(sweep: Load) -> None:
    assert sweep(TEXT, "grid.train.epochs=1,2").levels("train.epochs") == ("1", "2")
    assert sweep("model: {mlp: {hidden: [3]}}", "grid.model.hidden=[4],[5]").levels("model.hidden") == ("[4]", "[5]")
