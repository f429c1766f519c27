"""Activations and their derivatives."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dlsweep.nn.activations import activations

THEIRS = {
    "identity": lambda x: x,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.01),
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "softplus": lambda x: F.softplus(x, threshold=100),
    "softsign": F.softsign,
    "hard_sigmoid": F.hardsigmoid,
    "mish": F.mish,
}
X = np.concatenate([np.linspace(-30, 30, 401), np.linspace(-4, 4, 351)]).reshape(1, 2, -1) + 1e-3  # beside the kinks


@pytest.mark.parametrize("name", sorted(THEIRS.keys() & set(activations)))
def test_value_and_derivative(name):
    x = torch.tensor(X, requires_grad=True)
    theirs = THEIRS[name](x)
    dy = np.random.default_rng(0).standard_normal(X.shape)
    theirs.backward(torch.tensor(dy))
    y, back = activations[name].function(X.copy())
    np.testing.assert_allclose(y, theirs.detach(), rtol=1e-12, atol=1e-13)
    rtol = 1e-7 if name == "hard_sigmoid" else 1e-11  # theirs takes 1/6 in float32 on the way back
    np.testing.assert_allclose(back(dy.copy()), x.grad, rtol=rtol, atol=1e-12)


def test_prelu():
    rng = np.random.default_rng(0)
    x, slope, dy = rng.standard_normal((4, 6)), rng.standard_normal(4), rng.standard_normal((4, 6))
    theirs_x, theirs_slope = torch.tensor(x.T, requires_grad=True), torch.tensor(slope, requires_grad=True)
    theirs = F.prelu(theirs_x, theirs_slope)
    theirs.backward(torch.tensor(dy.T))
    y, back = activations["prelu"].function(x[None], slope[None, :, None])
    dx, d_slope = back(dy[None])
    np.testing.assert_allclose(y[0], theirs.detach().T)
    np.testing.assert_allclose(dx[0], theirs_x.grad.T)
    np.testing.assert_allclose(d_slope[0].sum(axis=1), theirs_slope.grad)
