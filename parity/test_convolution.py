"""Convolution and pooling: forward, and the gradients of inputs, kernels and biases."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dlsweep.nn import convolution, pooling  # noqa: F401  they register kinds of layer
from dlsweep.nn.layers import Context, SharedInput, kinds
from dlsweep.training.random_draws import Draws

TRAINING = Context(True, Draws({}, 0))
SHAPE, SAMPLES, RUNS = (4, 9, 8), 5, 3
CONVOLUTIONS = [
    {"kernel": 3},
    {"kernel": 1},
    {"kernel": 3, "stride": 2, "pad": 1},
    {"kernel": 2, "stride": 3},
    {"kernel": [3, 5], "stride": [2, 1], "pad": [0, 2]},
    {"kernel": [4, 1], "pad": [3, 0], "bias": False},
    {"kernel": 5, "pad": "same"},
    {"kernel": 3, "pad": 1, "groups": 2},
    {"kernel": [2, 3], "stride": [1, 2], "groups": 4, "bias": False},
]
POOLINGS = {
    "max, touching": ({"size": 2}, nn.MaxPool2d(2)),
    "max, overlapping": ({"size": 3, "stride": 2}, nn.MaxPool2d(3, 2)),
    "max, padded": ({"size": 3, "stride": 2, "pad": 1}, nn.MaxPool2d(3, 2, 1)),
    "max, apart": ({"size": 2, "stride": 3}, nn.MaxPool2d(2, 3)),
    "max, uneven": ({"size": [3, 2], "stride": [1, 2], "pad": [1, 0]}, nn.MaxPool2d((3, 2), (1, 2), (1, 0))),
    "average, touching": ({"size": 2, "kind": "average"}, nn.AvgPool2d(2)),
    "average, overlapping": ({"size": 3, "stride": 2, "kind": "average"}, nn.AvgPool2d(3, 2)),
    "average, padded": ({"size": 3, "stride": 2, "pad": 1, "kind": "average"}, nn.AvgPool2d(3, 2, 1)),
    "average, uneven": ({"size": [2, 3], "stride": [2, 1], "kind": "average"}, nn.AvgPool2d((2, 3), (2, 1))),
}


def samples_first(x):
    return torch.tensor(np.moveaxis(x, -1, 0).copy())


def samples_last(x):
    return np.moveaxis(x.detach().numpy(), 0, -1)


def same(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("shared", [False, True], ids=["own samples", "shared samples"])
@pytest.mark.parametrize("own", CONVOLUTIONS, ids=str)
def test_convolution(own, shared):
    layer = kinds["conv"].function("conv1", SHAPE, filters=8, **own)
    rng = np.random.default_rng(0)
    p = {k: rng.standard_normal((RUNS, *parameter.shape)) for k, parameter in layer.parameters.items()}
    x = rng.standard_normal((1 if shared else RUNS, *SHAPE, SAMPLES)).repeat(RUNS if shared else 1, axis=0)
    y, back, *_ = layer.apply(p, [SharedInput(x[0], slice(0, RUNS))] if shared else x, TRAINING)
    dy = rng.standard_normal(y.shape)
    dx, gradients = back(dy.copy())
    for r in range(RUNS):
        given = samples_first(x[r]).requires_grad_()
        kernel = torch.tensor(p["W"][r], requires_grad=True)
        bias = torch.tensor(p["b"][r].ravel(), requires_grad=True) if "b" in p else None
        pad = {"padding": own.get("pad", 0), "stride": own.get("stride", 1), "groups": own.get("groups", 1)}
        made = F.conv2d(given, kernel, bias, **pad)
        made.backward(samples_first(dy[r]))
        same(y[r], samples_last(made))
        same(gradients["W"][r], kernel.grad)
        if bias is not None:
            same(gradients["b"][r].ravel(), bias.grad)
        if not shared:
            same(dx[r], samples_last(given.grad))


@pytest.mark.parametrize("name", [*POOLINGS, "global average"])
def test_pooling(name):
    own, theirs = POOLINGS.get(name, ({}, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())))
    layer = kinds["pool" if name in POOLINGS else "global_average_pool"].function("pool1", SHAPE, **own)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((RUNS, *SHAPE, SAMPLES))
    y, back, *_ = layer.apply({}, x, TRAINING)
    dy = rng.standard_normal(y.shape)
    dx, _ = back(dy.copy())
    for r in range(RUNS):
        given = samples_first(x[r]).requires_grad_()
        made = theirs(given)
        made.backward(samples_first(dy[r]))
        same(y[r], samples_last(made))
        same(dx[r], samples_last(given.grad))


def test_the_first_of_equals_gets_the_gradient():
    """After ReLU, most windows of an image contain several zeros; quantized inputs have several equal maxima."""
    x = np.random.default_rng(0).integers(3, size=(1, *SHAPE, SAMPLES)).astype(float)
    for own, theirs in ({"size": 2}, nn.MaxPool2d(2)), ({"size": 3, "stride": 2}, nn.MaxPool2d(3, 2)):
        given = samples_first(x[0]).requires_grad_()
        made = theirs(given)
        made.backward(torch.ones_like(made))
        y, back, *_ = kinds["pool"].function("pool1", SHAPE, **own).apply({}, x, TRAINING)
        same(back(np.ones_like(y))[0][0], samples_last(given.grad))
