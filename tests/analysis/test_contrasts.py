"""Sides aligned by seed and by combination, and their contrasts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from tests.support.claims import arm

from dlsweep.analysis.questions import Contrast
from dlsweep.analysis.sides import Sides, sides_of
from dlsweep.errors import UsageError

FACTORS = ["init", "activation", "optimizer"]


def frame(rows: Sequence[tuple[str, str, str, int, float]]) -> pd.DataFrame:
    """Rows of (init, activation, optimizer, seed, value)."""
    table = pd.DataFrame(rows, columns=[*FACTORS, "seed", "value"])
    names = table[FACTORS].agg(", ".join, axis=1)
    return table.assign(arm=names, run_id=names + table["seed"].astype(str), status="done", reason="")


def test_only_the_seeds_that_every_arm_has_are_compared() -> None:
    table = frame(
        [("he", "relu", "sgd", s, s) for s in range(5)] + [("xavier", "relu", "sgd", s, 2 * s) for s in (1, 3, 9)]
    )
    sides = sides_of(table, [arm(init="he"), arm(init="xavier")], FACTORS)
    assert sides.seeds.tolist() == [1, 3]
    assert (sides.n, sides.trained) == (2, 6)
    assert Contrast(sides, (1, -1)).differences.tolist() == [-1, -3]


def test_the_levels_of_a_name_are_averaged_within_a_side_and_combinations_between() -> None:
    rows = [("he", "relu", f"adam lr={lr}", 0, lr) for lr in (1, 3)] + [("he", "relu", "sgd", 0, 10)]
    rows += [("he", "tanh", "adam lr=1", 0, 100), ("he", "tanh", "sgd", 0, 50)]
    arms = [{"optimizer": ("adam lr=1", "adam lr=3")}, arm(optimizer="sgd")]
    sides = sides_of(frame(rows), arms, FACTORS)
    assert sides.values[:, :, 0].tolist() == [[2, 100], [10, 50]]
    assert Contrast(sides, (1, -1)).effect == (2 + 100 - 10 - 50) / 2


def test_a_factor_that_one_side_names_restricts_the_other() -> None:
    rows = [("he", "relu", o, 0, v) for o, v in (("adam", 1), ("sgd", 2))]
    rows += [("xavier", "relu", o, 0, v) for o, v in (("adam", 10), ("sgd", 20))]
    sides = sides_of(frame(rows), [arm(init="he", optimizer="adam"), arm(init="xavier")], FACTORS)
    assert sides.values.ravel().tolist() == [1, 10]
    assert "sgd" in sides.left_out


def test_a_factor_that_one_side_lacks_is_not_open() -> None:
    """Momentum's alpha does not concern SGD: its arms are averaged over it."""
    rows = [("he", "0.5", "momentum", 0, 1.0), ("he", "0.9", "momentum", 0, 3.0), ("he", "-", "sgd", 0, 5.0)]
    sides = sides_of(frame(rows), [arm(optimizer="momentum"), arm(optimizer="sgd")], FACTORS)
    assert sides.values.ravel().tolist() == [2, 5]


def test_sides_without_anything_in_common_are_refused() -> None:
    table = frame([("he", "relu", "sgd", 0, 1), ("xavier", "tanh", "sgd", 0, 1), ("he", "tanh", "adam", 1, 1)])
    arms = [arm(init="he"), arm(init="xavier")]
    with pytest.raises(UsageError, match="he and xavier have no combination of activation, optimizer in common"):
        sides_of(table, arms, FACTORS)
    with pytest.raises(UsageError, match="no run of lecun is there"):
        sides_of(table, [arm(init="he"), arm(init="lecun")], FACTORS)
    with pytest.raises(UsageError, match="sgd and adam have no seed in common"):
        sides_of(table.assign(init="he", activation="relu"), [arm(optimizer="sgd"), arm(optimizer="adam")], FACTORS)


@pytest.mark.parametrize(
    ("values", "difference", "cancelled"),
    [
        ([[np.inf, 1], [2, 1]], np.inf, False),
        ([[2, 1], [np.inf, 1]], -np.inf, False),
        ([[np.inf, np.inf], [np.inf, np.inf]], 0, True),
        ([[np.inf, 5], [np.inf, 1]], 2, False),  # of two combinations, one cancels and one differs by 4
        ([[np.inf, 5], [1, np.inf]], 0, True),
    ],
)
def test_infinite_values_outweigh_finite_ones_and_cancel(
    values: list[list[float]], difference: float, cancelled: bool
) -> None:
    rows = pd.DataFrame({"side": [], "combination": [], "place": [], "seed": []})
    contrast = Contrast(Sides(("a", "b"), np.array(values, float)[:, :, None], np.arange(1), rows, 1), (1, -1))
    assert contrast.differences.tolist() == [difference]
    assert contrast.beyond(0.25).tolist() == [0 if cancelled else difference - 0.25]
    assert len(contrast.finite) == 0
