"""The normal form of a config: the same sweep with nothing left to defaults, as JSON can hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlsweep.config.grid import Axis, Grid
from dlsweep.config.levels import Level, Value
from dlsweep.config.words import STANDARD, Factor


def resolve_grid(grid: Grid, base: Mapping[str, Level], labels: Mapping[Level, str]) -> dict[str, Any]:
    """A grid with every standard factor and every setting, but those that its dotted factors set."""
    dotted = [f for f in grid.factors if f.setting]
    resolved = {", ".join(f.name for f in axis.factors): _rows(axis, labels, dotted) for axis in grid.axes}
    there = {f.name for f in grid.factors}
    return resolved | {name: [level_form(base[name], dotted, labels)] for name in STANDARD if name not in there}


def _rows(axis: Axis, labels: Mapping[Level, str], dotted: Sequence[Factor]) -> list[Any]:
    rows = [[_form(level, labels, dotted) for level in point] for point in axis]
    return rows if len(axis.factors) > 1 else [row[0] for row in rows]


def _form(level: Level | Value, labels: Mapping[Level, str], dotted: Sequence[Factor]) -> Any:
    return level_form(level, dotted, labels) if isinstance(level, Level) else level.value


def level_form(
    level: Level, dotted: Sequence[Factor] = (), labels: Mapping[Level, str] | None = None
) -> dict[str, Any]:
    """A level as `{name: settings, label: …}`, with all its settings, but those that a dotted factor sets."""
    own = [f for f in dotted if f.field == level.template.field]
    form: dict[str, Any] = {
        choice.name: {
            name: value
            for name, value in choice.settings.items()
            if not any(f.concerns(choice.name, name) for f in own)
        }
        for choice in level.choices
    }
    return form | ({"label": labels[level]} if labels is not None else {})
