"""Plots need what the sweep has, and their settings name its factors, splits and settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import get_args

from dlsweep.config import expansion
from dlsweep.config.document import Key, Node, gather
from dlsweep.config.settings import named_settings
from dlsweep.config.sweep import Sweep
from dlsweep.config.words import entry, factor, numeric_values, registry
from dlsweep.errors import Mistake
from dlsweep.tasks import CLASSIFICATION
from dlsweep.text import listed, nearest, shape_text
from dlsweep.types import Split, name_of

_ADD = "add one to grid, such as init: [he, xavier]"


def needs(sweep: Sweep) -> Iterator[Mistake]:
    """Report plots that need what the sweep does not have, such as weights, claims or crossed seeds."""
    for node, plot in sweep.plots:
        told = (LACKS[need](sweep) for need in getattr(entry("plots", plot.name), "needs", ()))
        if lacking := next(filter(None, told), ""):
            yield node.place.mistake(f"{plot.name} {lacking}")


def _landscape(sweep: Sweep) -> str:
    unknown = any("model" in grid.faulty for grid in sweep.grids)
    here = "" if unknown or sweep.task is not CLASSIFICATION else "and the models here are networks"
    return here and f"are those of descents on a landscape, {here}"


def _predictions(sweep: Sweep) -> str:
    evaluate = sweep.evaluate
    if evaluate.keep or evaluate.predicts:
        return ""
    what = "add test to evaluate.on" if evaluate.predictions else "take out evaluate.predictions: false"
    return f"needs the predictions of test images; {what}"


def _images(sweep: Sweep) -> str:
    shapes = [data.shape for data in sweep.datasets.opened.values() if data is not None]
    images = not shapes or any(len(shape) == 3 for shape in shapes)
    return "" if images else f"needs images, and the samples here are of the shape {shape_text(shapes[0])}"


def _claims(sweep: Sweep) -> str:
    stated = sweep.top.get("claims")
    none = "shows the claims of a sweep, and this one has none; write claims:, such as "
    example = "claims: [{he beats xavier: {arm: {init: he}, beats: {init: xavier}}}]"
    return "" if stated is not None and stated.value else none + example


def _train_and_test(sweep: Sweep) -> str:
    on = sweep.evaluate.on
    needed = [] if {"train", "batch"} & {*on} else ["train"]
    needed += [] if "test" in on else ["test"]
    return f"compares train with test; add {listed(needed)} to evaluate.on" if needed else ""


def _crossed_seeds(sweep: Sweep) -> str:
    several = any(len(own) > 1 for own in sweep.replicates.crossed.values())
    return "" if several else "needs crossed seeds, such as seeds: {init: 10, batches: 10}"


def _plain_seeds(sweep: Sweep) -> str:
    crossed = "needs plain seeds, such as seeds: 10; of crossed ones, luck shows the sources"
    return crossed if sweep.replicates.crossed else ""


def _two_seeds(sweep: Sweep) -> str:
    return "" if len(sweep.replicates) > 1 else "compares the seeds of an arm, and there is one; write seeds: 2 or more"


def _two_factors(sweep: Sweep) -> str:
    here = "" if (count := _varying(sweep)) > 1 else ("one varies here" if count else "none varies here")
    return here and f"needs two factors that vary, and {here}; {_ADD}"


def _varying(sweep: Sweep) -> int:
    """Return the number of factors that vary, those of one axis as one; 2 if that is not known."""
    if not sweep.is_read:
        return 2
    return sum(len(own) > 1 for own in map(set, zip(*_arms(sweep))))


def _arms(sweep: Sweep) -> set[tuple[object, ...]]:
    """Return the labels of each arm, a tuple for each axis; of several grids, a label for each factor."""
    arms = (arm.labels for arm, _ in expansion.arms(sweep.blocks, sweep.rules))
    axes = [[f.name for f in axis.factors] for axis in sweep.axes] if len(sweep.grids) == 1 else []
    return {tuple(tuple(arm[name] for name in names) for names in axes or [[name] for name in arm]) for arm in arms}


def _whole_grid(sweep: Sweep) -> str:
    if not sweep.is_read or not sweep.rules or len(sweep.grids) > 1:
        return ""
    kept = _arms(sweep)
    whole = prod(map(len, map(set, zip(*kept))))
    rules = " and ".join(name for name in ("exclude", "only") if name in sweep.top)
    only = "take the plot out, and see dlsweep effects, which then shows the effects of single factors"
    left = (
        f"needs every combination of levels, and {rules} keep{'s' * (' ' not in rules)} {len(kept)} of {whole}; {only}"
    )
    return "" if len(kept) == whole else left


# Needs that a plot can declare; each returns a sentence on its lack with a way out, "" if the sweep has it.
LACKS: dict[str, Callable[[Sweep], str]] = {
    "networks": lambda s: "" if s.task is CLASSIFICATION else f"shows networks, and the models here are {s.task.noun}s",
    "landscape": _landscape,
    "weights": lambda s: "" if s.evaluate.keep else "needs the weights; add evaluate: {keep: final}, or best",
    "predictions": _predictions,
    "images": _images,
    "layers": lambda s: "" if s.evaluate.layers else "needs measurements of layers; add evaluate: {layers: true}",
    "claims": _claims,
    "train and test": _train_and_test,
    "crossed seeds": _crossed_seeds,
    "plain seeds": _plain_seeds,
    "two seeds": _two_seeds,
    "a factor": lambda s: "" if _varying(s) else f"needs a factor that varies; {_ADD}",
    "two factors": _two_factors,
    "whole grid": _whole_grid,
}


def accuracy(sweep: Sweep) -> Iterator[Mistake]:
    """Report plots of accuracy of models that have none."""
    for node, plot in sweep.plots if "accuracy" not in sweep.task.metrics else ():
        if plot.settings.get("y") == "accuracy":
            yield node.place.mistake(f"a {sweep.task.noun} has no accuracy; write {{{plot.name}: {{y: loss}}}}")


def across(sweep: Sweep) -> Iterator[Mistake]:
    """Report plots of ranks, which need several sweeps."""
    for node, plot in sweep.plots:
        if getattr(entry("plots", plot.name), "table", "") == "ranks":
            told = (
                f"{plot.name} is a figure of several sweeps; take it out, and draw it when they are done: dlsweep plot"
            )
            yield node.place.mistake(f"{told} results/one results/two … -k {plot.name}")


def numeric(sweep: Sweep) -> Iterator[Mistake]:
    """Report plots along a numeric setting in a sweep that has no such setting, or where none varies."""
    for node, plot in sweep.plots if sweep.is_read else ():
        setting = getattr(entry("plots", plot.name), "numeric", None)
        if setting is None:
            continue
        parts = ((one.fields, one.labels) for one in sweep.combinations())
        chosen, values = plot.settings[setting], numeric_values(parts, sweep.task)
        if chosen is None and max(map(len, values.values()), default=0) < 2:
            none = f"{plot.name} shows a numeric setting, and none varies in this sweep"
            yield node.place.mistake(f"{none}; give several values of one, such as grid: {{optimizer.lr: [0.01, 0.1]}}")
        elif chosen is not None and chosen not in values:
            found = f"got {chosen!r}{nearest(chosen, values)}"
            place = node.at((plot.name, setting)).place
            if "." in chosen and gather(factor(chosen, place))[1]:
                continue  # `names` tells it
            yield place.mistake(f"plots.{plot.name}.{setting} must name a numeric setting of this sweep, {found}")


def names(sweep: Sweep) -> Iterator[Mistake]:
    """Report settings that name an unknown factor, split or numeric setting."""
    node = sweep.top.get("plots")
    for plot in node.value if node is not None and node.is_list else ():
        for name, settings in plot.value.items() if plot.is_mapping else ():
            if name in registry("plots"):
                yield from _names(sweep, name, named_settings(entry("plots", name), settings))


def _names(sweep: Sweep, plot: str, settings: Node) -> Iterator[Mistake]:
    known = entry("plots", plot).settings
    factors = sweep.columns
    placed: dict[str, str] = {}
    for key, node in settings.value.items() if settings.is_mapping else ():
        mark = name_of(known[key].annotation) if key in known else None
        where = f"plots.{plot}.{key}"
        if mark and mark.kind == "split":
            yield from _splits(sweep, where, node)
        elif mark and mark.kind == "setting" and isinstance(node.value, str) and "." in node.value:
            yield from factor(node.value, node.place)  # of any sweep
        elif mark and node.is_mapping:
            yield from _levels(factors, where, node)
        elif mark and mark.also and isinstance(node.value, str):
            if node.value not in (valid := [*factors, *mark.also]):
                found = f"got {node}{nearest(node.value, valid)}"
                yield node.place.mistake(f"{where} must name a factor of this sweep, {found}")
            elif node.value in placed:
                other = placed[node.value]
                yield node.place.mistake(f"{where} must be another factor than {other}, got {node} for both")
            placed.setdefault(node.value, str(key))


def _splits(sweep: Sweep, where: str, node: Node) -> Iterator[Mistake]:
    on = sweep.evaluate.on
    for split in node.items():
        if split.value in get_args(Split) and split.value not in on:
            yield split.place.mistake(f"{where} has {split.value}, but evaluate.on has {', '.join(on)} only")


def _levels(factors: list[str], where: str, node: Node) -> Iterator[Mistake]:
    chosen: Key
    for chosen in node.value:
        if chosen not in factors:
            found = f"got {str(chosen)!r}{nearest(chosen, factors)}"
            yield chosen.place.mistake(f"{where} must name factors of this sweep, {found}")


CHECKS = (names, needs, accuracy, numeric, across)
