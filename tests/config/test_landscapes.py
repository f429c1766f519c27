"""What a config may say of a landscape, and what it may not."""

from __future__ import annotations

import json

import jsonschema
import pytest
from tests.support.configs import Load, Refused

from dlsweep.config.schema import schema

NO_EFFECT = "has no effect on a landscape; take it out"


def test_a_landscape_needs_no_data_and_one_seed(sweep: Load) -> None:
    config = sweep("model: {narrow_valley: {start: [-7, 2]}}\ntrain: {iterations: 30}")
    (run,) = config.runs()
    assert run.arm.model.settings == {"start": [-7.0, 2.0], "noise": 0.0}
    assert run.arm.data.name == "none"
    assert (run.arm.evaluate.every, run.arm.evaluate.on) == (1, ("train",))
    assert config.factors == ("optimizer", "schedule")
    assert config.settings == ("model.noise", "optimizer.lr", "train.iterations")
    assert [r.id for r in sweep("{model: narrow_valley, data: none, train.iterations: 30}".replace(".", ": {", 1)
                                .replace("30}", "30}}")).runs()] == [run.id]  # fmt: skip


def test_noise_makes_seeds_worth_while(sweep: Load, refused: Refused) -> None:
    assert sweep("model: {saddle: {noise: 0.1}}").seeds == (0, 1, 2, 3, 4)
    assert sweep("grid: {model: {saddle: {noise: [0, 0.1]}}}").seeds == (0, 1, 2, 3, 4)
    assert sweep("model: saddle\ngrid: {model.noise: [0, 0.1]}\nseeds: 2").seeds == (0, 1)
    assert sweep("model: saddle\nseeds: [7]").seeds == (7,)
    refused(
        "model: saddle\nseeds: ▲3",
        "without noise a descent is the same for every seed, got 3; take seeds out, or add noise, as in model: "
        "{saddle: {noise: 0.1}}",
    )


@pytest.mark.parametrize(
    "text",
    [
        "{model: saddle, train: {iterations: 7}, evaluate: {every: 3}}",
        "{model: {beale: {noise: 0.2}}, seeds: 3, grid: {optimizer.lr: [0.1, 0.2], model.start: [[1, 2], [0, 0]]}}",
        "{grid: {model: [saddle, beale], train.iterations: [3, 4]}}",
    ],
)
def test_the_resolved_config_gives_the_same_runs(sweep: Load, text: str) -> None:
    config = sweep(text)
    resolved = json.loads(json.dumps(config.resolved()))
    assert not {"data", "fingerprints"} & resolved.keys()
    again = sweep(json.dumps(resolved))
    assert [run.id for run in again.runs()] == [run.id for run in config.runs()]
    assert again.difference(config.resolved()) == []


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        ("▲[1]", "must be a list of length 2 or more, got [1]"),
        ("▲[1, 2, 3]", "must be a list of length 2 or less, got [1, 2, 3]"),
        ("▲7", "must be a list, got 7 (write [7])"),
    ],
)
def test_a_start_is_a_point(refused: Refused, start: str, sentence: str) -> None:
    refused(f"model:\n  narrow_valley: {{start: {start}}}", f"model.narrow_valley.start {sentence}")


def test_a_start_is_finite(refused: Refused) -> None:
    refused(
        "model: {beale: {start: [1, ▲.inf]}}",
        "an item of model.beale.start must be a finite number, got .inf",
    )
    refused("model: {beale: {start: [1, ▲x]}}", "an item of model.beale.start must be a number, got 'x'")


def test_what_has_no_effect_is_refused(refused: Refused) -> None:
    refused(
        """
        data: ▲mnist
        model: saddle
        train: {epochs: ▲3, batch_size: ▲4}
        evaluate: {▲on: [test], every: 2}
        grid:
          ▲activation: [relu, tanh]
          ▲init, optimizer: [[he, sgd], [xavier, adam]]
        """,
        f"data {NO_EFFECT}",
        "train.epochs has no effect on a landscape; give train.iterations instead",
        f"train.batch_size {NO_EFFECT}",
        f"evaluate.on {NO_EFFECT}",
        f"activation {NO_EFFECT}",
        f"init {NO_EFFECT}",
    )
    refused("model: saddle\ngrid: {▲train.batch_size: [1, 2]}", f"train.batch_size {NO_EFFECT}")


def test_networks_and_landscapes_do_not_mix(refused: Refused) -> None:
    refused(
        "grid: {model: [mlp, ▲saddle]}",
        "networks learn from data and landscapes do not, so they are not compared in one sweep; got mlp, saddle",
    )
    refused("data: ▲none", "data must not be none, since mlp learns from data")
    refused("grid: {data: [mnist, ▲none]}", "data must not be none, since mlp learns from data")


def test_plots_of_what_there_is(sweep: Load, refused: Refused) -> None:
    assert len(sweep("model: saddle\nplots: [paths, {curves: {y: loss}}]").plots) == 2
    refused("model: saddle\nplots: [▲curves]", "a landscape has no accuracy; write {curves: {y: loss}}")
    refused("plots: [▲paths]", "paths are those of descents on a landscape, and the models here are networks")


def test_a_mistaken_name_is_told_once(refused: Refused) -> None:
    choices = "(choices: alexnet, beale, himmelblau, layers, lenet, mlp, narrow_valley, rosenbrock, saddle, "
    choices += "simple_cnn, vgg)"
    refused(
        "{model: ▲narow_valley, data: none, train: {iterations: 30}, plots: [paths]}",
        f"there is no model 'narow_valley'; did you mean 'narrow_valley'? {choices}",
    )


def test_the_schema_knows_landscapes() -> None:
    valid = jsonschema.Draft202012Validator(schema())
    assert valid.is_valid({"model": {"narrow_valley": {"start": [-7, 2], "noise": 0.1}}, "data": "none"})
    assert valid.is_valid({"grid": {"model": ["saddle", {"beale": {"start": [[1, 2], [3, 4]]}}]}})
    for start in ([1], [1, 2, 3], ["a", 2], 7):
        assert not valid.is_valid({"model": {"narrow_valley": {"start": start}}})
