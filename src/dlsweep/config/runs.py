"""Arms (a combination of levels) and runs (an arm with a seed).

These are plain values. Everything later (planning, training, results) reads them and nothing else of the config.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal

from dlsweep.factors import FACTORS
from dlsweep.randomness import RANDOMNESS_VERSION, Seeds
from dlsweep.registry import Choice
from dlsweep.text import identifier
from dlsweep.types import Split

Monitor = Literal[
    "batch_loss", "batch_accuracy", "train_loss", "train_accuracy",
    "validation_loss", "validation_accuracy", "test_loss", "test_accuracy",
]  # fmt: skip
Keep = Literal["final", "best"]

# Number of evaluations of a run, about, if the config does not set it.
EVALUATIONS = 50

# The meaning of the measurements of layers, a part of the identity of runs that have them. 2: the row of iteration t
# describes the network after t updates. 1: before update t.
MEASUREMENTS_VERSION = 2


@dataclass(frozen=True)
class Stopping:
    """Early stopping of a run, after `patience` evaluations in a row that do not improve the monitored metric.

    min_delta: a smaller change is no improvement. restore_best: True if the run's final metrics are those of its last
    improvement, False if those of its last evaluation.
    """

    patience: int
    monitor: Monitor
    min_delta: float
    restore_best: bool

    @property
    def split(self) -> str:
        """The monitored split."""
        return self.monitor.partition("_")[0]

    @property
    def metric(self) -> str:
        """The monitored metric: loss or accuracy."""
        return self.monitor.partition("_")[2]


@dataclass(frozen=True)
class Train:
    """Length and minibatches of the training of a run. Either `iterations` or `epochs` is set, the other is None.

    clip_norm: largest norm of a run's gradient, which is scaled down to it; None for no limit. stopping: None if all
    runs train to the end.
    """

    iterations: int | None
    epochs: int | None
    batch_size: int
    sampling: Literal["shuffle", "replacement"]
    clip_norm: float | None = None
    stopping: Stopping | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by name, with those of early stopping."""
        return vars(self) | (vars(self.stopping) if self.stopping else {})

    def lasting(self, length: int) -> Train:
        """Return the same training with another length, in the same unit."""
        return replace(self, iterations=length) if self.iterations is not None else replace(self, epochs=length)

    def per_epoch(self, samples: int) -> int:
        """Return the number of updates in an epoch of `samples` samples; its last minibatch may be smaller."""
        return -(-samples // self.batch_size)

    def steps(self, samples: int) -> int:
        """Return the number of updates with `samples` training samples."""
        if self.iterations is not None:
            return self.iterations
        assert self.epochs is not None
        return self.epochs * self.per_epoch(samples)


@dataclass(frozen=True)
class Evaluate:
    """Evaluations of a run: at iteration 0, every `every` iterations and at the end, on the splits `on`.

    ensemble: True to measure the averaged predictions of an arm's runs, too. layers: True to measure every layer. keep:
    the evaluation whose weights are kept; None for none. planned: the length of training from which the default of
    `every` follows, if it is not the arm's; None in an arm. predictions: True to keep the class that each run predicts
    for each test image; not a part of a run's identity.
    """

    every: int  # 0 in a config that does not set it; in an arm at least 1
    on: tuple[Split, ...]
    ensemble: bool = False
    layers: bool = False
    keep: Keep | None = None
    planned: int | None = None
    predictions: bool = True

    @property
    def predicts(self) -> bool:
        """True if predictions are kept: of test images, which must be evaluated."""
        return self.predictions and "test" in self.on

    def during(self, train: Train, samples: int) -> Evaluate:
        """Return the evaluations of a training: about `EVALUATIONS` of them if the config does not set `every`."""
        if self.every:
            return self
        planned = train.lasting(self.planned) if self.planned else train
        return replace(self, every=max(1, round(planned.steps(samples) / EVALUATIONS)), planned=None)

    def times(self, steps: int) -> int:
        """Return the number of evaluations of a run of `steps` updates."""
        return 1 + -(-steps // self.every)

    def iterations(self, steps: int) -> list[int]:
        """Return the iterations of the evaluations of a run of `steps` updates."""
        return [*range(0, steps, self.every), steps]


@dataclass(frozen=True)
class Arm:
    """One combination of levels: everything that defines a run but its seed.

    `levels` gives, for every factor of the grid in its order, the label of the level, as in the columns of the tables;
    `name` joins the labels of the factors that vary ("relu, he"). Labels are names: they are no part of the identity.
    `choices` gives the choice of each factor of the table in `dlsweep.factors`, which is an attribute too:
    `arm.optimizer`. Where several combine it is a tuple, () for none. `members` are the seeds of an ensemble, which
    train together; () for independent runs.
    """

    name: str
    levels: Mapping[str, str]
    fingerprint: str  # of the data set's content and subset, see `dlsweep.datasets.Dataset`
    choices: Mapping[str, Any]
    train: Train
    evaluate: Evaluate
    members: tuple[int, ...] = ()

    def __getattr__(self, name: str) -> Any:
        choices = self.__dict__.get("choices", {})
        if name not in choices:
            raise AttributeError(f"an arm has no {name!r}")
        return choices[name]

    @property
    def fields(self) -> dict[str, Any]:
        """The choices, and `train`, by name."""
        return {**self.choices, "train": self.train}

    def choosing(self, **chosen: Choice | tuple[Choice, ...]) -> Arm:
        """Return the arm with other choices of some factors."""
        return replace(self, choices={**self.choices, **chosen})

    def chosen(self, factor: str) -> tuple[Choice, ...]:
        """Return what a factor chooses, as a tuple also where it is one choice."""
        found = self.choices[factor]
        return found if isinstance(found, tuple) else (found,)

    @cached_property
    def identity(self) -> str:
        """The same text for arms that train the same network in the same way, whatever their labels."""
        counted = [factor for factor in FACTORS if factor.name != "data"]  # the data counts by its fingerprint
        inner = sorted(counted, key=lambda factor: factor.combines)
        parts = [self.fingerprint, *(c.canonical for factor in inner for c in self.chosen(factor.name))]
        parts += [_text(self.train), _text(replace(self.evaluate, predictions=True))]
        parts += [f"members {self.members}"] if self.members else []
        parts += [f"layers {MEASUREMENTS_VERSION}"] if self.evaluate.layers else []
        return "\n".join(parts)


def _text(part: Train | Evaluate) -> str:
    """Return its `repr` without defaults, so that a setting that is added later changes no identity."""
    told = {f.name: getattr(part, f.name) for f in fields(part)}
    own = {f.name for f in fields(part) if f.default is MISSING or told[f.name] != f.default}
    return f"{type(part).__name__}({', '.join(f'{name}={told[name]!r}' for name in told if name in own)})"


@dataclass(frozen=True)
class Run:
    """One network to train: an arm with the seeds of its sources of chance."""

    arm: Arm
    seeds: Seeds

    @property
    def seed(self) -> int:
        """The number of the replicate."""
        return self.seeds.number

    @cached_property
    def id(self) -> str:
        """Hash of the resolved arm, its data, the seeds and the version of the randomness: 16 hexadecimal digits."""
        return identifier(f"{RANDOMNESS_VERSION}\n{self.seeds}\n{self.arm.identity}")
