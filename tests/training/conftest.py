"""Small arms and a small data set, made by hand: training needs no config file."""

import numpy as np
import pytest

from dlsweep.config.runs import Arm, Choice, Evaluate, Train
from dlsweep.datasets import Arrays, Dataset
from dlsweep.nn.activations import activations


def choice(name, **settings):
    return Choice(name, settings)


SGD = choice("sgd", lr=0.1)


def make_arm(
    *,
    activation="relu",
    init=choice("he"),  # noqa: B008
    optimizer=SGD,
    hidden=(5, 4),
    iterations=6,
    epochs=None,
    batch_size=4,
    sampling="shuffle",
    every=2,
    on=("batch", "train", "validation", "test"),
    regularizer=(),
    stopping=None,
    members=(),
):
    return Arm(
        name=f"{activation}, {init.name}, {optimizer.canonical}",
        levels={},
        data=choice("small"),
        fingerprint="small",
        model=choice("mlp", hidden=list(hidden)),
        activation=choice(activation, **{k: s.default for k, s in activations[activation].settings.items()}),
        init=init,
        optimizer=optimizer,
        regularizer=regularizer,
        normalization=choice("none"),
        schedule=choice("constant"),
        train=Train(None if epochs else iterations, epochs, batch_size, sampling, stopping=stopping),
        evaluate=Evaluate(every, on, ensemble=bool(members)),
        members=members,
    )


def make_data(train=None, pool=30, features=12, classes=3, dtype=np.uint8, samples=(7, 1100)):
    """Bytes, two thirds of them zero, with labels that follow from them; more test samples than a block holds."""
    rng = np.random.default_rng(0)

    def split(n):
        x = rng.integers(1, 256, (n, features)) * (rng.random((n, features)) < 0.35)
        return x.astype(dtype), x.reshape(n, classes, -1).sum(axis=2).argmax(axis=1)

    (x, t), validation, test = split(pool), split(samples[0]), split(samples[1])
    arrays = Arrays(x, t, *validation, *test, scale=1 / 255)
    sizes = {"train": train or pool, "validation": samples[0], "test": samples[1]}
    return Dataset("small", (features,), classes, sizes, lambda: arrays)


@pytest.fixture
def arm():
    return make_arm


@pytest.fixture
def small_data():
    return make_data
