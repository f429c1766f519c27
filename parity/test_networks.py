"""Whole networks: the losses of ten training steps, and of an evaluation after them."""

import numpy as np
import pytest
import torch
from tests.support.by_hand import ByHand
from torch import nn
from torch.nn import functional as F

from dlsweep.config.runs import Arm, Evaluate, Run, Train
from dlsweep.datasets import Arrays, Dataset
from dlsweep.randomness import Seeds
from dlsweep.registry import Choice
from dlsweep.training.loop import train

HIDDEN, FEATURES, CLASSES, SAMPLES, STEPS = (7, 6), 8, 3, 40, 10
L2, EPSILON, LR, CLIP = 0.05, 0.2, 0.05, 0.5
BATCH_NORM = Choice("batch", {"momentum": 0.9, "eps": 1e-5, "position": "before"})
LAYER_NORM = Choice("layer", {"eps": 1e-5, "position": "after"})


def arm(normalization, clip_norm):
    return Arm(
        name="parity",
        levels={},
        fingerprint="parity",
        choices={
            "data": Choice("parity", {}),
            "model": Choice("mlp", {"hidden": list(HIDDEN)}),
            "activation": Choice("tanh", {}),
            "init": Choice("xavier", {}),
            "optimizer": Choice("adam", {"lr": LR, "beta1": 0.9, "beta2": 0.999, "eps": 1e-7}),
            "regularizer": (
                Choice("l2", {"strength": L2, "on": "kernel"}),
                Choice("label_smoothing", {"epsilon": EPSILON}),
            ),
            "normalization": normalization,
            "schedule": Choice("constant", {}),
        },
        train=Train(STEPS, None, SAMPLES, "shuffle", clip_norm),
        evaluate=Evaluate(1, ("test",)),
    )


def modules(normalization):
    layers, fan_in = [], FEATURES
    for width in HIDDEN:
        layers.append(nn.Linear(fan_in, width))
        layers += {
            "none": [nn.Tanh()],
            "batch": [nn.BatchNorm1d(width), nn.Tanh()],
            "layer": [nn.Tanh(), nn.LayerNorm(width)],
        }[normalization]
        fan_in = width
    return nn.Sequential(*layers, nn.Linear(fan_in, CLASSES)).double()


@pytest.mark.parametrize("clip_norm", [None, CLIP])
@pytest.mark.parametrize("normalization", [Choice("none", {}), BATCH_NORM, LAYER_NORM], ids=lambda c: c.name)
def test_ten_steps_of_training(normalization, clip_norm):
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((SAMPLES, FEATURES)), rng.integers(CLASSES, size=SAMPLES)
    arrays = Arrays(x, t, x[:0], t[:0], x, t, scale=1.0)
    data = Dataset("parity", (FEATURES,), CLASSES, {"train": SAMPLES, "validation": 0, "test": SAMPLES}, lambda: arrays)
    run = Run(arm(normalization, clip_norm), Seeds(0))
    curves = train([run], data, dtype=np.float64).curves

    stack = ByHand([run], data, np.dtype(np.float64))
    stack.begin({Seeds(0): stack.gather(Seeds(0), np.arange(SAMPLES))})
    theirs = modules(normalization.name)
    linear = [m for m in theirs if isinstance(m, nn.Linear)]
    kernels = [p["W"][0] for p in stack.parameters if "W" in p]
    with torch.no_grad():
        for module, kernel in zip(linear, kernels, strict=True):
            module.weight[...] = torch.tensor(kernel)
            module.bias.zero_()
    optimizer = torch.optim.Adam(theirs.parameters(), lr=LR, eps=1e-7)
    x, t = torch.tensor(x), torch.tensor(t)
    for step in range(STEPS + 1):
        theirs.eval()
        penalty = L2 / 2 * sum((module.weight**2).sum() for module in linear)
        plain, smoothed = (F.cross_entropy(theirs(x), t, label_smoothing=e) for e in (0.0, EPSILON))
        np.testing.assert_allclose(curves["loss"][step], plain.item(), rtol=1e-6)
        np.testing.assert_allclose(
            (curves["loss"] + curves["penalty"])[step], (smoothed + penalty).item(), rtol=1e-6, err_msg=f"step {step}"
        )
        theirs.train()
        optimizer.zero_grad()
        penalty = L2 / 2 * sum((module.weight**2).sum() for module in linear)
        (F.cross_entropy(theirs(x), t, label_smoothing=EPSILON) + penalty).backward()
        if clip_norm:
            nn.utils.clip_grad_norm_(theirs.parameters(), clip_norm)
        optimizer.step()
