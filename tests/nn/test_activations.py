"""The contract of every activation: `back` is the derivative, the dtype is kept, runs do not mix."""

import numpy as np
import pytest

from dlsweep.nn.activations import activations

# Without those that have something to learn: whole networks are checked with them.
elementwise = [name for name in activations if len(activations[name].positional) == 1]
x = np.linspace(-4, 4, 2 * 3 * 5).reshape(2, 3, 5) + 0.01  # away from the kinks


@pytest.mark.parametrize("name", elementwise)
def test_back_is_the_derivative(name):
    f = activations[name].function
    dy, h = np.random.default_rng(0).standard_normal(x.shape), 1e-6
    _, back = f(x.copy())
    np.testing.assert_allclose(back(dy), dy * (f(x + h)[0] - f(x - h)[0]) / (2 * h), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", elementwise)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept_and_extremes_are_finite(name, dtype):
    with np.errstate(over="ignore"):
        y, back = activations[name].function(np.array([[[-1e4, -1, 0, 1, 1e4]]], dtype))
        assert y.dtype == back(np.ones_like(y)).dtype == dtype
        assert np.isfinite(y).all()
        assert np.isfinite(back(np.ones_like(y))).all()


@pytest.mark.parametrize("name", elementwise)
def test_the_input_is_left_alone(name):
    before = x.copy()
    activations[name].function(before)[1](np.ones_like(x))
    np.testing.assert_array_equal(before, x)


def test_values():
    def at(name, *values):
        return activations[name].function(np.array(values))[0]

    np.testing.assert_allclose(at("sigmoid", 0, np.log(3)), [0.5, 0.75])
    np.testing.assert_allclose(at("tanh", 0, np.log(3) / 2), [0, 0.5])
    np.testing.assert_array_equal(at("relu", -2, 0, 3), [0, 0, 3])
    np.testing.assert_array_equal(at("identity", -2, 3), [-2, 3])


def test_relu_has_no_slope_at_zero():
    _, back = activations["relu"].function(np.zeros((1, 1, 1)))
    assert back(np.ones((1, 1, 1))) == 0
