"""Every landscape against finite differences, at its minima, and in the part that a picture shows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlsweep.nn.landscapes import landscapes
from dlsweep.nn.networks import models, networks


def within(window, share):
    """Points of a window, each axis from 0 to 1."""
    return [low + share_ * (high - low) for (low, high), share_ in zip(window, share, strict=True)]


@pytest.mark.parametrize("name", landscapes)
@given(share=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_the_gradient_is_that_of_the_function(name, share):
    landscape, h = landscapes[name](), 1e-6
    x, y = map(np.float64, within(landscape.window, share))
    _, (dx, dy) = landscape.at(x, y)
    differences = [
        (landscape.at(x + h, y)[0] - landscape.at(x - h, y)[0]) / (2 * h),
        (landscape.at(x, y + h)[0] - landscape.at(x, y - h)[0]) / (2 * h),
    ]
    assert [dx, dy] == pytest.approx(differences, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("name", landscapes)
def test_minima_are_flat_and_lowest(name):
    landscape = landscapes[name]()
    assert landscape.minima
    for minimum in landscape.minima:
        f, gradient = landscape.at(*map(np.float64, minimum))
        assert f == pytest.approx(0, abs=1e-20)
        assert gradient == pytest.approx((0, 0), abs=1e-12)
        assert landscape.distance(*map(np.array, minimum)) == 0
    x, y = np.meshgrid(*(np.linspace(*side, 201) for side in landscape.window))
    f, _ = landscape.at(x, y)
    assert f.min() >= 0
    near = landscape.distance(x, y) < 0.1
    assert f[near].max() < np.median(f)  # a minimum of a name is one of the function


@pytest.mark.parametrize("name", landscapes)
def test_a_picture_has_the_start_and_the_minima_in_it(name):
    landscape = landscapes[name]()
    for x, y in [landscape.start, *landscape.minima]:
        (left, right), (low, high) = landscape.window
        assert left < x < right
        assert low < y < high


def test_the_saddle_is_one():
    at = landscapes["saddle"]().at
    f, gradient = at(np.float64(0), np.float64(0))
    assert gradient == (0, 0)
    assert at(np.float64(0.1), np.float64(0))[0] > f > at(np.float64(0), np.float64(0.1))[0]


def test_a_model_is_a_network_or_a_landscape():
    assert set(models) == {*networks, *landscapes}
    assert models["saddle"] is landscapes["saddle"]
    assert "saddle" not in networks


def test_distance_without_a_minimum_is_unknown():
    nowhere = landscapes["saddle"]()._replace(minima=[])
    assert np.isnan(nowhere.distance(np.zeros(2), np.zeros(2))).all()
