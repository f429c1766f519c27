"""Sweeps over landscapes: a point descends on a function and learns from no data, so that little else has an effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dlsweep.config.grid import Grid
from dlsweep.config.levels import Level, Template, Value
from dlsweep.config.nodes import Mistakes, Node
from dlsweep.config.plots import looks_into_networks
from dlsweep.config.runs import Evaluate
from dlsweep.config.words import EVALUATE, RIVAL
from dlsweep.registry import Choice
from dlsweep.tasks import DESCENT, task_of


def all_landscapes(base: Mapping[str, Level], grids: Sequence[Grid], mistakes: Mistakes) -> bool:
    """Whether the models of a sweep are landscapes. They do not mix with networks, and networks need data."""
    if any("model" in grid.faulty for grid in grids):
        return False
    models = _templates("model", base, grids)
    found = [task_of(model.name) is DESCENT for model in models]
    if any(found) and not all(found):
        names = ", ".join(dict.fromkeys(model.name for model in models))
        mistakes.add(
            models[found.index(True)].place,
            f"networks learn from data and landscapes do not, so they are not compared in one sweep; got {names}",
        )
    for data in () if any(found) else _templates("data", base, grids):
        if data.name == "none":
            mistakes.add(data.place, f"data must not be none, since {models[0].name} learns from data")
    return all(found)


def refuse_needless(top: Mapping[Any, Node], train: Level, grids: Sequence[Grid], mistakes: Mistakes) -> None:
    """Nobody gives a landscape what has no effect on it. top: the nodes of the config; train: what it says outside the
    grid."""
    data, evaluate = top.get("data"), top.get("evaluate")
    if data is not None and data.value != "none":
        mistakes.add(data.place, "data has no effect on a landscape; take it out")
    for name, place in train.places.items():
        if not DESCENT.concerns(f"train.{name}"):
            instead = f"give train.{RIVAL[name]} instead" if name in RIVAL else "take it out"
            mistakes.add(place, f"train.{name} has no effect on a landscape; {instead}")
    for key in evaluate.value if evaluate is not None and evaluate.is_mapping else ():
        if key != "every" and key in EVALUATE.settings:
            mistakes.add(key.place, f"evaluate.{key} has no effect on a landscape; take it out")
    for axis in (axis for grid in grids for axis in grid.axes):
        for f in axis.factors:
            if not DESCENT.concerns(f.name):
                mistakes.add(axis.place, f"{f.name} has no effect on a landscape; take it out")


def check_plots(node: Node | None, plots: Sequence[Choice], descends: bool, mistakes: Mistakes) -> None:
    """A landscape has no accuracy, and a network no path. node: of the list of plots."""
    for one, plot in zip(node.value, plots) if node is not None and node.is_list else ():
        if descends and plot.settings.get("y") == "accuracy":
            mistakes.add(one.place, f"a landscape has no accuracy; write {{{plot.name}: {{y: loss}}}}")
        if descends and looks_into_networks(plot):
            mistakes.add(one.place, f"{plot.name} shows networks, and the models here are landscapes")
        if not descends and plot.name == "paths":
            mistakes.add(one.place, "paths are those of descents on a landscape, and the models here are networks")


def when_evaluated(evaluate: Evaluate, node: Node | None) -> Evaluate:
    """At every iteration, unless the config says otherwise, on the one thing that is trained on: the landscape."""
    said = node is not None and node.is_mapping and "every" in node.value
    return replace(evaluate, every=evaluate.every if said else 1, on=("train",))


def replicates(
    seeds: Sequence[int], node: Node | None, base: Mapping[str, Level], grids: Sequence[Grid], mistakes: Mistakes
) -> Sequence[int]:
    """The seeds: without noise a descent is the same for every seed, and one is enough."""
    if any(_noises(base, grids)):
        return seeds
    if node is None:
        return range(1)
    if len(seeds) > 1:
        mistakes.add(
            node.place,
            f"without noise a descent is the same for every seed, got {node}; take seeds out, or add noise, as in "
            f"model: {{{_templates('model', base, grids)[0].name}: {{noise: 0.1}}}}",
        )
    return seeds


def _noises(base: Mapping[str, Level], grids: Sequence[Grid]) -> Iterator[float]:
    """The noise of every landscape, as far as it is given."""
    for template in _templates("model", base, grids):
        for entry, given in template.choices:
            default = entry.settings["noise"].default if "noise" in entry.settings else 0.0
            yield from (one.value for one in given["noise"]) if "noise" in given else (default,)
    for cell in _cells(grids):
        if not isinstance(cell, Template):
            yield from (
                value.value for value in cell if value.factor.field == "model" and value.factor.setting == "noise"
            )


def _templates(field: str, base: Mapping[str, Level], grids: Sequence[Grid]) -> list[Template]:
    """The levels of a field as they were written, in all grids."""
    found = []
    for grid in grids:
        own = [cell for cell in _cells([grid]) if isinstance(cell, Template) and cell.field == field]
        found += own or [base[field].template]
    return found


def _cells(grids: Iterable[Grid]) -> Iterator[Template | tuple[Value, ...]]:
    return (cell for grid in grids for axis in grid.axes for row in axis.rows for cell in row)


def without_needless(resolved: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved config with nothing in it that has no effect on a landscape."""
    kept = {key: value for key, value in resolved.items() if key not in ("data", "fingerprints")}
    kept["train"] = {name: value for name, value in resolved["train"].items() if DESCENT.concerns(f"train.{name}")}
    kept["evaluate"] = {"every": resolved["evaluate"]["every"]}
    return kept
