"""The contract of every schedule: positive factors, the same alone and as columns; the values at the ends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlsweep.nn.schedules import schedules

STEPS = 40

# A value besides the default for every setting.
OTHER = {
    "step": {"every": 7, "gamma": 0.5},
    "exponential": {"end": 0.2},
    "cosine": {"end": 0.1},
    "warm_up": {"iterations": 9},
    "one_cycle": {"warm_up": 0.5, "start": 0.1, "end": 0.01},
}


def path(name, steps=STEPS, **settings):
    return np.array([schedules[name].function(t, steps, **settings) for t in range(1, steps + 1)])


@pytest.mark.parametrize("name", schedules)
@pytest.mark.parametrize("steps", [1, 2, 1000])
def test_every_factor_is_above_zero_and_none_above_one(name, steps):
    for settings in ({}, OTHER.get(name, {})):
        factors = path(name, steps, **settings)
        assert (factors > 0).all()
        assert (factors <= 1).all()


@pytest.mark.parametrize("name", sorted(set(schedules) - {"constant"}))
def test_settings_of_each_run_are_the_settings_alone(name):
    entry = schedules[name]
    numbers = [setting for setting in OTHER[name] if entry.settings[setting].stacks]
    counts = {k: v for k, v in OTHER[name].items() if k not in numbers}

    def columns(*runs):
        return {k: np.array([run[k] for run in runs], np.float32).reshape(-1, 1, 1) for k in numbers}

    runs = [{k: entry.settings[k].default for k in numbers}, OTHER[name], OTHER[name]]
    together = path(name, **counts, **columns(*runs))
    assert together.dtype == np.float32 or not numbers
    for i, run in enumerate(runs):
        alone = path(name, **counts, **columns(run))
        np.testing.assert_array_equal(together[:, i : i + 1] if numbers else together, alone)
        plain = path(name, **counts, **{k: run[k] for k in numbers})
        np.testing.assert_allclose(alone.reshape(STEPS), plain, rtol=1e-5)


def test_step():
    np.testing.assert_allclose(path("step", 7, every=3, gamma=0.1), [1, 1, 1, 0.1, 0.1, 0.1, 0.01])
    assert path("step", 1000)[[0, 499, 500, 999]] == pytest.approx([1, 1, 0.1, 0.1])


def test_exponential():
    factors = path("exponential", 100, end=0.01)
    assert factors[[0, 50]] == pytest.approx([1, 0.1])
    np.testing.assert_allclose(factors[1:] / factors[:-1], 0.01 ** (1 / 100))
    assert factors[-1] * 0.01 ** (1 / 100) == pytest.approx(0.01)


def test_cosine():
    factors = path("cosine", 60, end=0.2)
    assert factors[[0, 20, 30, 40]] == pytest.approx([1, 0.8, 0.6, 0.4])
    assert schedules["cosine"].function(61, 60, end=0.2) == pytest.approx(0.2)


def test_warm_up():
    np.testing.assert_allclose(path("warm_up", 6, iterations=4), [0.25, 0.5, 0.75, 1, 1, 1])


def test_one_cycle():
    factors = path("one_cycle", 100, warm_up=0.2, start=0.5, end=0.1)
    assert factors[[0, 10, 20, 60]] == pytest.approx([0.5, 0.75, 1, 0.55])
    assert factors.argmax() == 20
    assert schedules["one_cycle"].function(101, 100, warm_up=0.2, start=0.5, end=0.1) == pytest.approx(0.1)
    assert path("one_cycle", 1000)[0] == pytest.approx(1 / 25)
    assert schedules["one_cycle"].function(1001, 1000) == pytest.approx(1 / 25e4)


lengths, counts, shares = st.integers(1, 300), st.integers(1, 400), st.floats(0.001, 0.999)


@given(lengths, counts, shares)
def test_schedules_that_fall_never_rise(steps, every, share):
    for name, settings in (
        ("step", {"every": every, "gamma": share}),
        ("exponential", {"end": share}),
        ("cosine", {"end": share}),
    ):
        factors = path(name, steps, **settings)
        assert (np.diff(factors) <= 0).all()
        assert factors[0] == 1
        assert name == "step" or factors[-1] >= share


@given(lengths, counts)
def test_warm_up_never_falls(steps, iterations):
    factors = path("warm_up", steps, iterations=iterations)
    assert (np.diff(factors) >= 0).all()
    assert factors[-1] == min(1, steps / iterations)


@given(lengths, shares, shares, shares)
def test_one_cycle_rises_once_and_falls_once(steps, warm_up, start, end):
    factors = path("one_cycle", steps, warm_up=warm_up, start=start, end=end)
    top = factors.argmax()
    assert (np.diff(factors[: top + 1]) >= 0).all()
    assert (np.diff(factors[top:]) <= 0).all()
    assert factors[0] == pytest.approx(start)
