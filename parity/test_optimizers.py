"""Ten steps of every optimizer that PyTorch has too."""

import numpy as np
import pytest
import torch
from torch import optim

from dlsweep.nn.optimizers import optimizers

BETAS = {"beta1": 0.8, "beta2": 0.95}
ADAM = {"lr": 0.05, **BETAS, "eps": 1e-6}
THEIR_ADAM = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6}

# Our settings, and PyTorch's optimizer with the same. Its Nesterov stores the look-ahead weights, as ours does.
PAIRS = {
    "sgd": ({"lr": 0.05}, lambda w: optim.SGD(w, lr=0.05)),
    "momentum": ({"lr": 0.05, "alpha": 0.8}, lambda w: optim.SGD(w, lr=0.05, momentum=0.8)),
    "nesterov": ({"lr": 0.05, "alpha": 0.8}, lambda w: optim.SGD(w, lr=0.05, momentum=0.8, nesterov=True)),
    "adagrad": ({"lr": 0.05, "eps": 1e-6}, lambda w: optim.Adagrad(w, lr=0.05, eps=1e-6)),
    "rmsprop": ({"lr": 0.05, "rho": 0.8, "eps": 1e-6}, lambda w: optim.RMSprop(w, lr=0.05, alpha=0.8, eps=1e-6)),
    "adadelta": ({"lr": 0.5, "rho": 0.8, "eps": 1e-6}, lambda w: optim.Adadelta(w, lr=0.5, rho=0.8, eps=1e-6)),
    "adam": (ADAM, lambda w: optim.Adam(w, **THEIR_ADAM)),
    "amsgrad": (ADAM, lambda w: optim.Adam(w, amsgrad=True, **THEIR_ADAM)),
    "adamw": (ADAM | {"weight_decay": 0.1}, lambda w: optim.AdamW(w, weight_decay=0.1, **THEIR_ADAM)),
    # Its μ grows towards β₁; so large a decay makes it β₁ from the first step. It keeps their product in float32.
    "nadam": (ADAM, lambda w: optim.NAdam(w, momentum_decay=1e9, **THEIR_ADAM)),
}


@pytest.mark.parametrize("name", sorted(PAIRS.keys() & set(optimizers)))
def test_ten_steps(name):
    """Down a curved valley, whose gradient changes its sign and its size on the way."""
    settings, make = PAIRS[name]
    entry = optimizers[name]
    given = {k: s.default for k, s in entry.settings.items()} | settings
    own = {k: np.reshape(v, (1, 1)) if entry.settings[k].stacks else v for k, v in given.items()}
    start = [-1.5, 2.0, 0.3]
    w = np.array([start])
    slots = [np.zeros_like(w) for _ in entry.positional[3:]]
    theirs = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = make([theirs])
    for t in range(1, 11):
        x, y, z = theirs
        optimizer.zero_grad()
        ((1 - x) ** 2 + 3 * (y - x * x) ** 2 + torch.sin(5 * z)).backward()
        x, y, z = w[0]
        g = np.array([[-2 * (1 - x) - 12 * x * (y - x * x), 6 * (y - x * x), 5 * np.cos(5 * z)]])
        optimizer.step()
        w, *slots = entry.function(w, g, t, *slots, **own)
        rtol, atol = (1e-6, 1e-7) if name == "nadam" else (1e-11, 0)
        np.testing.assert_allclose(w[0], theirs.detach(), rtol, atol, err_msg=f"step {t}")
