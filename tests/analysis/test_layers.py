"""Means and histograms of layers, as numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dlsweep.analysis.layers import Ridge, last_common, layer_means, layer_names, ridge_limits


def test_a_histogram_loses_nothing_in_other_bins() -> None:
    rows = pd.DataFrame(
        {
            "weight_low": [0.0, 1.0, np.nan],
            "weight_high": [3.0, 1.0, np.nan],
            "weight_histogram": [[1, 2, 1], [0, 0, 8], [0, 0, 0]],
        }
    )
    ridge = Ridge.of(rows, "weight")
    np.testing.assert_allclose(ridge.on(np.array([-1, 1, 1.5, 4])), np.array([[0.25, 0.25, 0.5], [0, 1, 0]]))
    low, high = ridge.ends()
    assert 0 < low < 0.1
    assert 2.9 < high < 3


def test_limits_hold_all_ridges_but_those_that_explode() -> None:
    def ridge(size: float) -> Ridge:
        return Ridge(np.array([[-size, 0, size]]), np.array([[0.5, 0.5]]))

    low, high = ridge_limits([*[ridge(1)] * 7, ridge(1e9)])
    assert -10 < low < -1
    assert 1 < high < 10
    low, high = ridge_limits([ridge(1), ridge(2)])
    assert low < -1.9
    assert high > 1.9
    assert ridge_limits([]) == (0.0, 1.0)


def layers(**columns: list[float] | list[str]) -> pd.DataFrame:
    return pd.DataFrame({"run_id": ["a", "b", "a", "b"], "layer": ["one", "one", "two", "two"], "mark": 0, **columns})


def test_means_over_the_seeds_geometric_on_a_logarithmic_scale() -> None:
    frame = layers(gradient_rms=[1.0, 4.0, 0.0, 1.0])
    assert layer_names(frame) == ["one", "two"]
    assert layer_means(frame, "gradient_rms", ["one", "two"], [0], log=True).tolist() == [[2.0], [0.0]]
    plain = layer_means(frame, "gradient_rms", ["two", "one", "three"], [0, 1], log=False)
    np.testing.assert_array_equal(plain, [[0.5, np.nan], [2.5, np.nan], [np.nan, np.nan]])


@pytest.mark.parametrize(("status", "end"), [("done", np.inf), ("diverged", 3)])
def test_a_mean_ends_with_the_first_run_that_diverged(status: str, end: float) -> None:
    frame = pd.DataFrame({"run_id": ["a", "b", "b"], "status": ["done", status, status], "iteration": [9, 2, 3]})
    assert last_common(frame) == end
    assert last_common(frame.drop(columns="status")) == np.inf
