from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from dlsweep.errors import UsageError
from dlsweep.plots.factors import Placed, all_levels, factors, levels, place

ALL = {
    "activation": ["sigmoid", "relu"],
    "init": ["xavier", "he"],
    "optimizer": ["sgd", "adam"],
    "schedule": ["a", "b"],
}


def varying(made_up: Callable[..., pd.DataFrame], *names: str) -> pd.DataFrame:
    frame: pd.DataFrame = made_up({name: ALL[name] for name in names}, points=2, seeds=1)
    return frame


@pytest.mark.parametrize(
    ("names", "given", "placed"),
    [
        ("", {}, Placed(None, None, "split", ())),
        ("init", {}, Placed(None, None, "init", ())),
        ("init", {"lines": "split"}, Placed(None, "init", "split", ())),
        ("init", {"rows": "init"}, Placed("init", None, "split", ())),
        ("init", {"rows": "split"}, Placed("split", "init", None, ())),
        ("activation init", {}, Placed("activation", "init", "split", ())),
        ("activation init", {"columns": "activation"}, Placed("init", "activation", "split", ())),
        ("activation init", {"lines": "init"}, Placed(None, "activation", "init", ())),
        ("activation init", {"lines": "arm"}, Placed(None, None, "arm", ())),
        ("activation init optimizer", {}, Placed("activation", "init", "optimizer", ())),
        ("activation init optimizer", {"lines": "split"}, Placed("activation", "init", "split", ("optimizer",))),
        ("activation init optimizer", {"rows": "init"}, Placed("init", "activation", "optimizer", ())),
        ("activation init optimizer schedule", {}, Placed("activation", "init", "optimizer", ("schedule",))),
    ],
)
def test_what_is_not_given_is_chosen(
    made_up: Callable[..., pd.DataFrame], names: str, given: dict[str, str], placed: Placed
) -> None:
    frame = varying(made_up, *names.split())
    assert place(frame, given) == placed


def test_a_factor_that_moves_with_those_that_have_a_place_needs_none(made_up: Callable[..., pd.DataFrame]) -> None:
    frame = varying(made_up, "activation", "init", "optimizer")
    pairs = frame[(frame["activation"] == "relu") == (frame["init"] == "he")]
    assert place(pairs, {"columns": "activation"}) == Placed("optimizer", "activation", "split", ())
    assert place(pairs, {"columns": "activation", "lines": "optimizer"}) == Placed(None, "activation", "optimizer", ())
    both = place(pairs, {"columns": "optimizer"})  # neither has a place that would tell the other
    assert (both.rows, both.lines) == ("activation", "init")


def test_a_factor_that_moves_with_x_needs_no_place_unless_x_has_several_values_for_it(
    made_up: Callable[..., pd.DataFrame],
) -> None:
    frame = varying(made_up, "activation", "optimizer")
    frame["train.batch_size"] = frame["optimizer"].map({"sgd": 1.0, "adam": 32.0}).astype(float)
    assert place(frame, {"x": "train.batch_size"}) == Placed(None, None, "activation", ())
    frame.loc[(frame["optimizer"] == "sgd") & (frame["activation"] == "relu"), "train.batch_size"] = 2.0
    assert place(frame, {"x": "train.batch_size", "columns": "activation"}).lines == "optimizer"


def test_levels_keep_the_order_of_the_sweep(made_up: Callable[..., pd.DataFrame]) -> None:
    frame = varying(made_up, "activation", "init")
    assert factors(frame) == ["activation", "init"]
    assert levels(frame, "activation") == ["sigmoid", "relu"]
    only = frame[frame["activation"] == "relu"]
    assert levels(only, "activation") == ["relu"]
    assert all_levels(only, "activation") == ["sigmoid", "relu"]


def test_numbers_and_words_without_an_order_are_sorted() -> None:
    frame = pd.DataFrame({"optimizer.lr": [0.1, 0.001, None, 10.0], "who": ["b", "a", "b", "a"], "seed": [2, 10, 1, 1]})
    assert levels(frame, "optimizer.lr") == ["0.001", "0.1", "10"]
    assert levels(frame, "who") == ["a", "b"]
    assert levels(frame, "seed") == ["1", "2", "10"]


def test_a_factor_that_is_not_there(made_up: Callable[..., pd.DataFrame]) -> None:
    with pytest.raises(
        UsageError, match=r"there is no factor 'activaton' for rows, columns or lines; did you mean 'activation'"
    ):
        place(varying(made_up, "activation"), {"rows": "activaton"})


def test_a_factor_in_two_places(made_up: Callable[..., pd.DataFrame]) -> None:
    with pytest.raises(UsageError, match="'init' can have one place only"):
        place(varying(made_up, "init"), {"rows": "init", "columns": "init"})
