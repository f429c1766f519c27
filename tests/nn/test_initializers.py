"""The contract of every initializer: the spread that its docstring promises, from the same base draws."""

import numpy as np
import pytest

from dlsweep.nn.activations import activations
from dlsweep.nn.initializers import initializers
from dlsweep.randomness import stream

FAN_IN, FAN_OUT = 300, 200
STD = {
    "normal": 0.01,
    "truncated_normal": 0.01,
    "uniform": 0.01,
    "xavier": (1 / FAN_IN) ** 0.5,
    "lecun": (1 / FAN_IN) ** 0.5,
    "glorot_normal": (2 / (FAN_IN + FAN_OUT)) ** 0.5,
    "glorot_uniform": (2 / (FAN_IN + FAN_OUT)) ** 0.5,
    "he": (2 / FAN_IN) ** 0.5,
    "he_uniform": (2 / FAN_IN) ** 0.5,
    "orthogonal": (1 / max(FAN_IN, FAN_OUT)) ** 0.5,
    "constant": 0,
    "zeros": 0,
}
MEAN = {"constant": 0.01}
BOUND = {
    "uniform": 0.01 * 3**0.5,
    "glorot_uniform": (6 / (FAN_IN + FAN_OUT)) ** 0.5,
    "he_uniform": (6 / FAN_IN) ** 0.5,
}


def draw(name, shape=(FAN_IN, FAN_OUT), seed=0, **settings):
    return initializers[name].function(stream(seed, "init/dense1"), shape, *shape, **settings)


@pytest.mark.parametrize("name", sorted(set(initializers) - {"lsuv"}))
def test_spread(name):
    w = draw(name)
    assert w.shape == (FAN_IN, FAN_OUT)
    assert w.std() == pytest.approx(STD[name], rel=0.01)
    assert abs(w.mean() - MEAN.get(name, 0)) <= 4 * STD[name] / np.sqrt(w.size) + 1e-15


@pytest.mark.parametrize("name", BOUND)
def test_uniform_ones_reach_their_bounds_and_not_beyond(name):
    w = draw(name)
    assert np.abs(w).max() <= BOUND[name]
    assert np.abs(w).max() == pytest.approx(BOUND[name], rel=0.001)


@pytest.mark.parametrize("name", sorted(set(initializers) - {"constant", "lsuv", "zeros"}))
def test_seeds_differ_and_repeat(name):
    np.testing.assert_array_equal(draw(name, seed=3), draw(name, seed=3))
    assert not np.array_equal(draw(name, seed=3), draw(name, seed=4))


@pytest.mark.parametrize(
    "names", [("normal", "xavier", "lecun", "he", "glorot_normal"), ("uniform", "he_uniform", "glorot_uniform")]
)
def test_weights_are_proportional_within_a_family(names):
    first, *others = (draw(name) / STD[name] for name in names)
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-12)


def test_truncated_normal_is_cut_at_two_of_its_standard_deviations_and_has_the_spread_that_is_asked_for():
    w = draw("truncated_normal", (1000, 1000), std=0.5)
    cut = 2 * 0.5 / 0.87962566103423978  # the spread of N(0, 1) within ±2
    assert np.abs(w).max() <= cut
    assert np.abs(w).max() == pytest.approx(cut, rel=1e-3)
    assert w.std() == pytest.approx(0.5, rel=0.003)


def test_truncated_normal_keeps_the_order_of_the_base_draws():
    w, z = draw("truncated_normal").ravel(), draw("normal").ravel()
    np.testing.assert_array_equal(np.argsort(w), np.argsort(z))
    np.testing.assert_array_equal(np.sign(w), np.sign(z))


@pytest.mark.parametrize("shape", [(7, 7), (5, 9), (9, 5), (1, 4), (4, 1), (6, 2, 3, 3), (20, 1, 3, 3)])
def test_orthogonal_kernels_are_orthogonal(shape):
    w = initializers["orthogonal"].function(stream(0, "init/a"), shape, 1, 1, gain=3.0)
    assert w.shape == shape
    w = w.reshape(len(w), -1)
    wide = w if w.shape[0] <= w.shape[1] else w.T
    np.testing.assert_allclose(wide @ wide.T, 9 * np.eye(len(wide)), atol=1e-12)


def test_orthogonal_matrices_prefer_no_direction():
    """Without the correction of signs most diagonals of Q would be negative; the determinant is as often −1 as 1."""
    q = np.array([draw("orthogonal", (3, 3), seed) for seed in range(400)])
    assert np.abs(q.mean(axis=0)).max() < 4 / np.sqrt(3 * 400)
    assert np.mean(np.linalg.det(q) > 0) == pytest.approx(0.5, abs=0.1)


def test_constant_is_its_value():
    np.testing.assert_array_equal(draw("constant", (2, 3), value=-0.5), np.full((2, 3), -0.5))


def spreads(activation, std, layers=5, width=100):
    """Output spread of each layer on N(0, 1) input, biases 0."""
    x = np.random.default_rng(0).standard_normal((1000, width))
    outputs = []
    for i in range(layers):
        w = initializers["normal"].function(stream(0, f"init/{i}"), (width, width), width, width, std=std)
        x = activations[activation].function(x @ w)[0]
        outputs.append(x)
    return outputs


# The fixed points of a course's classic demonstration: 1000 samples through five layers of 100 units.
@pytest.mark.parametrize(
    ("activation", "std", "first", "last", "tolerance"),
    [
        ("sigmoid", 1, 0.459, 0.436, 0.01),
        ("sigmoid", 0.01, 0.025, 0.0121, 0.001),
        ("tanh", 0.1, 0.627, 0.317, 0.02),
        ("relu", 0.1, 0.585, 0.159, 0.04),
        ("relu", (2 / 100) ** 0.5, 0.827, 0.90, 0.24),
    ],
)
def test_spread_through_five_layers(activation, std, first, last, tolerance):
    outputs = spreads(activation, std)
    assert outputs[0].std() == pytest.approx(first, rel=0.03)
    assert outputs[-1].std() == pytest.approx(last, abs=tolerance)


def test_wide_sigmoid_saturates():
    last = spreads("sigmoid", 1)[-1]
    assert np.mean((last < 0.1) | (last > 0.9)) == pytest.approx(0.74, abs=0.02)


@pytest.mark.parametrize(("name", "expected"), [("xavier", 2.0**-15), ("he", 1.0)])
def test_thirty_relu_layers(name, expected):
    """Forward and backward rms shrink by 2⁻¹⁵ with √(1/n), and stay near 1 with √(2/n)."""
    width = 256
    x = np.random.default_rng(0).standard_normal((500, width))
    backs = []
    for i in range(30):
        w = initializers[name].function(stream(0, f"init/{i}"), (width, width), width, width)
        x, back = activations["relu"].function(x @ w)
        backs.append((w, back))
    dx = np.random.default_rng(1).standard_normal(x.shape)
    for w, back in reversed(backs):
        dx = back(dx) @ w.T
    for rms in (np.sqrt((x * x).mean()), np.sqrt((dx * dx).mean())):
        assert expected / 3 < rms < expected * 3
