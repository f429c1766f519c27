from __future__ import annotations

import pandas as pd
import pytest
from tests.support.frames import made_up

from dlsweep.analysis.facets import Facets, all_levels, factors, levels
from dlsweep.errors import UsageError

ALL = {
    "activation": ["sigmoid", "relu"],
    "init": ["xavier", "he"],
    "optimizer": ["sgd", "adam"],
    "schedule": ["a", "b"],
}


def facets(rows: str | None, columns: str | None, lines: str | None, left: tuple[str, ...]) -> Facets:
    return Facets(pd.DataFrame(), rows, columns, lines, left)


def varying(*names: str) -> pd.DataFrame:
    frame: pd.DataFrame = made_up({name: ALL[name] for name in names}, points=2, seeds=1)
    return frame


@pytest.mark.parametrize(
    ("names", "given", "placed"),
    [
        ("", {}, facets(None, None, "split", ())),
        ("init", {}, facets(None, None, "init", ())),
        ("init", {"lines": "split"}, facets(None, "init", "split", ())),
        ("init", {"rows": "init"}, facets("init", None, "split", ())),
        ("init", {"rows": "split"}, facets("split", "init", None, ())),
        ("activation init", {}, facets("activation", "init", "split", ())),
        ("activation init", {"columns": "activation"}, facets("init", "activation", "split", ())),
        ("activation init", {"lines": "init"}, facets(None, "activation", "init", ())),
        ("activation init", {"lines": "arm"}, facets(None, None, "arm", ())),
        ("activation init optimizer", {}, facets("activation", "init", "optimizer", ())),
        ("activation init optimizer", {"lines": "split"}, facets("activation", "init", "split", ("optimizer",))),
        ("activation init optimizer", {"rows": "init"}, facets("init", "activation", "optimizer", ())),
        ("activation init optimizer schedule", {}, facets("activation", "init", "optimizer", ("schedule",))),
    ],
)
def test_what_is_not_given_is_chosen(names: str, given: dict[str, str], placed: Facets) -> None:
    frame = varying(*names.split())
    assert Facets.of(frame, given) == placed


def test_a_factor_that_moves_with_those_that_have_a_place_needs_none() -> None:
    frame = varying("activation", "init", "optimizer")
    pairs = frame[(frame["activation"] == "relu") == (frame["init"] == "he")]
    assert Facets.of(pairs, {"columns": "activation"}) == facets("optimizer", "activation", "split", ())
    given = {"columns": "activation", "lines": "optimizer"}
    assert Facets.of(pairs, given) == facets(None, "activation", "optimizer", ())
    both = Facets.of(pairs, {"columns": "optimizer"})  # neither has a place that would tell the other
    assert (both.rows, both.lines) == ("activation", "init")


def test_a_factor_that_moves_with_x_needs_no_place_unless_x_has_several_values_for_it() -> None:
    frame = varying("activation", "optimizer")
    frame["train.batch_size"] = frame["optimizer"].map({"sgd": 1.0, "adam": 32.0}).astype(float)
    assert Facets.of(frame, {"x": "train.batch_size"}) == facets(None, None, "activation", ())
    frame.loc[(frame["optimizer"] == "sgd") & (frame["activation"] == "relu"), "train.batch_size"] = 2.0
    assert Facets.of(frame, {"x": "train.batch_size", "columns": "activation"}).lines == "optimizer"


def test_levels_keep_the_order_of_the_sweep() -> None:
    frame = varying("activation", "init")
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


def test_a_factor_that_is_not_there() -> None:
    with pytest.raises(
        UsageError, match=r"there is no factor 'activaton' for rows, columns or lines; did you mean 'activation'"
    ):
        Facets.of(varying("activation"), {"rows": "activaton"})


def test_a_factor_in_two_places() -> None:
    with pytest.raises(UsageError, match="'init' can have one place only"):
        Facets.of(varying("init"), {"rows": "init", "columns": "init"})
