"""Series with their means and bands, as numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.support.frames import made_up

from dlsweep.analysis.facets import Facets, along
from dlsweep.analysis.series import Series, curve_series, gaps, panels_of, response_series, series_frame
from dlsweep.analysis.statistics import interval
from dlsweep.errors import UsageError
from dlsweep.metrics import Metric

NAN = np.nan


def series(*each: list[float], status: list[str] | None = None, **settings: float) -> Series:
    ended = np.array(status or ["done"] * len(each))
    return Series("", "test", np.arange(len(each[0])), np.array(each), ended, **settings)  # type: ignore[arg-type]


def test_a_diverged_run_goes_on_at_chance_and_a_stopped_one_keeps_its_last_value() -> None:
    one = series([0.5, 0.75, NAN], [0.5, NAN, NAN], status=["stopped", "diverged"], chance=0.25)
    assert one.counted.tolist() == [[0.5, 0.75, 0.75], [0.5, 0.25, 0.25]]
    assert one.mean.tolist() == [0.5, 0.5, 0.5]


def test_a_mean_without_chance_ends_with_the_first_run() -> None:
    one = series([1.0, 2.0], [3.0, NAN], status=["done", "diverged"])
    np.testing.assert_array_equal(one.mean, [2, NAN])
    low, high = one.band()
    np.testing.assert_array_equal([low[0], high[0]], interval([1.0, 3.0]))
    assert np.isnan([low[1], high[1]]).all()


def test_a_band_is_cut_at_the_bounds_and_of_one_run_there_is_none() -> None:
    low, high = series([0.9, 0.1], [1.0, 0.0], bounds=(0, 1)).band()  # type: ignore[arg-type]
    assert (high[0], low[1]) == (1, 0)
    assert np.isnan(series([0.9, 0.1]).band()).all()


def test_curves_by_panel_and_line() -> None:
    frame = made_up({"activation": ["relu", "tanh"], "init": ["he", "xavier"]}, diverged={"0:1": 40}, failed=["1:0"])
    facets = Facets.of(frame, {"rows": "activation", "columns": "init", "lines": "split"})
    grid = panels_of(facets, curve_series(facets, "iteration", "accuracy"))
    assert set(grid) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    (batch, test) = grid[0, 0]
    assert (batch.level, test.level, test.each.shape) == ("batch", "test", (3, 11))
    assert test.chance == 0.1
    assert test.ends[:, 0].tolist() == [40]
    assert sum(map(len, grid.values())) == 8

    data = series_frame(facets, grid, "iteration", "accuracy")
    assert list(data) == ["activation", "init", "split", "iteration", "accuracy", "low", "high", "n"]
    which = "activation == 'tanh' and init == 'he' and split == 'test'"
    means = frame.query(which).groupby("iteration")["accuracy"].mean()
    np.testing.assert_allclose(data.query(which)["accuracy"], means)


def test_a_series_is_never_a_mean_over_arms() -> None:
    frame = made_up({"activation": ["relu", "tanh"], "init": ["he", "xavier"]})
    with pytest.raises(UsageError, match="a line would be the mean over init"):
        list(curve_series(Facets(frame, None, "activation", None, ()), "iteration", "loss"))


def test_a_gap_is_a_difference_within_a_run() -> None:
    frame = pd.DataFrame({"run_id": "a", "iteration": 1, "split": ["batch", "train", "test"], "loss": [0.5, 0.25, 1.0]})
    test, inner = gaps(frame, "loss")
    assert (inner, test["gap"].tolist()) == ("train", [0.75])
    test, inner = gaps(frame[frame["split"] != "train"], "loss")
    assert (inner, test["gap"].tolist()) == ("batch", [0.5])


def runs() -> pd.DataFrame:
    """Two learning rates with two seeds, one of which diverges; and an arm without a learning rate."""
    frame = pd.DataFrame({"arm": ["sgd lr=0.1", "sgd lr=0.1", "sgd lr=1", "sgd lr=1", "lion", "lion"]})
    frame["optimizer"] = pd.Categorical(frame["arm"], ["sgd lr=0.1", "sgd lr=1", "lion"])
    frame["optimizer.lr"] = [0.1, 0.1, 1, 1, NAN, NAN]
    frame["status"] = ["done", "done", "done", "diverged", "done", "failed"]
    return frame.assign(seed=[0, 1] * 3, classes=10, final_test_accuracy=[0.5, 0.7, 0.9, NAN, 0.4, NAN])


def test_a_response_has_a_point_for_each_value_and_a_level_line_without_one() -> None:
    frame, x = along(runs(), None)
    assert x == "optimizer.lr"
    facets = Facets.of(frame, {"x": x})
    assert facets.lines == "optimizer"
    found = {one.level: one for _, one in response_series(facets, x, Metric("final", "test", "accuracy"))}
    assert set(found) == {"sgd", "lion"}
    assert found["sgd"].x.tolist() == [0.1, 1]
    np.testing.assert_allclose(found["sgd"].mean, [0.6, 0.5])  # a diverged run counts at chance, 0.1
    assert found["sgd"].ends.tolist() == [[1, pytest.approx(0.1)]]
    assert found["lion"].x.tolist() == [0.1, 1]
    assert found["lion"].each.tolist() == [[0.4, 0.4]]  # the failed run does not count
