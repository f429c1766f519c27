"""The task of a sweep, which its models have in common, and the defaults that it brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dlsweep.config.document import Reading
from dlsweep.config.levels import default_level
from dlsweep.config.sweep import Sweep
from dlsweep.tasks import CLASSIFICATION, Task, task_of


def adapted(sweep: Sweep) -> Reading[Sweep]:
    """Return a sweep with its task, and with the task's defaults."""
    task = yield from _task(sweep)
    if task.concerns("data"):
        return replace(sweep, task=task)
    evaluate = sweep.evaluate
    return replace(
        sweep,
        task=task,
        seeds=(yield from _replicates(sweep, task)),
        base={**sweep.base, "data": default_level("data", sweep.place, "none")},
        evaluate=replace(evaluate, every=evaluate.every or 1, on=task.splits),
        evaluate_nodes={},
    )


def _task(sweep: Sweep) -> Reading[Task]:
    """Return the task of all models. Those that learn from data do not mix with others, and must have data."""
    if any("model" in grid.faulty for grid in sweep.grids):
        return CLASSIFICATION
    models = sweep.specs("model")
    tasks = [task_of(model.name) for model in models]
    without_data = [model for model, task in zip(models, tasks) if not task.concerns("data")]
    if without_data and len(without_data) < len(models):
        names = ", ".join(dict.fromkeys(model.name for model in models))
        yield without_data[0].place.mistake(
            f"networks learn from data and landscapes do not, so they are not compared in one sweep; got {names}"
        )
    for data in () if without_data else sweep.specs("data"):
        if data.name == "none":
            yield data.place.mistake(f"data must not be none, since {models[0].name} learns from data")
    return tasks[0] if len(set(tasks)) == 1 else CLASSIFICATION


def _replicates(sweep: Sweep, task: Task) -> Reading[Sequence[int]]:
    """Return the seeds: without chance (noise) a descent is the same for every seed, and one is enough."""
    models = sweep.specs("model")
    axes = (axis for grid in sweep.grids for axis in grid.axes)
    noises = [value for model in models for value in model.values(task.chance)]
    noises += [level.value for axis in axes for level in axis.setting_levels("model", task.chance)]
    node = sweep.top.get("seeds")
    if any(noises):
        return sweep.seeds
    if node is None:
        return range(1)
    if len(sweep.seeds) > 1:
        yield node.place.mistake(
            f"without {task.chance} a descent is the same for every seed, got {node}; take seeds out, or add "
            f"{task.chance}, as in model: {{{models[0].name}: {{{task.chance}: 0.1}}}}"
        )
    return sweep.seeds
