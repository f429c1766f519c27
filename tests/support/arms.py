"""Small arms and a small data set, made by hand: training needs no config file."""

import itertools
from dataclasses import dataclass
from typing import get_args

import numpy as np

from dlsweep.config.runs import Arm, Evaluate, Run, Train
from dlsweep.datasets import Arrays, Dataset
from dlsweep.errors import DlsweepError
from dlsweep.nn.activations import activations
from dlsweep.randomness import Seeds
from dlsweep.registry import Choice
from dlsweep.training.network import build


def choice(name, **settings):
    return Choice(name, settings)


def full(registry, name, **settings):
    """A choice with the defaults of what is not given."""
    return Choice(name, {k: s.default for k, s in registry[name].settings.items()} | settings)


SGD = choice("sgd", lr=0.1)


def make_arm(
    *,
    activation="relu",
    init=choice("he"),  # noqa: B008
    optimizer=SGD,
    hidden=(5, 4),
    model=None,
    iterations=6,
    epochs=None,
    batch_size=4,
    sampling="shuffle",
    every=2,
    on=("batch", "train", "validation", "test"),
    regularizer=(),
    normalization=choice("none"),  # noqa: B008
    schedule=choice("constant"),  # noqa: B008
    clip_norm=None,
    stopping=None,
    members=(),
):
    return Arm(
        name=f"{getattr(activation, 'name', activation)}, {init.name}, {optimizer.canonical}",
        levels={},
        fingerprint="small",
        choices={
            "data": choice("small"),
            "model": model or choice("mlp", hidden=list(hidden)),
            "activation": full(activations, activation) if isinstance(activation, str) else activation,
            "init": init,
            "optimizer": optimizer,
            "regularizer": regularizer,
            "normalization": normalization,
            "schedule": schedule,
        },
        train=Train(None if epochs else iterations, epochs, batch_size, sampling, clip_norm, stopping),
        evaluate=Evaluate(every, on, ensemble=bool(members)),
        members=members,
    )


def make_data(
    train=None,
    pool=30,
    features=12,
    classes=3,
    dtype=np.uint8,
    samples=(7, 1100),
    shape=None,
    standardized=False,
):
    """Bytes, two thirds of them zero, with labels that follow from them; more test samples than a block holds."""
    rng = np.random.default_rng(0)
    shape = shape or (features,)

    def split(n):
        x = rng.integers(1, 256, (n, *shape)) * (rng.random((n, *shape)) < 0.35)
        return x.astype(dtype), x.reshape(n, classes, -1).sum(axis=2).argmax(axis=1)

    (x, t), validation, test = split(pool), split(samples[0]), split(samples[1])
    moments = (40.0 + np.arange(shape[0]), 70.0 - np.arange(shape[0])) if standardized else (None, None)
    arrays = Arrays(x, t, *validation, *test, 1 / 255, standardized, *moments)
    sizes = {"train": train or pool, "validation": samples[0], "test": samples[1]}
    return Dataset("small", shape, classes, sizes, lambda: arrays)


def variants(registry, share=1.0):
    """Every entry in every mode, with numbers that are felt; share: what they are multiplied with."""
    for name in sorted(set(registry) - {"none"}):
        entry = registry[name]
        words = {
            k: get_args(s.annotation) for k, s in entry.settings.items() if get_args(s.annotation) and not s.stacks
        }
        words = {k: values for k, values in words.items() if all(isinstance(v, str) for v in values)}
        numbers = {k: share * (s.default if s.off is None else 0.3) for k, s in entry.settings.items() if s.stacks}
        numbers |= {k: 1 for k, s in entry.settings.items() if s.off is not None and not s.stacks}
        for values in itertools.product(*words.values()):
            yield full(registry, name, **numbers, **dict(zip(words, values, strict=True)))


def fits(normalization, model=None, data=None):
    """Whether it can be had in a network: a dense one, if no other is given."""
    try:
        build([make_arm(normalization=normalization, model=model)], data or make_data())
    except DlsweepError:
        return False
    return True


@dataclass
class Sweep:
    """What a plan reads of a config."""

    listed: list[Arm]
    seeds: tuple[int, ...] = (0, 1, 2)
    varying = ()

    def arms(self):
        return iter(self.listed)

    def replicates_of(self, arm):
        return self.seeds

    def runs(self):
        return (Run(arm, Seeds(seed)) for arm in self.listed for seed in self.seeds)
