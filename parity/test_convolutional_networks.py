"""Convolutional networks by name: ten steps of training from the same weights, and an evaluation after each."""

import numpy as np
import pytest
import torch
from tests.support.by_hand import ByHand
from torch import nn
from torch.nn import functional as F

from dlsweep.config.runs import Arm, Evaluate, Run, Train
from dlsweep.datasets import Arrays, Dataset
from dlsweep.nn.layers import size
from dlsweep.randomness import Seeds
from dlsweep.registry import Choice

SHAPE, CLASSES, SAMPLES, STEPS, SEEDS = (1, 28, 28), 10, 6, 10, (0, 1)
NONE = Choice("none", {})
BATCH_NORM = Choice("batch", {"momentum": 0.9, "eps": 1e-5, "position": "before"})
OPTIMIZERS = {
    "adam": (
        Choice("adam", {"lr": 0.003, "beta1": 0.9, "beta2": 0.999, "eps": 1e-7}),
        lambda w: torch.optim.Adam(w, lr=0.003, eps=1e-7),
    ),
    "momentum": (
        Choice("momentum", {"lr": 0.02, "alpha": 0.9}),
        lambda w: torch.optim.SGD(w, lr=0.02, momentum=0.9),
    ),
}


def simple_cnn(act):
    dense = [nn.Linear(30 * 12 * 12, 100), act(), nn.Linear(100, CLASSES)]
    return [nn.Conv2d(1, 30, 5), act(), nn.MaxPool2d(2), nn.Flatten(), *dense]


def simple_cnn_normalized(act):
    dense = [nn.Linear(30 * 12 * 12, 100), nn.BatchNorm1d(100), act(), nn.Linear(100, CLASSES)]
    return [nn.Conv2d(1, 30, 5), nn.BatchNorm2d(30), act(), nn.MaxPool2d(2), nn.Flatten(), *dense]


def lenet(act, pool):
    return [
        *(nn.Conv2d(1, 6, 5, padding=2), act(), pool(2)),
        *(nn.Conv2d(6, 16, 5), act(), pool(2)),
        *(nn.Conv2d(16, 120, 5), act(), nn.Flatten()),
        *(nn.Linear(120, 84), act(), nn.Linear(84, CLASSES)),
    ]


def alexnet(act):
    alpha = float(np.float32(1e-4))  # a listed layer's numbers are rounded so, in float64 networks too
    lrn = [nn.LocalResponseNorm(5, alpha=5 * alpha, beta=0.75, k=2.0)]
    return [
        *(nn.Conv2d(1, 16, 5, padding=2), act(), *lrn, nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(16, 32, 5, padding=2), act(), *lrn, nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(32, 48, 3, padding=1), act()),
        *(nn.Conv2d(48, 48, 3, padding=1), act()),
        *(nn.Conv2d(48, 32, 3, padding=1), act(), nn.MaxPool2d(3, 2), nn.Flatten()),
        *(nn.Linear(32 * 2 * 2, 128), act(), nn.Linear(128, 128), act(), nn.Linear(128, CLASSES)),
    ]


def vgg(act):
    layers, channels = [], 1
    for width in (16, 32, 64):
        for _ in range(2):
            layers += [nn.Conv2d(channels, width, 3, padding=1), act()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return [*layers, nn.Flatten(), nn.Linear(64 * 3 * 3, 128), act(), nn.Linear(128, CLASSES)]


class Residual(nn.Module):
    def __init__(self, body, shortcut=None):
        super().__init__()
        self.body, self.shortcut = nn.Sequential(*body), shortcut or nn.Identity()

    def forward(self, x):
        return self.shortcut(x) + self.body(x)


class Parallel(nn.Module):
    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*branch) for branch in branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def conv(filters, kernel, **settings):
    return {"conv": {"filters": filters, "kernel": kernel, **settings}}


# A block that keeps its input's shape, and one with a projection to half the height and width.
RESIDUAL = [
    conv(6, 3, pad="same"), "activation",
    {"residual": [conv(6, 3, pad="same"), "activation", conv(6, 3, pad="same")]}, "activation",
    {"residual": [conv(8, 3, stride=2, pad=1), "activation"]}, {"pool": 2},
]  # fmt: skip
PARALLEL = [{"parallel": [[conv(4, 1)], [conv(3, 3, pad="same"), "activation", conv(5, 3, pad=1)]]}, {"pool": 4}]


def residual(act):
    same = [nn.Conv2d(6, 6, 3, padding=1), act(), nn.Conv2d(6, 6, 3, padding=1)]
    halved = [nn.Conv2d(6, 8, 3, stride=2, padding=1), act()]
    blocks = [Residual(same), act(), Residual(halved, nn.Conv2d(6, 8, 1, stride=2, bias=False)), nn.MaxPool2d(2)]
    return [nn.Conv2d(1, 6, 3, padding=1), act(), *blocks, nn.Flatten(), nn.Linear(8 * 7 * 7, CLASSES)]


def parallel(act):
    second = [nn.Conv2d(1, 3, 3, padding=1), act(), nn.Conv2d(3, 5, 3, padding=1)]
    block = Parallel([nn.Conv2d(1, 4, 1)], second)
    return [block, nn.MaxPool2d(4), nn.Flatten(), nn.Linear(9 * 7 * 7, CLASSES)]


# model, activation, normalization; and the same as PyTorch's modules.
NETWORKS = {
    "simple_cnn": (Choice("simple_cnn", {}), "relu", NONE, lambda: simple_cnn(nn.ReLU)),
    "simple_cnn, batch norm": (Choice("simple_cnn", {}), "relu", BATCH_NORM, lambda: simple_cnn_normalized(nn.ReLU)),
    "lenet, original": (
        Choice("lenet", {"variant": "original"}), "tanh", NONE, lambda: lenet(nn.Tanh, nn.AvgPool2d)
    ),
    "lenet, modern": (Choice("lenet", {"variant": "modern"}), "relu", NONE, lambda: lenet(nn.ReLU, nn.MaxPool2d)),
    "alexnet": (Choice("alexnet", {"dropout": 0.0}), "relu", NONE, lambda: alexnet(nn.ReLU)),
    "vgg": (Choice("vgg", {}), "relu", NONE, lambda: vgg(nn.ReLU)),
    "residual": (Choice("layers", {"of": RESIDUAL}), "relu", NONE, lambda: residual(nn.ReLU)),
    "parallel": (Choice("layers", {"of": PARALLEL}), "tanh", NONE, lambda: parallel(nn.Tanh)),
}  # fmt: skip


def arm(model, activation, normalization, optimizer):
    return Arm(
        name="parity",
        levels={},
        fingerprint="parity",
        choices={
            "data": Choice("parity", {}),
            "model": model,
            "activation": Choice(activation, {}),
            "init": Choice("he", {}),
            "optimizer": optimizer,
            "regularizer": (),
            "normalization": normalization,
            "schedule": Choice("constant", {}),
        },
        train=Train(STEPS, None, SAMPLES, "shuffle"),
        evaluate=Evaluate(1, ("test",)),
    )


def own(stack):
    """The trained parameters of every run, layer by layer, biases after kernels and shifts after scales."""
    layers = zip(stack.network.layers, stack.parameters, strict=True)
    return [p[k] for layer, p in layers for k in ("W", "scale", "b", "shift") if k in layer.parameters]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", NETWORKS)
def test_ten_steps_of_training(name, optimizer):
    model, activation, normalization, modules = NETWORKS[name]
    choice, theirs_by = OPTIMIZERS[optimizer]
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((SAMPLES, *SHAPE)), rng.integers(CLASSES, size=SAMPLES)
    arrays = Arrays(x, t, x[:0], t[:0], x, t, scale=1.0)
    data = Dataset("parity", SHAPE, CLASSES, {"train": SAMPLES, "validation": 0, "test": SAMPLES}, lambda: arrays)
    runs = [Run(arm(model, activation, normalization, choice), Seeds(seed)) for seed in SEEDS]
    stack = ByHand(runs, data, np.dtype(np.float64))
    batch = {seeds: stack.gather(seeds, np.arange(SAMPLES)) for seeds in stack.slices}
    stack.begin(batch)

    theirs = [nn.Sequential(*modules()).double() for _ in SEEDS]
    optimizers = [theirs_by(list(network.parameters())) for network in theirs]
    assert size(stack.network.layers) == sum(w.numel() for w in theirs[0].parameters())
    with torch.no_grad():
        for r, network in enumerate(theirs):
            for ours, w in zip(own(stack), network.parameters(), strict=True):
                w[...] = torch.tensor(ours[r].reshape(w.shape))
    x, t = torch.tensor(x), torch.tensor(t)
    for step in range(1, STEPS + 1):
        stack.step(step, STEPS, batch)
        stack.evaluate(step, batch)
        losses = stack.rows[-1]["loss"]
        for r, (network, optimizer) in enumerate(zip(theirs, optimizers, strict=True)):
            network.train()
            optimizer.zero_grad()
            F.cross_entropy(network(x), t).backward()
            optimizer.step()
            network.eval()
            np.testing.assert_allclose(losses[r], F.cross_entropy(network(x), t).item(), rtol=1e-9)
            for ours, w in zip(own(stack), network.parameters(), strict=True):
                np.testing.assert_allclose(ours[r].ravel(), w.detach().ravel(), 0, 1e-9, err_msg=f"step {step}")
