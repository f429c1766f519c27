"""Tasks: the purpose of a model, with its metrics and its training. A new task is a new instance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from dlsweep.registry import Registry, imported
from dlsweep.types import Split


@dataclass(frozen=True)
class Task:
    """A kind of model, with its metrics and its training.

    noun: of a model in messages. registry: its models. metrics: of every evaluated split, the first for tables and
    default plots. plot: the default kind of plot. trainer, cost: functions `(runs, data, *, progress) ->
    TrainingResult` and `(arm) -> Cost`. factors: the factors besides `model` that have an effect; train, evaluate: the
    settings of these parts of a config that have one; None for all. chance: the setting of the models without which all
    seeds give the same run; "" if seeds always differ. splits: those that are always evaluated; () if a config chooses
    them. columns, run_columns: further columns of the curves and of the runs.

    Functions and registries are named by text and imported late: the training is a later stage, and a mistake in a
    config imports nothing heavy.
    """

    name: str
    noun: str
    registry: str
    metrics: tuple[str, ...]
    plot: str
    trainer: str
    cost: str
    factors: tuple[str, ...] | None = None
    train: tuple[str, ...] | None = None
    evaluate: tuple[str, ...] | None = None
    chance: str = ""
    splits: tuple[Split, ...] = ()
    columns: tuple[str, ...] = ()
    run_columns: tuple[str, ...] = ()

    @cached_property
    def models(self) -> Registry:
        """The registry of the models."""
        found: Registry = imported(self.registry)
        return found

    def concerns(self, name: str) -> bool:
        """Return True if a factor or setting ("optimizer.lr") has an effect.

        >>> DESCENT.concerns("optimizer.lr"), DESCENT.concerns("train.batch_size"), DESCENT.concerns("init")
        (True, False, False)
        """
        field, _, setting = name.partition(".")
        if field in ("train", "evaluate"):
            effective = self.train if field == "train" else self.evaluate
            return effective is None or setting in effective
        return field == "model" or self.factors is None or field in self.factors


CLASSIFICATION = Task(
    name="classification",
    noun="network",
    registry="dlsweep.nn.networks:networks",
    metrics=("accuracy", "loss"),
    plot="curves",
    trainer="dlsweep.training.loop:train",
    cost="dlsweep.training.costs:of_network",
)
DESCENT = Task(
    name="descent",
    noun="landscape",
    registry="dlsweep.nn.landscapes:landscapes",
    metrics=("loss", "distance"),
    plot="paths",
    trainer="dlsweep.training.descent:descend",
    cost="dlsweep.training.costs:of_descent",
    factors=("optimizer", "schedule"),
    train=("iterations",),
    evaluate=("every",),
    chance="noise",
    splits=("train",),
    columns=("x", "y", "distance"),
    run_columns=("landscape",),
)
TASKS = {task.name: task for task in (CLASSIFICATION, DESCENT)}


def task_of(model: str) -> Task:
    """Return the task of a model, by its name.

    >>> task_of("mlp").name, task_of("beale").name
    ('classification', 'descent')
    """
    return next((task for task in TASKS.values() if model in task.models), CLASSIFICATION)
