"""Read `tune:`, the settings that are chosen for each arm before it is compared."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from dlsweep.config.document import Node, Reading, each, whole
from dlsweep.config.draws import Draws
from dlsweep.config.settings import read_section
from dlsweep.config.sweep import Sweep
from dlsweep.config.tuning import Tuning
from dlsweep.config.words import TUNE, factor
from dlsweep.errors import UsageError
from dlsweep.metric_names import parse_metric
from dlsweep.text import nearest
from dlsweep.types import Split


def draws_of(node: Node | None) -> Draws:
    """Return the draws that `tune` asks for, as far as it can be read: its mistakes are reported by `read_tuning`."""
    given = node.value if node is not None and node.is_mapping else {}
    over = given["over"].items() if "over" in given else ()
    number = given["random"].value if "random" in given else 0
    is_count = type(number) is int and number > 0
    return Draws(frozenset(str(one.value) for one in over), number if is_count or not number else 2)


@whole
def read_tuning(sweep: Sweep) -> Reading[Tuning | None]:
    """Read `tune`; None if it is not there."""
    node = sweep.top.get("tune")
    if node is None:
        return None
    place = sweep.place_of("tune")
    if sweep.task.chance:
        raise place.refused(f"tune has no effect on a {sweep.task.noun}; take it out")
    read = yield from read_section(TUNE, node, place)
    if read is None:
        return None
    settings, nodes = read
    over = yield from each(_read_name(sweep, one) for one in nodes["over"].items())
    yield from _check_split(sweep, settings["on"], nodes.get("on", replace(node, place=place)))
    metric = _metric(sweep, settings["metric"], settings["on"], nodes.get("metric", node))
    ranges = dict.fromkeys(draw.span for axis in sweep.axes for draw in axis.draws)
    return Tuning(tuple(over), metric, settings["seeds"], settings["random"], tuple(ranges), settings["seconds"])


def _read_name(sweep: Sweep, node: Node) -> Reading[str]:
    """Read the name of a factor that is tuned: a field, or a setting."""
    name = str(node.value)
    found = yield from factor(name, node.place)
    if found and found.field == "data":
        yield node.place.mistake(f"tune.over chooses settings of the training, not the data, got {name}")
    if name in ("train.iterations", "train.epochs"):
        hint = nearest("", [other for other in sweep.columns if other != name])
        yield node.place.mistake(f"candidates have the same number of steps, so {name} is not tuned{hint}")
    return name


def _check_split(sweep: Sweep, on: str, node: Node) -> Reading[None]:
    if on == "test":
        yield node.place.mistake(
            "tune.on must not be test: a setting that is chosen on the test images makes their accuracy too high; "
            "write validation"
        )
    elif on not in sweep.evaluate.on:
        default = ", the default," if node.is_mapping else ""
        several = ", ".join(split for split in get_args(Split) if split in (*sweep.evaluate.on, on))
        yield node.place.mistake(
            f"tune.on is {on}{default} and evaluate.on has {', '.join(sweep.evaluate.on)} only; write evaluate: {{on: "
            f"[{several}]}}"
        )


def _metric(sweep: Sweep, name: str, on: str, node: Node) -> str:
    """Return the metric that candidates are judged by."""
    if named := [split for split in get_args(Split) if split in name.split("_")]:
        raise node.place.refused(f"tune.metric has no split, got {name!r}; write on: {named[0]} beside it")
    try:
        metric = parse_metric(name, splits=(on,), factors=sweep.columns, task=sweep.task, layers=False)
    except UsageError as error:
        raise node.place.refused(str(error)) from None
    if metric.kind in ("column", "spread"):
        raise node.place.refused(f"tune.metric must be of a curve, such as accuracy or best_loss, got {name!r}")
    return metric.name
