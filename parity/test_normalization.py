"""Normalizations: forward, backward and running statistics, on dense and on image-shaped samples."""

import numpy as np
import pytest
import torch
from torch import nn

from dlsweep.nn.layers import Context
from dlsweep.nn.normalization import normalizations
from dlsweep.training.random_draws import Draws

TRAINING, EVALUATION = (Context(training, Draws({}, 0)) for training in (True, False))
EPS = 1e-3
THEIRS = {
    ("batch", (5,)): nn.BatchNorm1d(5, EPS, momentum=0.2),
    ("batch", (3, 4, 2)): nn.BatchNorm2d(3, EPS, momentum=0.2),
    ("layer", (5,)): nn.LayerNorm((5,), EPS),
    ("layer", (3, 4, 2)): nn.LayerNorm((3, 4, 2), EPS),
    ("instance", (3, 4, 2)): nn.InstanceNorm2d(3, EPS, affine=True),
    ("group", (6,)): nn.GroupNorm(3, 6, EPS),
    ("group", (6, 4, 2)): nn.GroupNorm(3, 6, EPS),
}
OWN = {"batch": {"momentum": np.array([0.8])}, "group": {"groups": 3}}


def samples_first(x):
    return torch.tensor(np.moveaxis(x, -1, 0).copy())


def samples_last(x):
    return np.moveaxis(x.detach().numpy(), 0, -1)


@pytest.mark.parametrize(("name", "shape"), THEIRS)
def test_three_steps_and_an_evaluation(name, shape):
    (layer,) = normalizations[name].function("norm1", shape, eps=np.array([EPS]), **OWN.get(name, {})).before
    theirs = THEIRS[name, shape].double()
    rng = np.random.default_rng(0)
    p = {k: np.full((1, *parameter.shape), float(parameter.start)) for k, parameter in layer.parameters.items()}
    p["scale"], p["shift"] = 1 + rng.random(p["scale"].shape), rng.standard_normal(p["shift"].shape)
    with torch.no_grad():
        theirs.weight[...] = torch.tensor(p["scale"].reshape(theirs.weight.shape))
        theirs.bias[...] = torch.tensor(p["shift"].reshape(theirs.bias.shape))
    for samples in (4, 7, 5):
        x = rng.normal(3, 2, (*shape, samples))
        dy = rng.standard_normal(x.shape)
        given = samples_first(x).requires_grad_()
        theirs.zero_grad()
        made = theirs(given)
        made.backward(samples_first(dy))
        y, back, state, _ = layer.apply(p, x[None], TRAINING)
        dx, gradients = back(dy[None])
        np.testing.assert_allclose(y[0], samples_last(made), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(dx[0], samples_last(given.grad), rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(gradients["scale"].ravel(), theirs.weight.grad.ravel(), rtol=1e-10, atol=1e-11)
        np.testing.assert_allclose(gradients["shift"].ravel(), theirs.bias.grad.ravel(), rtol=1e-10, atol=1e-11)
        p |= state
    if name == "batch":
        np.testing.assert_allclose(p["mean"].ravel(), theirs.running_mean, rtol=1e-12)
        np.testing.assert_allclose(p["variance"].ravel(), theirs.running_var, rtol=1e-12)
    theirs.eval()
    y = layer.apply(p, x[None], EVALUATION).y
    np.testing.assert_allclose(y[0], samples_last(theirs(samples_first(x))), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("size", [1, 3, 5, 7])
@pytest.mark.parametrize("channels", [2, 6])
def test_local_response_normalization(size, channels):
    """dlsweep multiplies α with the sum, as in the paper; PyTorch multiplies it with the mean."""
    k, alpha, beta = 1.5, 0.3, 0.6
    own = {"k": np.array([k]), "alpha": np.array([alpha]), "beta": np.array([beta])}
    (layer,) = normalizations["lrn"].function("norm1", (channels, 4, 3), size=size, **own).after
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, channels, 4, 3, 5))
    given = samples_first(x).requires_grad_()
    made = nn.LocalResponseNorm(size, alpha * size, beta, k)(given)
    made.backward(samples_first(dy))
    y, back, *_ = layer.apply({}, x[None], TRAINING)
    np.testing.assert_allclose(y[0], samples_last(made), rtol=1e-12)
    np.testing.assert_allclose(back(dy[None].copy())[0][0], samples_last(given.grad), rtol=1e-10, atol=1e-13)
