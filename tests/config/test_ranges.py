"""Levels by a range: logspace, linspace and range, wherever a list of numbers gives levels; and NumPy arrays."""

from __future__ import annotations

import itertools
import math

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.configs import Load, Refused

from dlsweep.config import load
from dlsweep.config.schema import schema


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("{logspace: [1e-4, 1, 9]}", "0.0001 0.0003 0.001 0.003 0.01 0.03 0.1 0.3 1"),
        ("{logspace: [1, 1e-3, 4]}", "1 0.1 0.01 0.001"),
        ("{logspace: [0.001, 0.1, 10]}", "0.001 0.0017 0.0028 0.0046 0.0077 0.013 0.022 0.036 0.06 0.1"),
        ("{logspace: [1e-30, 1e30, 3]}", "1e-30 1 1e+30"),
        ("{linspace: [0.1, 0.5, 5]}", "0.1 0.2 0.3 0.4 0.5"),
        ("{linspace: [1, 2, 4]}", "1 1.33 1.67 2"),
        ("{linspace: [1, 2, 2]}", "1 2"),
        ("{linspace: [1e-30, 1e30, 3]}", "1e-30 5e+29 1e+30"),
        ("{range: [0.1, 0.6, 0.1]}", "0.1 0.2 0.3 0.4 0.5"),
        ("{range: [3, 1, -0.5]}", "3 2.5 2 1.5"),
        ("{range: [1, 4]}", "1 2 3"),
        ("[0.5, {range: [1, 3]}, 1e-2]", "0.5 1 2 0.01"),
    ],
)
def test_values_as_a_person_would_write_them(sweep: Load, text: str, labels: str) -> None:
    config = sweep(f"grid: {{optimizer.lr: {text}}}")
    assert " ".join(config.levels("optimizer.lr")) == labels
    assert [arm.optimizer.settings["lr"] for arm in config.arms()] == list(map(float, labels.split()))
    assert sweep("seeds: 5", f"grid.optimizer.lr={text.strip('[]')}").levels("optimizer.lr") == config.levels(
        "optimizer.lr"
    )


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("{logspace: [1, 1000, 7]}", [1, 3, 10, 30, 100, 300, 1000]),
        ("{linspace: [10, 100, 4]}", [10, 40, 70, 100]),
        ("{linspace: [1, 10, 5]}", [1, 3, 6, 8, 10]),
        ("{range: [10, 60, 10]}", [10, 20, 30, 40, 50]),
    ],
)
def test_whole_numbers_where_the_setting_is_one(sweep: Load, text: str, sizes: list[int]) -> None:
    found = [arm.train.batch_size for arm in sweep(f"grid: {{train.batch_size: {text}}}").arms()]
    assert found == sizes
    assert {type(size) for size in found} == {int}


@pytest.mark.parametrize("level", ["{sgd: {lr: {logspace: [0.01, 1, 3]}}}", "{sgd: {logspace: [0.01, 1, 3]}}"])
def test_within_the_settings_of_a_level(sweep: Load, level: str) -> None:
    config = sweep(f"grid: {{optimizer: [adam, {level}]}}")
    assert config.levels("optimizer") == ("adam", "sgd lr=0.01", "sgd lr=0.1", "sgd lr=1")
    again = sweep("grid: {optimizer: [adam, sgd]}", "grid.optimizer.sgd.lr={logspace: [0.01, 1, 3]}")
    assert again.levels("optimizer") == config.levels("optimizer")
    resolved = {key: value for key, value in config.resolved().items() if key != "fingerprints"}
    assert load(resolved).levels("optimizer") == config.levels("optimizer")


FORM = "[first, last, number of values], such as {logspace: [0.0001, 1, 9]}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{logspace: ▲[1, 2]}", f"logspace in optimizer.lr is {FORM}, got [1, 2]"),
        ("{logspace: ▲}", f"logspace in optimizer.lr is {FORM}, got nothing"),
        (
            "{range: ▲5}",
            "range in optimizer.lr is [start, stop, step], without the stop, such as {range: [10, 60, 10]}, got 5",
        ),
        ("{logspace: [▲0, 1, 4]}", "logspace goes between numbers above 0, got 0"),
        ("{linspace: [1, ▲x, 4]}", "linspace in optimizer.lr has finite numbers, got 'x'"),
        ("{linspace: [1, ▲.inf, 4]}", "linspace in optimizer.lr has finite numbers, got .inf"),
        ("{linspace: [1, ▲1.0, 4]}", "linspace goes from one number to another, got 1 twice"),
        (
            "{linspace: [1, 2, ▲1.5]}",
            "the number of values of linspace must be a whole number from 2 to 10,000, got 1.5",
        ),
        (
            "{linspace: [1, 2, ▲1e9]}",
            "the number of values of linspace must be a whole number from 2 to 10,000, got 1e9",
        ),
        ("{range: [1, 3, ▲0]}", "the step of range must not be 0, got 0"),
        ("{range: [1, ▲3, -1]}", "range from 1 to 3 with the step -1 has no values"),
        ("{range: [1, ▲1e9]}", "range from 1 to 1e9 with the step 1 has more than 10,000 values"),
        (
            "{▲logspce: [1, 2, 3]}",
            "optimizer.lr is a number or a range; there is no range 'logspce'; did you mean 'logspace'? "
            "(choices: linspace, logspace, range)",
        ),
        (
            "▲{logspace: [1, 2, 3], range: [1, 2]}",
            "optimizer.lr has one range, such as {logspace: [0.0001, 1, 9]}, got {logspace: …, range: …}",
        ),
        ("[1, ▲{range: [1, 3]}]", "optimizer.lr has 1 twice"),
        ("▲{range: [0, 3]}", "optimizer.lr must be above 0, got 0"),
        ("▲{mean: 3}", "optimizer.lr must be a number, got {mean: …}"),
    ],
)
def test_ranges_that_cannot_be(refused: Refused, text: str, sentence: str) -> None:
    refused(f"grid: {{optimizer.lr: {text}}}", sentence)


def test_every_mistake_at_once(refused: Refused) -> None:
    refused(
        """
        train: {batch_size: ▲{range: [1, 3]}}
        grid:
          optimizer: [{sgd: {lr: {logspace: [▲-1, 1, 3]}}}, {momentum: {alpha: {linspace: ▲[0]}}}]
          model.mlp.hidden: ▲{range: [10, 30, 10]}
          "train.iterations, init": [[▲{range: [1, 3]}, he]]
        """,
        "train.batch_size has one value here, got {range: …}; to compare several, use a factor of the grid",
        "logspace goes between numbers above 0, got -1",
        "linspace in optimizer.momentum.alpha is [first, last, number of values], such as {linspace: [0, 0.5, 6]}, "
        "got [0]",
        "model.mlp.hidden must be a list, got {range: …}",
        "a row has one value of train.iterations, got {range: …}",
    )
    refused(
        "grid: {train.batch_size: {linspace: ▲[1, 3, 9]}}",
        "linspace in train.batch_size gives 3 different whole numbers only; ask for fewer values",
    )


def test_arrays_of_numpy() -> None:
    def labels(values: object, factor: str = "optimizer.lr") -> tuple[str, ...]:
        return load({"name": "x", "grid": {factor: values}}).levels(factor)

    assert labels(np.linspace(0.1, 0.5, 5)) == ("0.1", "0.2", "0.3", "0.4", "0.5")
    assert labels(list(np.linspace(0.1, 0.5, 5))) == labels(np.linspace(0.1, 0.5, 5))
    assert labels(np.geomspace(0.001, 1, 7)) == ("0.001", "0.003162", "0.01", "0.03162", "0.1", "0.3162", "1")
    assert labels(np.array([0.1, 0.25], np.float32)) == ("0.1", "0.25")
    assert labels(np.array([0.123456789])) == ("0.123456789",)
    assert labels(np.arange(10, 40, 10), "train.batch_size") == ("10", "20", "30")
    assert labels(np.array([[40, 20], [10, 10]]), "model.mlp.hidden") == ("[40, 20]", "[10, 10]")
    assert labels(np.array(0.5)) == ("0.5",)
    (_, arm) = load({"name": "x", "grid": {"optimizer.lr": [0.1, 0.1 + 0.2]}}).arms()
    assert arm.optimizer.settings["lr"] == 0.1 + 0.2  # a number of Python is meant as it is


def test_the_schema_knows_ranges() -> None:
    valid = jsonschema.Draft202012Validator(schema())
    for grid in (
        {"optimizer.lr": {"logspace": [0.1, 1, 3]}},
        {"optimizer": {"sgd": {"lr": [{"range": [1, 3]}, 5]}}},
        {"optimizer": {"sgd": {"linspace": [1, 3, 5]}}},
        {"train.batch_size": {"range": [1, 9, 2]}},
    ):
        assert valid.is_valid({"grid": grid})
        load({"name": "x", "grid": grid})
    for wrong in (
        {"optimizer.lr": {"logspace": [0.1, 1]}},
        {"optimizer.lr": {"logspce": [0.1, 1, 3]}},
        {"optimizer.lr": {"logspace": [0.1, 1, "x"]}},
        {"train.sampling": {"range": [1, 3]}},
    ):
        assert not valid.is_valid({"grid": wrong})
    assert not valid.is_valid({"train": {"batch_size": {"range": [1, 3]}}})


NUMBERS = st.floats(1e-6, 1e6).map(lambda x: float(f"{x:.3g}"))


@given(NUMBERS, NUMBERS, st.integers(2, 40), st.sampled_from(["logspace", "linspace"]))
def test_values_are_near_their_places(first: float, last: float, count: int, word: str) -> None:
    if abs(math.log(first / last)) < 0.1:
        return
    levels = load({"name": "x", "grid": {"optimizer.lr": {word: [first, last, count]}}}).levels("optimizer.lr")
    values = [float(level) for level in levels]
    assert (values[0], values[-1], len(values)) == (first, last, count)
    log = word == "logspace"
    exact = np.geomspace(first, last, count) if log else np.linspace(first, last, count)
    scale = math.log if log else float
    step = abs(scale(last) - scale(first)) / (count - 1)
    assert all(abs(scale(a) - scale(b)) <= 0.1001 * step for a, b in zip(values, exact))
    assert all((a < b) == (first < last) for a, b in itertools.pairwise(values))
