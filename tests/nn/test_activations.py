"""The contract of every activation: `back` is the derivative, the dtype is kept, runs do not mix."""

import numpy as np
import pytest

from dlsweep.nn.activations import activations

# Without those that have something to learn: whole networks are checked with them.
elementwise = [name for name in activations if len(activations[name].positional) == 1]
x = np.linspace(-4, 4, 2 * 3 * 5).reshape(2, 3, 5) + 0.01  # away from the kinks

# Values besides the default; another setting has 1.7 times its default.
OTHER = {"slope": 0.3, "alpha": 1.7}
WITH_SETTINGS = [(name, setting) for name in elementwise for setting in activations[name].settings]


def values(name, setting):
    """The default of a setting, and another value."""
    default = activations[name].settings[setting].default
    return default, OTHER.get(setting, 1.7 * default)


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


@pytest.mark.parametrize(("name", "setting"), WITH_SETTINGS)
def test_a_setting_of_each_run_is_the_setting_alone(name, setting):
    f = activations[name].function
    x32, dy = np.random.default_rng(0).standard_normal((2, *x.shape), np.float32)
    together, back = f(x32, **{setting: np.array(values(name, setting), np.float32).reshape(2, 1, 1)})
    assert together.dtype == back(dy).dtype == np.float32
    for run, value in enumerate(values(name, setting)):
        alone, back_alone = f(x32[run], **{setting: value})
        np.testing.assert_array_equal(together[run], alone)
        np.testing.assert_array_equal(back(dy)[run], back_alone(dy[run]))
    assert not np.array_equal(f(x32)[0][1], together[1])


@pytest.mark.parametrize(("name", "setting"), WITH_SETTINGS)
def test_back_is_the_derivative_at_other_settings(name, setting):
    f, h = activations[name].function, 1e-6
    column = {setting: np.array(values(name, setting)).reshape(2, 1, 1)}
    dx = f(x, **column)[1](np.ones_like(x))
    np.testing.assert_allclose(dx, (f(x + h, **column)[0] - f(x - h, **column)[0]) / (2 * h), rtol=1e-6, atol=1e-8)


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
    np.testing.assert_array_equal(at("leaky_relu", -2, 0, 3), [-0.02, 0, 3])
    np.testing.assert_allclose(at("elu", -np.log(2), 0, 3), [-0.5, 0, 3])
    np.testing.assert_allclose(at("selu", -np.log(2), 0, 1), [-0.8790496704, 0, 1.0507009874])
    np.testing.assert_allclose(at("softplus", 0, np.log(3), -1e4, 1e4), [np.log(2), np.log(4), 0, 1e4])
    np.testing.assert_allclose(at("softsign", -3, 0, 1), [-0.75, 0, 0.5])
    np.testing.assert_allclose(at("hard_sigmoid", -4, -3, 0, 1.5, 3, 4), [0, 0, 0.5, 0.75, 1, 1])
    np.testing.assert_allclose(at("gelu", -1, 0, 1, 2), [-0.1586552539, 0, 0.8413447461, 1.9544997361])
    np.testing.assert_allclose(at("gelu_tanh", -1, 0, 1, 2), [-0.1588080094, 0, 0.8411919906, 1.9545976940])
    np.testing.assert_allclose(at("silu", -np.log(3), 0, np.log(3)), [-np.log(3) / 4, 0, 0.75 * np.log(3)])
    np.testing.assert_allclose(at("mish", 0, np.log(2)), [0, 0.8 * np.log(2)])


@pytest.mark.parametrize("name", ["gelu", "gelu_tanh", "silu", "mish", "softplus"])
def test_smooth_relus_are_relu_far_from_zero(name):
    far = np.array([-50.0, 50.0])
    y, back = activations[name].function(far)
    np.testing.assert_allclose(y, [0, 50], atol=1e-12)
    np.testing.assert_allclose(back(np.ones(2)), [0, 1], atol=1e-12)


@pytest.mark.parametrize("name", ["elu", "gelu", "mish", "selu", "silu", "softplus"])
def test_float32_is_float64_rounded(name):
    """The forms that are stable lose nothing: not near 0, not far out."""
    near = np.concatenate([s * np.geomspace(1e-6, 30, 500) for s in (-1, 1)]).astype(np.float32)
    exact, back = activations[name].function(near.astype(np.float64))
    y, back32 = activations[name].function(near)
    np.testing.assert_allclose(y, exact, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(back32(np.ones_like(near)), back(np.ones_like(exact)), rtol=1e-5, atol=1e-6)


def test_selu_keeps_mean_zero_and_variance_one():
    z = np.linspace(-12, 12, 200_001)
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    y, _ = activations["selu"].function(z)
    assert (y * density).sum() == pytest.approx(0, abs=1e-9)
    assert (y * y * density).sum() == pytest.approx(1, abs=1e-9)


def test_gelu_and_its_approximation_are_near_and_not_the_same():
    exact, approximate = (activations[name].function(np.linspace(-6, 6, 1001))[0] for name in ("gelu", "gelu_tanh"))
    assert 1e-4 < np.abs(exact - approximate).max() < 1e-3


def test_relu_has_no_slope_at_zero():
    _, back = activations["relu"].function(np.zeros((1, 1, 1)))
    assert back(np.ones((1, 1, 1))) == 0
