"""Settings of plots name factors, splits and settings of the sweep; plots of networks need the weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from dlsweep.config.document import Key, Node, gather
from dlsweep.config.settings import named_settings
from dlsweep.config.sweep import Sweep
from dlsweep.config.words import entry, factor, numeric_settings, registry
from dlsweep.errors import Mistake
from dlsweep.registry import Choice
from dlsweep.tasks import CLASSIFICATION, DESCENT
from dlsweep.text import nearest
from dlsweep.types import Split, name_of


def weights(sweep: Sweep) -> Iterator[Mistake]:
    """Report plots of networks in a sweep that keeps no weights, and of predictions in one that keeps neither."""
    evaluate = sweep.evaluate
    for node, plot in sweep.plots if sweep.task is CLASSIFICATION and evaluate.keep is None else ():
        if shows_predictions(plot) and not evaluate.predicts:
            what = "add test to evaluate.on" if evaluate.predictions else "take out evaluate.predictions: false"
            yield node.place.mistake(f"{plot.name} needs the predictions of test images; {what}")
        elif shows_networks(plot) and not shows_predictions(plot):
            yield node.place.mistake(f"{plot.name} needs the weights; add evaluate: {{keep: final}}, or best")


def tasks(sweep: Sweep) -> Iterator[Mistake]:
    """Report plots that do not suit the task: of accuracy or of networks for landscapes, and of paths for networks."""
    if any("model" in grid.faulty for grid in sweep.grids):
        return
    task, classifies = sweep.task, sweep.task is CLASSIFICATION
    for node, plot in sweep.plots:
        if not classifies and plot.settings.get("y") == "accuracy":
            yield node.place.mistake(f"a {task.noun} has no accuracy; write {{{plot.name}: {{y: loss}}}}")
        if not classifies and shows_networks(plot):
            yield node.place.mistake(f"{plot.name} shows networks, and the models here are {task.noun}s")
        if classifies and plot.name == DESCENT.plot:
            yield node.place.mistake("paths are those of descents on a landscape, and the models here are networks")


def claims(sweep: Sweep) -> Iterator[Mistake]:
    """Report plots of claims in a sweep without claims."""
    stated = sweep.top.get("claims")
    for node, plot in sweep.plots if stated is None or not stated.value else ():
        if getattr(entry("plots", plot.name), "table", "") == "claims":
            yield node.place.mistake(
                f"{plot.name} shows the claims of a sweep, and this one has none; write claims:, such as "
                "claims: [{he beats xavier: {arm: {init: he}, beats: {init: xavier}}}]"
            )


def measured(sweep: Sweep) -> Iterator[Mistake]:
    """Report plots of layers in a sweep that does not measure them, and shares of luck without crossed seeds."""
    if sweep.task is not CLASSIFICATION:
        return
    for node, plot in sweep.plots:
        if getattr(entry("plots", plot.name), "table", "") == "layers" and not sweep.evaluate.layers:
            yield node.place.mistake(f"{plot.name} shows measurements of layers; add evaluate: {{layers: true}}")
        if plot.name == "luck" and not sweep.seeds.crossed:
            yield node.place.mistake("luck needs crossed seeds, such as seeds: {init: 10, batches: 10}")


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
    if sweep.faulty or any(grid.faulty for grid in sweep.grids) or not any(sweep.blocks):
        return
    values: dict[str, set[float]] = {}
    for one in sweep.combinations():
        for column, value in numeric_settings(one.fields, one.labels, sweep.task).items():
            values.setdefault(column, set()).add(value)
    for node, plot in sweep.plots:
        setting = getattr(entry("plots", plot.name), "numeric", None)
        if setting is None:
            continue
        chosen = plot.settings[setting]
        if chosen is None and max(map(len, values.values()), default=0) < 2:
            none = f"{plot.name} shows a numeric setting, and none varies in this sweep"
            yield node.place.mistake(f"{none}; give several values of one, such as grid: {{optimizer.lr: [0.01, 0.1]}}")
        elif chosen is not None and chosen not in values:
            found = f"got {chosen!r}{nearest(chosen, values)}"
            place = node.at((plot.name, setting)).place
            if "." in chosen and gather(factor(chosen, place))[1]:
                continue  # `names` tells it
            yield place.mistake(f"plots.{plot.name}.{setting} must name a numeric setting of this sweep, {found}")


def shows_networks(plot: Choice) -> bool:
    """True if a plot is about networks: it needs their weights or their predictions."""
    return getattr(entry("plots", plot.name), "table", "") == "networks" or shows_predictions(plot)


def shows_predictions(plot: Choice) -> bool:
    """True if a plot needs the predictions of test images, kept or computed from kept weights."""
    return getattr(entry("plots", plot.name), "table", "") == "predictions"


def names(sweep: Sweep) -> Iterator[Mistake]:
    """Report settings that name an unknown factor, split or numeric setting."""
    node = sweep.top.get("plots")
    for plot in node.value if node is not None and node.is_list else ():
        for name, settings in plot.value.items() if plot.is_mapping else ():
            if name in registry("plots"):
                yield from _names(sweep, name, named_settings(entry("plots", name), settings))


def _names(sweep: Sweep, plot: str, settings: Node) -> Iterator[Mistake]:
    known = entry("plots", plot).settings
    factors = [f.name for f in sweep.factors]
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
