"""Whole networks against finite differences, and the shared first layer against plain products."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlsweep.nn.activations import activation_layer, activations
from dlsweep.nn.dense import dense
from dlsweep.nn.forward import forward
from dlsweep.nn.layers import Context, SharedInput
from dlsweep.nn.losses import softmax_cross_entropy
from dlsweep.nn.networks import networks
from dlsweep.nn.normalization import Around, normalizations
from dlsweep.nn.products import shared_product
from dlsweep.nn.regularizers import Regularizer, regularizers
from dlsweep.training.random_draws import Draws

TRAINING, EVALUATION = (Context(training, Draws({}, 0)) for training in (True, False))


def mlp(shape, classes, activation, hidden):
    entry = activations[activation]
    own = {name: np.array([setting.default]) for name, setting in entry.settings.items()}
    return networks["mlp"].function(
        shape, classes, lambda suffix, units: [activation_layer(f"a{suffix}", units, entry, own)], hidden=hidden
    )


def network(hidden, runs, *, activation="tanh", features=6, classes=3, dtype=np.float64):
    layers = mlp((features,), classes, activation, hidden)
    rng = np.random.default_rng(0)
    parameters = []
    for layer in layers:
        p = {}
        for name, parameter in layer.parameters.items():
            p[name] = rng.standard_normal((runs, *parameter.shape)).astype(dtype)
        parameters.append(p)
    return layers, parameters


@pytest.mark.parametrize("hidden", [[], [5], [5, 4], [4, 4, 4, 4, 4, 4], [1]])
@pytest.mark.parametrize("activation", activations)
def test_gradients_are_finite_differences(hidden, activation):
    layers, parameters = network(hidden, 3, activation=activation)
    rng = np.random.default_rng(1)
    x, t = rng.standard_normal((2, 6, 7)), rng.integers(3, size=(2, 7))
    inputs = [SharedInput(x[0], slice(0, 2)), SharedInput(x[1], slice(2, 3))]  # two runs of one seed, one of another
    labels = np.stack([t[0], t[0], t[1]])

    def loss():
        logits = forward(layers, parameters, inputs, TRAINING).logits
        return softmax_cross_entropy(logits, labels)[0].mean(axis=1)

    logits, backward, *_ = forward(layers, parameters, inputs, TRAINING)
    gradients = backward(softmax_cross_entropy(logits, labels)[1]())
    h = 1e-6
    for p, g in zip(parameters, gradients, strict=True):
        for name, w in p.items():
            for index in np.ndindex(w.shape[1:]):
                each = (slice(None), *index)  # the same entry of every run at once
                kept = w[each].copy()
                w[each] = kept + h
                up = loss()
                w[each] = kept - h
                down = loss()
                w[each] = kept
                np.testing.assert_allclose(g[name][each], (up - down) / (2 * h), atol=2e-8, rtol=1e-5)


def test_back_through_a_later_layer_gives_the_input_gradient():
    layer = dense("dense2", (4,), units=3)
    rng = np.random.default_rng(0)
    p = {"W": rng.standard_normal((2, 3, 4)), "b": rng.standard_normal((2, 3, 1))}
    x, dy = rng.standard_normal((2, 4, 5)), rng.standard_normal((2, 3, 5))
    y, back, *_ = layer.apply(p, x, TRAINING)
    np.testing.assert_allclose(y[1], p["W"][1] @ x[1] + p["b"][1])
    np.testing.assert_allclose(back(dy)[0][1], p["W"][1].T @ dy[1])


def test_names_depth_and_sizes():
    layers, _ = network([40, 20, *[20] * 4], 1, activation="relu", features=784, classes=10)
    assert [layer.name for layer in layers if layer.parameters] == [f"dense{i}" for i in range(1, 8)]
    assert [layer.parameters["W"].shape for layer in layers if layer.parameters] == [
        (40, 784), (20, 40), (20, 20), (20, 20), (20, 20), (20, 20), (10, 20),
    ]  # fmt: skip


def product(a, x):
    return shared_product(a, x, out=np.empty((*a.shape[:2], x.shape[1]), a.dtype))


sizes = st.integers(1, 9)


@given(sizes, st.integers(1, 40), sizes, sizes, st.sampled_from([np.float32, np.float64]), st.booleans(), sizes)
def test_the_shared_product_has_the_same_bits_in_any_company(rows, inner, runs, columns, dtype, transposed, dark):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((runs, rows, inner + dark)).astype(dtype)[:, :, :inner]
    x = rng.standard_normal((columns, inner) if transposed else (inner, columns)).astype(dtype)
    x = x.T if transposed else x
    together = product(a, x)
    np.testing.assert_allclose(together, np.einsum("rmk,kn->rmn", a, x), rtol=1e-4, atol=1e-4)
    for r in range(runs):
        np.testing.assert_array_equal(together[r], product(a[r : r + 1], x)[0])


@pytest.mark.parametrize("shape", [(40, 784, 100), (40, 400, 500), (100, 784, 100), (40, 100, 784), (1, 784, 1)])
@pytest.mark.parametrize("runs", [2, 3, 15, 30])
def test_the_shared_product_at_the_sizes_of_real_sweeps(shape, runs):
    rows, inner, columns = shape
    rng = np.random.default_rng(0)
    a = rng.standard_normal((runs, rows, inner), dtype=np.float32)
    x = rng.standard_normal((inner, columns), dtype=np.float32)
    together = product(a, x)
    for r in range(runs):
        np.testing.assert_array_equal(together[r], product(a[r : r + 1], x)[0])


def test_dark_features_at_the_end_may_be_left_out():
    rng = np.random.default_rng(0)
    layer = dense("dense1", (6,), units=4)
    parameters = {name: rng.standard_normal((3, *parameter.shape)) for name, parameter in layer.parameters.items()}
    x = rng.standard_normal((6, 5))
    x[4:] = 0
    whole = layer.apply(parameters, [SharedInput(x, slice(0, 3))], EVALUATION).y
    lean = layer.apply(parameters, [SharedInput(x[:4], slice(0, 3))], EVALUATION).y
    np.testing.assert_allclose(lean, whole, rtol=1e-12)


def test_none_is_nothing():
    assert normalizations["none"].function("none1", (3,)) == Around()
    assert regularizers["none"].function() == Regularizer()
