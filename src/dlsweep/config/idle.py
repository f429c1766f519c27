"""Settings outside the grid that have no effect, because every grid varies what they set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dlsweep.config.grid import Axis, Grid
from dlsweep.config.levels import Level
from dlsweep.config.nodes import COMMAND_LINE, Mistakes
from dlsweep.config.words import RIVAL, Factor


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
            rival = field == "train" and f.setting == RIVAL.get(setting)
            if f.field == field and (not f.setting or f.concerns(choice, setting) or rival):
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
