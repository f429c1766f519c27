"""Crossed seeds: every source is one that some arm draws from, and nothing else needs plain seeds."""

from __future__ import annotations

from collections.abc import Iterator

from dlsweep.config.checks.unused import named
from dlsweep.config.sweep import Sweep
from dlsweep.errors import Mistake
from dlsweep.factors import foreign
from dlsweep.registry import Choice

# The regularizers and layers that draw from a source, and advice where there are none.
_DRAW = {
    "dropout": ({"dropout", "dropconnect"}, "add the regularizer dropout"),
    "augmentation": ({"crop", "flip", "input_noise"}, "add data augmentation such as the regularizer input_noise"),
}


def sources(sweep: Sweep) -> Iterator[Mistake]:
    """Report sources of chance that no arm draws from: their seeds would train the same networks again."""
    node = sweep.top.get("seeds")
    if not sweep.seeds.crossed or node is None or sweep.faulty or any(grid.faulty for grid in sweep.grids):
        return
    for key, own in node.value.items():
        if key not in sweep.seeds.crossed or (own.is_scalar and own.value == 1):
            continue
        if key == "subset" and not any(one.fields["data"].settings.get("train") for one in sweep.all("data")):
            yield key.place.mistake(
                "no arm draws a subset: all train on the whole training set; take the source subset out, or set "
                "train of the data, as in data: {mnist: {train: 1000}}"
            )
        names, advice = _DRAW.get(key, (set(), ""))
        if names and not foreign() and names.isdisjoint(_names(sweep)):
            yield key.place.mistake(f"no arm draws {key}; take the source {key} out, or {advice}")


def ensembles(sweep: Sweep) -> Iterator[Mistake]:
    """Report ensembles of crossed seeds."""
    if sweep.seeds.crossed and sweep.evaluate.ensemble and "ensemble" in sweep.evaluate_nodes:
        yield sweep.evaluate_nodes["ensemble"].place.mistake(
            "evaluate.ensemble averages independent runs, and those of crossed seeds are not; write a number of seeds"
        )


def _names(sweep: Sweep) -> Iterator[str]:
    """Yield the names of all regularizers, and of the layers of all models."""
    for one in sweep.combinations():
        yield from (choice.name for choice in one.fields.get("regularizer", ()))
        model: Choice | None = one.fields.get("model")
        if model is not None:
            yield from named(model.settings.get("of"))
            yield from ("dropout" for name, value in model.settings.items() if name == "dropout" and value)
