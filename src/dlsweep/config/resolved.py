"""The normal form of a config: the same sweep with nothing left to defaults, as JSON can hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from dlsweep.config.checks.unused import idle_settings, stops_early
from dlsweep.config.grid import Grid
from dlsweep.config.levels import Level, SettingLevel
from dlsweep.config.sweep import Sweep
from dlsweep.config.words import OUTSIDE, TRAIN, Factor, data_files, entry, own_settings
from dlsweep.factors import STANDARD
from dlsweep.text import value_text


def resolve(sweep: Sweep) -> dict[str, Any]:
    """Return the normal form of a config."""
    evaluate = sweep.evaluate
    measured = vars(evaluate) | {"every": evaluate.every or None, "on": list(evaluate.on)}
    measured |= {"predictions": None if evaluate.predictions else False}
    resolved: dict[str, Any] = {"name": sweep.name} | ({"title": sweep.title} if sweep.title else {})
    for field in filter(sweep.task.concerns, OUTSIDE):
        resolved |= {field: _base_form(sweep, field)}
        resolved |= {"fingerprints": sweep.datasets.fingerprints()} if field == "data" else {}
    return {
        **resolved,
        "train": _effective(sweep, "train", _base_form(sweep, "train")["train"]),
        "evaluate": _effective(sweep, "evaluate", measured),
        "seeds": sweep.replicates.resolved(),
        "grid": [_grid_form(sweep, grid) for grid in sweep.grids],
        "exclude": [{factor: sorted(labels) for factor, labels in rule.items()} for rule in sweep.rules.exclude],
        "only": [{factor: sorted(labels) for factor, labels in rule.items()} for rule in sweep.rules.only],
    }


def _effective(sweep: Sweep, part: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a part of the config that say something and have an effect."""
    concerns = sweep.task.concerns
    return {name: v for name, v in settings.items() if v is not None and concerns(f"{part}.{name}")}


def _base_form(sweep: Sweep, field: str) -> dict[str, Any]:
    """A level outside the grid as `_level_form` has it, except for the settings that no arm takes from it."""
    level = sweep.base[field]
    idle = [*idle_settings(level, sweep.grids)]
    if field == "train" and not any(stops_early(level, grid) for grid in sweep.grids):
        idle += [name for name, setting in TRAIN.settings.items() if setting.needs]
    return _level_form(level, [Factor.of(f"{field}.{name}") for name in idle])


def _grid_form(sweep: Sweep, grid: Grid) -> dict[str, Any]:
    """A grid with every standard factor that the sweep has and every setting, but those that its dotted factors set."""
    dotted = [f for f in grid.factors if f.setting]

    def form(level: Level | SettingLevel) -> Any:
        if isinstance(level, SettingLevel):
            return level.value
        return _level_form(level, dotted) | {"label": sweep.labels[level]}

    resolved = {}
    for axis in grid.axes:
        rows = [[form(level) for level in point] for point in axis]
        resolved[", ".join(f.name for f in axis.factors)] = rows if len(axis.factors) > 1 else [row[0] for row in rows]
    there = {f.name for f in grid.factors}
    rest = (sweep.base[name] for name in STANDARD if name not in there)
    return resolved | {level.spec.field: [form(level)] for level in rest if level in sweep.labels}


def _level_form(level: Level, dotted: Sequence[Factor]) -> dict[str, Any]:
    """A level as `{name: settings}`, with all its settings, but those that a dotted factor sets."""
    own = [f for f in dotted if f.field == level.spec.field]
    told = (
        replace(choice, settings=entry(level.spec.field, choice.name).told(choice.settings)) for choice in level.choices
    )
    return {choice.name: own_settings(choice, own) for choice in told}


THEN_AND_NOW = ("there", "now", "gone", "new")
A_AND_B = ("in A", "in B", "only in A", "only in B")


def differences(
    then: Mapping[str, Any], now: Mapping[str, Any], words: tuple[str, str, str, str] = THEN_AND_NOW
) -> list[str]:
    """Return a sentence for each difference between two resolved configs.

    words: for a value in one and in the other, and for a key that the other or the first does not have.
    """
    there, here = _flat_config(then), _flat_config(now)
    sentences: dict[tuple[str, ...], str] = {}
    for path in [*there, *(path for path in here if path not in there)]:
        if any(path[:n] in sentences for n in range(len(path))):
            continue  # said of the whole
        if path[0] == "fingerprints" and not (path in there and path in here):
            continue  # said by the settings of the data
        shown = ".".join(path)
        if path not in here:
            sentences[path] = f"{shown}: {words[2]}"
        elif path not in there:
            sentences[path] = f"{shown}: {words[3]}" + (f", {here[path]}" if here[path] else "")
        elif there[path] != here[path]:
            sentences[path] = f"{shown}: {_whole(there, path)} {words[0]}, {_whole(here, path)} {words[1]}"
    return list(sentences.values())


def _whole(flat: Mapping[tuple[str, ...], str], path: tuple[str, ...]) -> str:
    """Return the text of a value of a flat config; a mapping is written with its parts."""
    parts = {own[-1]: text for own, text in flat.items() if own[:-1] == path}
    return flat[path] or f"{{{', '.join(f'{key}: {text}' for key, text in parts.items())}}}"


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
                    path = (key, factor) if len(value) == 1 else (key, str(i), factor)
                    found |= _flat(path, {_label(row): _content(row) for row in rows})
        elif key == "title":
            continue  # another title is not another question
        elif key == "evaluate":
            found |= _flat((key,), {name: one for name, one in value.items() if name != "predictions"})
        elif key in ("exclude", "only"):
            found |= {(key, value_text(rule)): "" for rule in value}
        else:
            found |= _flat((key,), _sorted(value) if key == "seeds" else value)
    files = data_files()
    return {path: text for path, text in found.items() if path[-2:] not in files}


def _sorted(seeds: Any) -> Any:
    if isinstance(seeds, Mapping):
        return {source: sorted(own) for source, own in seeds.items()}
    return sorted(seeds)


def _flat(path: tuple[str, ...], value: Any) -> dict[tuple[str, ...], str]:
    if not isinstance(value, Mapping):
        return {path: value_text(value)}
    parts = [_flat((*path, key), inner) for key, inner in value.items()]
    return {path: ""} | dict(chain.from_iterable(part.items() for part in parts))


def _content(row: Any) -> dict[str, Any]:
    """A level's settings; for factors that move together, several levels with theirs."""
    if isinstance(row, Mapping):
        return {name: settings for name, settings in row.items() if name != "label"}
    return {_label(one): _content(one) for one in row} if _is_row(row) else {}


def _label(row: Any) -> str:
    if isinstance(row, Mapping):
        return str(row["label"])
    return ", ".join(map(_label, row)) if _is_row(row) else value_text(row)


def _is_row(row: Any) -> bool:
    """Return True for levels of factors that move together; a list of values is one level."""
    return isinstance(row, list) and any(isinstance(one, Mapping) for one in row)
