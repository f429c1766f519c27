"""The normal form of a config: the same sweep with nothing left to defaults, as JSON can hold it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dlsweep.config.checks.unused import idle_settings, stops_early
from dlsweep.config.grid import Axis, Grid
from dlsweep.config.levels import Level, SettingLevel
from dlsweep.config.rules import PartialArm
from dlsweep.config.sweep import Sweep
from dlsweep.config.words import OUTSIDE, TRAIN, Factor, data_files
from dlsweep.factors import STANDARD
from dlsweep.text import value_text


def resolve(sweep: Sweep) -> dict[str, Any]:
    """Return the normal form of a config."""
    evaluate = sweep.evaluate
    measured = vars(evaluate) | {"every": evaluate.every or None, "on": list(evaluate.on)}
    resolved: dict[str, Any] = {"name": sweep.name}
    for field in filter(sweep.task.concerns, OUTSIDE):
        resolved |= {field: _base_form(sweep, field)}
        resolved |= {"fingerprints": sweep.datasets.fingerprints()} if field == "data" else {}
    return {
        **resolved,
        "train": _effective(sweep, "train", _base_form(sweep, "train")["train"]),
        "evaluate": _effective(sweep, "evaluate", measured),
        "seeds": list(sweep.seeds),
        "grid": [_grid_form(grid, sweep.base, sweep.labels) for grid in sweep.grids],
        "exclude": [_rule_form(rule) for rule in sweep.rules.exclude],
        "only": [_rule_form(rule) for rule in sweep.rules.only],
    }


def _effective(sweep: Sweep, part: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a part of the config that say something and have an effect."""
    concerns = sweep.task.concerns
    return {name: v for name, v in settings.items() if v is not None and concerns(f"{part}.{name}")}


def _base_form(sweep: Sweep, field: str) -> dict[str, Any]:
    """A level outside the grid as `level_form` has it, except for the settings that no arm takes from it."""
    level = sweep.base[field]
    idle = [*idle_settings(level, sweep.grids)]
    if field == "train" and not any(stops_early(level, grid) for grid in sweep.grids):
        idle += [name for name, setting in TRAIN.settings.items() if setting.needs]
    return level_form(level, [Factor(f"{field}.{name}", field, setting=name) for name in idle])


def _rule_form(rule: PartialArm) -> dict[str, list[str]]:
    return {factor: sorted(fitting) for factor, fitting in rule.items()}


def _grid_form(grid: Grid, base: Mapping[str, Level], labels: Mapping[Level, str]) -> dict[str, Any]:
    """A grid with every standard factor that the sweep has and every setting, but those that its dotted factors set."""
    dotted = [f for f in grid.factors if f.setting]
    resolved = {", ".join(f.name for f in axis.factors): _rows(axis, labels, dotted) for axis in grid.axes}
    there = {f.name for f in grid.factors}
    rest = [name for name in STANDARD if name not in there and base[name] in labels]
    return resolved | {name: [level_form(base[name], dotted, labels)] for name in rest}


def _rows(axis: Axis, labels: Mapping[Level, str], dotted: Sequence[Factor]) -> list[Any]:
    rows = [[_form(level, labels, dotted) for level in point] for point in axis]
    return rows if len(axis.factors) > 1 else [row[0] for row in rows]


def _form(level: Level | SettingLevel, labels: Mapping[Level, str], dotted: Sequence[Factor]) -> Any:
    return level_form(level, dotted, labels) if isinstance(level, Level) else level.value


def level_form(
    level: Level, dotted: Sequence[Factor] = (), labels: Mapping[Level, str] | None = None
) -> dict[str, Any]:
    """A level as `{name: settings, label: …}`, with all its settings, but those that a dotted factor sets."""
    own = [f for f in dotted if f.field == level.spec.field]
    form: dict[str, Any] = {
        choice.name: {
            name: value
            for name, value in choice.settings.items()
            if not any(f.concerns(choice.name, name) for f in own)
        }
        for choice in level.choices
    }
    return form | ({"label": labels[level]} if labels is not None else {})


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each difference between two resolved configs."""
    there, here = _flat_config(then), _flat_config(now)
    sentences: dict[tuple[str, ...], str] = {}
    for path in [*there, *(path for path in here if path not in there)]:
        if any(path[:n] in sentences for n in range(len(path))):
            continue  # said of the whole
        if path[0] == "fingerprints" and not (path in there and path in here):
            continue  # said by the settings of the data
        shown = ".".join(path)
        if path not in here:
            sentences[path] = f"{shown}: gone"
        elif path not in there:
            sentences[path] = f"{shown}: new" + (f", {here[path]}" if here[path] else "")
        elif there[path] != here[path]:
            sentences[path] = f"{shown}: {there[path]} there, {here[path]} now"
    return list(sentences.values())


def _flat_config(resolved: Mapping[str, Any]) -> dict[tuple[str, ...], str]:
    """A resolved config as texts by key path, "" for what has parts of its own.

    Lists whose order says nothing (levels, seeds, rules) come out the same in any order, and files are left out: their
    content counts, by its fingerprint.
    """
    found: dict[tuple[str, ...], str] = {}
    for key, value in resolved.items():
        if key == "grid":
            for i, grid in enumerate(value, start=1):
                for factor, rows in grid.items():
                    path = ("grid", factor) if len(value) == 1 else ("grid", str(i), factor)
                    found |= {path: ""} | _merge(_flat_row((*path, _label(row)), row) for row in rows)
        elif key in ("exclude", "only"):
            found |= {(key, value_text(rule)): "" for rule in value}
        elif key == "seeds":
            found[key,] = value_text(sorted(value))
        else:
            found |= _flat((key,), value)
    return {path: text for path, text in found.items() if path[-2:] not in data_files()}


def _flat_row(path: tuple[str, ...], row: Any) -> dict[tuple[str, ...], str]:
    """A level with its settings; for factors that move together, several."""
    if isinstance(row, Mapping):
        return _flat(path, {name: settings for name, settings in row.items() if name != "label"})
    if isinstance(row, list) and any(isinstance(one, Mapping) for one in row):
        return {path: ""} | _merge(_flat_row((*path, _label(one)), one) for one in row)
    return {path: ""}


def _label(row: Any) -> str:
    if isinstance(row, Mapping):
        return str(row["label"])
    if isinstance(row, list) and any(isinstance(one, Mapping) for one in row):
        return ", ".join(map(_label, row))
    return value_text(row)


def _flat(path: tuple[str, ...], value: Any) -> dict[tuple[str, ...], str]:
    if isinstance(value, Mapping):
        return {path: ""} | _merge(_flat((*path, key), inner) for key, inner in value.items())
    return {path: value_text(value)}


def _merge(parts: Iterable[dict[tuple[str, ...], str]]) -> dict[tuple[str, ...], str]:
    return {path: text for part in parts for path, text in part.items()}
