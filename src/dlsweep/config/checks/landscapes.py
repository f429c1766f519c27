"""A sweep over landscapes has no data and no networks, so that little else has an effect."""

from __future__ import annotations

from collections.abc import Iterator

from dlsweep.config.checks.plots import shows_networks
from dlsweep.config.sweep import Sweep
from dlsweep.config.words import EVALUATE, TRAIN
from dlsweep.errors import Mistake
from dlsweep.tasks import DESCENT


def needless(sweep: Sweep) -> Iterator[Mistake]:
    """Report what has no effect on a landscape."""
    if not sweep.descends:
        return
    data, evaluate = sweep.top.get("data"), sweep.top.get("evaluate")
    if data is not None and data.value != "none":
        yield data.place.mistake("data has no effect on a landscape; take it out")
    for name, place in sweep.base["train"].places.items():
        if not DESCENT.concerns(f"train.{name}"):
            others = [other for other in TRAIN.spellings(name) if other != name]
            instead = f"give train.{others[0]} instead" if others else "take it out"
            yield place.mistake(f"train.{name} has no effect on a landscape; {instead}")
    for key in evaluate.value if evaluate is not None and evaluate.is_mapping else ():
        if key != "every" and key in EVALUATE.settings:
            yield key.place.mistake(f"evaluate.{key} has no effect on a landscape; take it out")
    for axis in (axis for grid in sweep.grids for axis in grid.axes):
        for f in axis.factors:
            if not DESCENT.concerns(f.name):
                yield axis.place.mistake(f"{f.name} has no effect on a landscape; take it out")


def plots(sweep: Sweep) -> Iterator[Mistake]:
    """Report plots of accuracy or of networks for landscapes, and of paths for networks."""
    if any("model" in grid.faulty for grid in sweep.grids):
        return
    for node, plot in sweep.plots:
        if sweep.descends and plot.settings.get("y") == "accuracy":
            yield node.place.mistake(f"a landscape has no accuracy; write {{{plot.name}: {{y: loss}}}}")
        if sweep.descends and shows_networks(plot):
            yield node.place.mistake(f"{plot.name} shows networks, and the models here are landscapes")
        if not sweep.descends and plot.name == "paths":
            yield node.place.mistake("paths are those of descents on a landscape, and the models here are networks")
