from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlsweep.analysis.statistics import bounds_of, interval

values = arrays(float, st.integers(2, 40), elements=st.floats(-1e3, 1e3).map(lambda x: round(x, 3)))


def test_five_values_by_hand() -> None:
    low, high = interval([1, 2, 3, 4, 5])
    half = 2.776445105 * np.sqrt(2.5 / 5)  # t of 4 degrees of freedom at 0.975
    assert low == pytest.approx(3 - half)
    assert high == pytest.approx(3 + half)


def test_it_is_cut_at_its_bounds() -> None:
    low, high = interval([0.9, 1.0], bounds=bounds_of("final_test_accuracy"))
    assert low == pytest.approx(interval([0.9, 1.0])[0])
    assert high == 1
    assert interval([0.9, 1.0], bounds=bounds_of("final_test_loss")) == interval([0.9, 1.0])


def test_on_a_logarithmic_axis_it_stays_above_0() -> None:
    low, high = interval([1.0, 2.0, 9.0], log=True)
    assert 0 < low < 4 < high
    assert low * high == pytest.approx(16)  # symmetric around the mean, as a ratio
    assert np.isnan(interval([-1.0, 0.5], log=True)).all()


def test_values_that_are_not_finite_have_none() -> None:
    assert np.isnan(interval([[1.0, np.nan], [1.0, np.inf]])).all()


def test_one_value_has_no_interval() -> None:
    assert np.isnan(interval([0.9])).all()


@pytest.mark.parametrize("n", [5, 25])
def test_equal_values_have_an_interval_of_no_width(n: int) -> None:
    np.testing.assert_allclose(interval([0.1] * n), 0.1)


@given(values)
def test_the_interval_holds_the_mean(x: np.ndarray) -> None:
    low, high = interval(x)
    slack = 1e-9 * (1 + np.abs(x).max())
    assert low <= x.mean() + slack
    assert high >= x.mean() - slack


@given(values, st.floats(0.1, 10), st.floats(-100, 100))
def test_the_interval_moves_and_scales_with_the_values(x: np.ndarray, scale: float, shift: float) -> None:
    low, high = interval(x)
    slack = 1e-5 * (1 + np.abs(x).max())
    np.testing.assert_allclose(interval(scale * x + shift), [scale * low + shift, scale * high + shift], atol=slack)


@given(values)
def test_more_confidence_is_wider(x: np.ndarray) -> None:
    low, high = interval(x, 0.8)
    lower, higher = interval(x, 0.99)
    assert lower <= low
    assert high <= higher


@pytest.mark.parametrize("n", [4, 30])
def test_many_rows_at_once_are_each_row_alone(n: int) -> None:
    x = np.random.default_rng(2).normal(size=(3, 150, n))
    low, high = interval(x)
    assert low.shape == high.shape == (3, 150)
    alone = interval(x[2, 149])
    np.testing.assert_allclose([low[2, 149], high[2, 149]], alone)


@pytest.mark.parametrize(("n", "least"), [(3, 0.94), (5, 0.94), (19, 0.94), (20, 0.94), (50, 0.94)])
def test_it_covers_what_it_says(n: int, least: float) -> None:
    """A percentile bootstrap would cover 84 % with five values."""
    x = np.random.default_rng(n).normal(size=(4000, n))
    low, high = interval(x)
    assert least < np.mean((low <= 0) & (high >= 0)) < 0.96


@pytest.mark.parametrize(("a", "b", "noise"), [(1.0, 1.0, 1.0), (1.0, 0.0, 0.2), (0.0, 0.0, 1.0)])
def test_an_interval_over_crossed_seeds_covers_what_independent_values_miss(a: float, b: float, noise: float) -> None:
    draw = np.random.default_rng(0)
    first, second = draw.normal(0, a, (4000, 10, 1)), draw.normal(0, b, (4000, 1, 5))
    values = (first + second + draw.normal(0, noise, (4000, 10, 5))).reshape(4000, 50)
    low, high = interval(values, crossed=[10, 5])
    covered = np.mean((low <= 0) & (high >= 0))
    assert 0.93 <= covered <= 0.995
    plain_low, plain_high = interval(values)
    assert np.mean((plain_low <= 0) & (plain_high >= 0)) < (0.7 if a else 0.96)


def test_an_interval_over_one_crossed_source_is_that_of_plain_seeds() -> None:
    values = np.random.default_rng(1).normal(size=(3, 6))
    for crossed in ([6], [6, 1], [1, 6]):
        np.testing.assert_allclose(interval(values, crossed=crossed), interval(values))
    assert np.isnan(interval(values, crossed=[3, 3])).all()
    assert np.isnan(interval(values[:, :1], crossed=[1, 1])).all()
    np.testing.assert_allclose(interval(np.full(6, 0.5), crossed=[3, 2]), [0.5, 0.5])
