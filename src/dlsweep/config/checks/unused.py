"""Settings and factors without effect: every grid varies them, nothing stops for them, no layer asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlsweep.config.document import COMMAND_LINE
from dlsweep.config.grid import Axis, Grid
from dlsweep.config.levels import Level, SettingLevel
from dlsweep.config.sweep import Sweep
from dlsweep.config.words import EVALUATE, TRAIN, Factor, entries, entry, registry
from dlsweep.errors import Mistake
from dlsweep.registry import Choice
from dlsweep.text import value_text


def idle_settings(level: Level, grids: Sequence[Grid]) -> dict[str, tuple[Axis, Factor]]:
    """Return the settings of a level outside the grid that no arm has, each with a factor that takes its place.

    A setting that must be given (the path of a file) is none of them.
    """
    (entry, _), *_ = level.spec.choices
    optional = [name for name, setting in entry.settings.items() if not setting.required]
    varied = {name: [_varied(level.spec.field, entry.name, name, grid) for grid in grids] for name in optional}
    return {name: by[0] for name, by in varied.items() if by and by[0] and None not in by}


def _varied(field: str, choice: str, setting: str, grid: Grid) -> tuple[Axis, Factor] | None:
    """The factor of a grid that sets a setting, or the whole field, or the setting's rival."""
    for axis in grid.axes:
        for f in axis.factors:
            spellings = entry(field, choice).spellings(setting) if f.field == field else []
            if f.field == field and (not f.setting or any(f.concerns(choice, one) for one in spellings)):
                return axis, f
    return None


def settings(sweep: Sweep) -> Iterator[Mistake]:
    """Report settings that every grid varies; but a factor on the command line goes before a setting in the file."""
    for field, level in sweep.base.items():
        idle = idle_settings(level, sweep.grids)
        for name, place in level.places.items():
            if name not in idle or (idle[name][0].place.file == COMMAND_LINE != place.file):
                continue
            factor = idle[name][1].name
            setting = f"{field}.{name}" if field == "train" else f"{field}.{level.spec.name}.{name}"
            instead = f"write grid.{factor if '.' in factor else setting}=… instead"
            yield place.mistake(
                f"{setting} has no effect here, since {'it' if factor == setting else factor} is a factor of the grid; "
                + (instead if place.file == COMMAND_LINE else "take it out")
            )


def stops_early(train: Level, grid: Grid) -> bool:
    """Return True if some arm of a grid has patience; train: the level outside the grid."""
    values = [level.value for level in _patience(grid)]
    return any(value is not None for value in values or [train.choices[0].settings["patience"]])


def _patience(grid: Grid) -> list[SettingLevel]:
    """The levels of the factor train.patience."""
    return [level for axis in grid.axes for level in axis.setting_levels("train", "patience")]


def stopping(sweep: Sweep) -> Iterator[Mistake]:
    """Report settings of early stopping without `patience`, unless patience was disabled on the command line."""
    train, grids = sweep.base["train"], sweep.grids
    unsure = any("train" in grid.faulty for grid in grids)
    hasty = [] if unsure else [grid for grid in grids if not stops_early(train, grid)]
    places = [train.places.get("patience"), *(level.place for grid in grids for level in _patience(grid))]
    disabled = any(place and place.file == COMMAND_LINE for place in places)
    for name, place in train.places.items():
        needed = TRAIN.settings[name].needs
        if needed and len(hasty) == len(grids) and not (disabled and place.file != COMMAND_LINE):
            yield place.mistake(f"train.{name} has no effect without train.{needed}; give that too, or take it out")
    for axis in (axis for grid in hasty for axis in grid.axes):
        for f in axis.factors:
            if f.field == "train" and TRAIN.settings[f.setting].needs:
                yield axis.place.mistake(f"{f.name} has no effect in a grid without train.patience; give that too")


def needless(sweep: Sweep) -> Iterator[Mistake]:
    """Report what has no effect on models of the sweep's task."""
    concerns, effect = sweep.task.concerns, f"has no effect on a {sweep.task.noun}"
    data, evaluate = sweep.top.get("data"), sweep.top.get("evaluate")
    if data is not None and data.value != "none" and not concerns("data"):
        yield data.place.mistake(f"data {effect}; take it out")
    for name, place in sweep.base["train"].places.items():
        if not concerns(f"train.{name}"):
            others = [other for other in TRAIN.spellings(name) if other != name]
            instead = f"give train.{others[0]} instead" if others else "take it out"
            yield place.mistake(f"train.{name} {effect}; {instead}")
    for key in evaluate.value if evaluate is not None and evaluate.is_mapping else ():
        if key in EVALUATE.settings and not concerns(f"evaluate.{key}"):
            yield key.place.mistake(f"evaluate.{key} {effect}; take it out")
    for axis in sweep.axes:
        for f in axis.factors:
            if not concerns(f.name):
                yield axis.place.mistake(f"{f.name} {effect}; take it out")


def single_lists(sweep: Sweep) -> Iterator[Mistake]:
    """Yield notes on factors with a list for their only level, whose items could be the levels: `hidden: [50, 100]`."""
    grids = sweep.top["grid"].items() if "grid" in sweep.top else ()
    written = {(key.place, key.strip()): node for grid in grids for key, node in grid.value.items()}
    for axis in sweep.axes:
        f, *others = axis.factors
        if not f.setting or others or len(axis) > 1:
            continue
        node, setting = written[axis.place, f.name], f.owners(entries(f.field))[0].settings[f.setting]
        several = [[item.plain()] for item in node.items()]
        if setting.holds_list and len(several) > 1 and not any(setting.check(one, f.name, str)[1] for one in several):
            told = f"{f.name} has one level, {node}; for {len(several)} levels, write {value_text(several)}"
            yield node.place.mistake(told)


# The names that a list of layers needs for a factor to have an effect.
_ASKS = {
    "activation": "the layers name their own; write `activation` in the list where the arm's is meant",
    "normalization": "it stands beside activations, and the layers have none; write `activation` where one is meant",
}


def factors(sweep: Sweep) -> Iterator[Mistake]:
    """Report factors that no list of layers asks for."""
    for grid, blocks in zip(sweep.grids, sweep.blocks, strict=True):
        models = [one.fields["model"] for block in blocks for one in block if "model" in one.fields]
        for axis in grid.axes:
            for f in axis.factors:
                if f.field in _ASKS and models and not any(_asks(f.field, model) for model in models):
                    yield axis.place.mistake(f"{f.name} has no effect here, since {_ASKS[f.field]}")


def _asks(field: str, model: Choice) -> bool:
    """Return True if a network has a place for the arm's activation, or for its normalization."""
    if model.name != "layers":
        return True
    names = set(named(model.settings["of"]))
    return "activation" in names or (field == "normalization" and not names.isdisjoint(registry("activation")))


def named(of: Any) -> Iterator[str]:
    """Yield the names of all layers of a list, in blocks of branches too. Mistakes in it are told elsewhere."""
    for item in of if isinstance(of, list) else ():
        if isinstance(item, str):
            yield item
        elif isinstance(item, list):
            yield from named(item)
        elif isinstance(item, Mapping):
            yield from item
            for value in item.values():
                yield from named(value.get("of") if isinstance(value, Mapping) else value)


CHECKS = (settings, stopping, factors, needless)
