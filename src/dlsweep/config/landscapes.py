"""Sweeps over landscapes: a point descends on a function and learns from no data, so that other defaults hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dlsweep.config.basics import Evaluated
from dlsweep.config.document import Node, Reading
from dlsweep.config.levels import default_level
from dlsweep.config.runs import Evaluate
from dlsweep.config.sweep import Written
from dlsweep.tasks import DESCENT, task_of


def adapted(written: Written) -> Reading[Written]:
    """Give a sweep over landscapes their defaults; return any other unchanged."""
    if not (yield from _descends(written)):
        return written
    return replace(
        written,
        descends=True,
        seeds=(yield from _replicates(written)),
        base={**written.base, "data": default_level("data", written.place, "none")},
        evaluated=Evaluated(_when_evaluated(written.evaluated.evaluate, written.top.get("evaluate"))),
    )


def _descends(written: Written) -> Reading[bool]:
    """Return True if all models are landscapes. They do not mix with networks, and networks need data."""
    if any("model" in grid.faulty for grid in written.grids):
        return False
    models = written.specs("model")
    found = [task_of(model.name) is DESCENT for model in models]
    if any(found) and not all(found):
        names = ", ".join(dict.fromkeys(model.name for model in models))
        yield models[found.index(True)].place.mistake(
            f"networks learn from data and landscapes do not, so they are not compared in one sweep; got {names}"
        )
    for data in () if any(found) else written.specs("data"):
        if data.name == "none":
            yield data.place.mistake(f"data must not be none, since {models[0].name} learns from data")
    return all(found)


def _when_evaluated(evaluate: Evaluate, node: Node | None) -> Evaluate:
    """Evaluate at every iteration, unless the config says otherwise, on the landscape, which stands for `train`."""
    said = node is not None and node.is_mapping and "every" in node.value
    return replace(evaluate, every=evaluate.every if said else 1, on=("train",))


def _replicates(written: Written) -> Reading[Sequence[int]]:
    """Return the seeds: without noise a descent is the same for every seed, and one is enough."""
    node = written.top.get("seeds")
    if any(_noises(written)):
        return written.seeds
    if node is None:
        return range(1)
    if len(written.seeds) > 1:
        yield node.place.mistake(
            f"without noise a descent is the same for every seed, got {node}; take seeds out, or add noise, as in "
            f"model: {{{written.specs('model')[0].name}: {{noise: 0.1}}}}"
        )
    return written.seeds


def _noises(written: Written) -> Iterator[float]:
    """Yield the noise of every landscape, given or by default."""
    for spec in written.specs("model"):
        yield from spec.values("noise")
    for axis in (axis for grid in written.grids for axis in grid.axes):
        yield from (level.value for level in axis.setting_levels("model", "noise"))


def without_needless(resolved: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved config without what has no effect on a landscape."""
    kept = {key: value for key, value in resolved.items() if key not in ("data", "fingerprints")}
    kept["train"] = {name: value for name, value in resolved["train"].items() if DESCENT.concerns(f"train.{name}")}
    kept["evaluate"] = {"every": resolved["evaluate"]["every"]}
    return kept
