"""Settings and factors that have no effect: what every grid varies, what nothing stops for, what no layer asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dlsweep.config.grid import Axis, Grid
from dlsweep.config.levels import Level, Template, Value
from dlsweep.config.nodes import COMMAND_LINE, Mistakes
from dlsweep.config.points import Part
from dlsweep.config.words import TRAIN, Factor, entry, registry
from dlsweep.registry import Choice


def idle_settings(level: Level, grids: Sequence[Grid]) -> dict[str, tuple[Axis, Factor]]:
    """The settings of a level outside the grid that no arm has, each with a factor that takes its place.

    A setting that must be given (the path of a file) is none of them.
    """
    (entry, _), *_ = level.template.choices
    optional = [name for name, setting in entry.settings.items() if not setting.required]
    varied = {name: [_varied(level.template.field, entry.name, name, grid) for grid in grids] for name in optional}
    return {name: by[0] for name, by in varied.items() if by and by[0] and None not in by}


def _varied(field: str, choice: str, setting: str, grid: Grid) -> tuple[Axis, Factor] | None:
    """The factor of a grid that sets a setting, or the whole field, or the setting's rival."""
    for axis in grid.axes:
        for f in axis.factors:
            spellings = entry(field, choice).spellings(setting) if f.field == field else []
            if f.field == field and (not f.setting or any(f.concerns(choice, one) for one in spellings)):
                return axis, f
    return None


def refuse_idle(base: Mapping[str, Level], grids: Sequence[Grid], mistakes: Mistakes) -> None:
    """Nobody gives a setting that does nothing; but a factor on the command line goes before a setting in the file."""
    for field, level in base.items():
        idle = idle_settings(level, grids)
        for name, place in level.places.items():
            if name not in idle or (idle[name][0].place.file == COMMAND_LINE != place.file):
                continue
            factor = idle[name][1].name
            setting = f"{field}.{name}" if field == "train" else f"{field}.{level.template.name}.{name}"
            instead = f"write grid.{factor if '.' in factor else setting}=… instead"
            mistakes.add(
                place,
                f"{setting} has no effect here, since {'it' if factor == setting else factor} is a factor of the grid; "
                + (instead if place.file == COMMAND_LINE else "take it out"),
            )


def stops_early(train: Level, grid: Grid) -> bool:
    """Whether some arm of a grid has patience; train: what the config says outside the grid."""
    values = [value.value for value in _patience(grid)]
    return any(value is not None for value in values or [train.choices[0].settings["patience"]])


def _patience(grid: Grid) -> list[Value]:
    """The levels of the factor train.patience."""
    cells = (cell for axis in grid.axes for row in axis.rows for cell in row if not isinstance(cell, Template))
    return [value for cell in cells for value in cell if value.factor.name == "train.patience"]


def refuse_impatient(train: Level, grids: Sequence[Grid], mistakes: Mistakes) -> None:
    """Nobody says how to stop early where nothing does; but who turns it off on the command line may leave the rest."""
    unsure = any("train" in grid.faulty for grid in grids)
    hasty = [] if unsure else [grid for grid in grids if not stops_early(train, grid)]
    places = [train.places.get("patience"), *(value.place for grid in grids for value in _patience(grid))]
    turned_off = any(place and place.file == COMMAND_LINE for place in places)
    for name, place in train.places.items():
        if TRAIN.settings[name].needs and len(hasty) == len(grids) and not (turned_off and place.file != COMMAND_LINE):
            mistakes.add(place, f"train.{name} has no effect without train.patience; give that too, or take it out")
    for axis in (axis for grid in hasty for axis in grid.axes):
        for f in axis.factors:
            if f.field == "train" and TRAIN.settings[f.setting].needs:
                mistakes.add(axis.place, f"{f.name} has no effect in a grid without train.patience; give that too")


# What a list of layers must name for a factor to have an effect.
_ASKS = {
    "activation": "the layers name their own; write `activation` in the list where the arm's is meant",
    "normalization": "it stands beside activations, and the layers have none; write `activation` where one is meant",
}


def refuse_unasked(grids: Sequence[Grid], expanded: Sequence[Sequence[Part]], mistakes: Mistakes) -> None:
    """Nobody varies what no list of layers asks for. expanded: the parts of each grid."""
    for grid, parts in zip(grids, expanded, strict=True):
        models = [point.fields["model"] for part in parts for point in part if "model" in point.fields]
        for axis in grid.axes:
            for f in axis.factors:
                if f.field in _ASKS and models and not any(_asks(f.field, model) for model in models):
                    mistakes.add(axis.place, f"{f.name} has no effect here, since {_ASKS[f.field]}")


def _asks(field: str, model: Choice) -> bool:
    """Whether a network has a place for the arm's activation, or for its normalization."""
    if model.name != "layers":
        return True
    names = set(named(model.settings["of"]))
    return "activation" in names or (field == "normalization" and not names.isdisjoint(registry("activation")))


def named(of: Iterable[Any]) -> Iterator[str]:
    """The names of all layers of a list, those within blocks of branches too."""
    for item in of:
        if isinstance(item, str):
            yield item
        elif isinstance(item, list):
            yield from named(item)
        else:
            ((name, value),) = item.items()
            yield name
            if name in ("residual", "parallel"):
                yield from named(value["of"] if isinstance(value, Mapping) else value)
