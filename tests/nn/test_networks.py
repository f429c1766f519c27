"""Whole networks against finite differences, and the shared first layer against plain products."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlsweep.nn.activations import activations
from dlsweep.nn.dense import Shared, dense, shared_product
from dlsweep.nn.losses import softmax_cross_entropy
from dlsweep.nn.networks import forward, networks
from dlsweep.nn.normalization import normalizations
from dlsweep.nn.regularizers import regularizers


def network(hidden, runs, *, activation="tanh", features=6, classes=3, dtype=np.float64):
    layers = networks["mlp"].function((features,), classes, activation, "none", hidden=hidden)
    rng = np.random.default_rng(0)
    parameters = []
    for layer in layers:
        p = {}
        for name, parameter in layer.parameters.items():
            p[name] = parameter.empty(runs, dtype)
            p[name][...] = rng.standard_normal(p[name].shape)
        parameters.append(p)
    return layers, parameters


@pytest.mark.parametrize("hidden", [[], [5], [5, 4], [4, 4, 4, 4, 4, 4], [1]])
@pytest.mark.parametrize("activation", activations)
def test_gradients_are_finite_differences(hidden, activation):
    layers, parameters = network(hidden, 3, activation=activation)
    rng = np.random.default_rng(1)
    x, t = rng.standard_normal((2, 7, 6)), rng.integers(3, size=(2, 7))
    inputs = [Shared(x[0], slice(0, 2)), Shared(x[1], slice(2, 3))]  # two runs of one seed, one of another
    labels = np.stack([t[0], t[0], t[1]])

    def loss():
        logits, _ = forward(layers, parameters, inputs, training=True)
        return softmax_cross_entropy(logits, labels)[0].mean(axis=1)

    logits, backward = forward(layers, parameters, inputs, training=True)
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
    layer = dense("dense2", 4, 3)
    rng = np.random.default_rng(0)
    p = {"W": rng.standard_normal((2, 4, 3)), "b": rng.standard_normal((2, 1, 3))}
    x, dy = rng.standard_normal((2, 5, 4)), rng.standard_normal((2, 5, 3))
    y, back = layer.apply(p, x, True)
    np.testing.assert_allclose(y[1], x[1] @ p["W"][1] + p["b"][1])
    np.testing.assert_allclose(back(dy)[0][1], dy[1] @ p["W"][1].T)


def test_names_depth_and_sizes():
    layers, _ = network([40, 20, *[20] * 4], 1, activation="relu", features=784, classes=10)
    assert [layer.name for layer in layers if layer.parameters] == [f"dense{i}" for i in range(1, 8)]
    assert [layer.parameters["W"].shape for layer in layers if layer.parameters] == [
        (784, 40), (40, 20), (20, 20), (20, 20), (20, 20), (20, 20), (20, 10),
    ]  # fmt: skip


sizes = st.integers(1, 9)


@settings(deadline=None)
@given(sizes, st.integers(1, 40), sizes, sizes, st.sampled_from([np.float32, np.float64]), st.booleans())
def test_the_shared_product_has_the_same_bits_for_any_number_of_runs(rows, inner, runs, columns, dtype, transposed):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((inner, rows) if transposed else (rows, inner)).astype(dtype)
    a = a.T if transposed else a
    b = np.empty((inner, runs, columns), dtype).transpose(1, 0, 2)
    b[...] = rng.standard_normal(b.shape)
    together = shared_product(a, b)
    np.testing.assert_allclose(together, np.einsum("mk,rkn->rmn", a, b), rtol=1e-4, atol=1e-4)
    for r in range(runs):
        alone = np.empty((inner, 1, columns), dtype).transpose(1, 0, 2)
        alone[...] = b[r]
        np.testing.assert_array_equal(together[r], shared_product(a, alone)[0])


@pytest.mark.parametrize("shape", [(100, 784, 40), (500, 400, 40), (100, 784, 100), (784, 100, 40), (1, 784, 1)])
@pytest.mark.parametrize("runs", [2, 3, 15, 30])
def test_the_shared_product_at_the_sizes_of_real_sweeps(shape, runs):
    rows, inner, columns = shape
    rng = np.random.default_rng(0)
    a = rng.standard_normal((rows, inner), dtype=np.float32)
    b = rng.standard_normal((inner, runs, columns), dtype=np.float32).transpose(1, 0, 2)
    together = shared_product(a, b)
    for r in range(runs):
        np.testing.assert_array_equal(together[r], shared_product(a, np.ascontiguousarray(b[r : r + 1]))[0])


def test_dark_columns_contribute_nothing():
    rng = np.random.default_rng(0)
    layer, parameters = dense("dense1", 6, 4, first=True), {}
    for name, parameter in layer.parameters.items():
        parameters[name] = parameter.empty(3, np.float64)
        parameters[name][...] = rng.standard_normal(parameters[name].shape)
    x = rng.standard_normal((5, 6))
    x[:, [1, 4]] = 0
    lit = np.array([0, 2, 3, 5])
    whole, _ = layer.apply(parameters, [Shared(x, slice(0, 3))], False)
    lean, _ = layer.apply(parameters, [Shared(x[:, lit], slice(0, 3), lit)], False)
    np.testing.assert_allclose(lean, whole, rtol=1e-12)


def test_none_is_nothing():
    assert normalizations["none"].function("none1", (3,)) == []
    penalty, gradient = regularizers["none"].function(np.ones((2, 3, 4)))
    assert penalty.shape == (2,)
    assert not penalty.any()
    assert not gradient.any()
