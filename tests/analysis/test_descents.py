"""Paths on landscapes, as numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlsweep.analysis.descents import Path, box_of, descent_facets, paths_of
from dlsweep.nn.landscapes import landscapes

BOX = ((-1.0, 1.0), (-2.0, 2.0))


@given(
    points=st.lists(st.tuples(st.floats(-0.9, 0.9), st.floats(-1.9, 1.9)), min_size=1, max_size=4),
    outside=st.tuples(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300)),
)
def test_where_a_path_leaves(points: list[tuple[float, float]], outside: tuple[float, float]) -> None:
    leaves = abs(outside[0]) > 1 or abs(outside[1]) > 2
    at = Path("", "", np.array([*points, outside]), 0.0, True).exit(BOX)
    assert (at is not None) == leaves
    if at is not None:
        assert max(abs(at[0]), abs(at[1]) / 2) == pytest.approx(1)
        a, b = np.array(points[-1]), np.array(outside) / max(abs(outside[0]), abs(outside[1]), 1)
        if max(map(abs, outside)) > 1e3:  # so far that the way there has the direction of the point
            assert np.cross([*(at - a), 0], [*b, 0])[2] == pytest.approx(0, abs=0.02)


def descents() -> pd.DataFrame:
    points = {"iteration": [1, 0, 0, 0], "x": [2.0, 1.0, 3.0, np.nan], "y": [0.5, 0.0, 0.0, np.nan]}
    runs = {
        "run_id": ["a", "a", "b", "c"],
        "arm": ["sgd", "sgd", "adam", "adam"],
        "status": ["diverged"] * 2 + ["done"] * 2,
    }
    frame = pd.DataFrame({**runs, **points, "loss": [4.0, 1.0, 9.0, np.nan], "model": "saddle"})
    frame["status"] = ["diverged"] * 2 + ["done"] * 2
    return frame.assign(optimizer=pd.Categorical(frame["arm"], ["sgd", "adam"]))


def test_a_path_has_the_points_of_a_run_in_order() -> None:
    one, other = paths_of(descents(), "optimizer")  # the third run has no point
    assert (one.level, one.run, one.loss, one.diverged) == ("sgd", "a", 4.0, True)
    assert one.points.tolist() == [[1.0, 0.0], [2.0, 0.5]]
    assert (other.level, other.diverged) == ("adam", False)


def test_the_window_is_widened_for_a_start_outside() -> None:
    saddle = landscapes["saddle"]()
    (left, right), y = saddle.window
    one = Path("", "", np.array([[right + 1, 0.0]]), 0.0, False)
    x, unchanged = box_of(saddle, [one])
    assert x == pytest.approx((left, right + 1 + 0.05 * (right - left)))
    assert unchanged == y
    assert box_of(saddle, []) == saddle.window


def test_the_optimizer_makes_panels() -> None:
    facets = descent_facets(descents(), {})
    assert (facets.columns, facets.lines, facets.left) == ("optimizer", None, ())
    assert descent_facets(descents(), {"lines": "optimizer"}).columns is None
