"""JSON Schema of the config language, made from the registries, so that an editor completes names and settings.

It describes the form of a file; `load` also checks the rest: a minibatch larger than the data, a level given twice.
"""

from __future__ import annotations

from typing import Any

from dlsweep.config.basics import LONGEST_NAME
from dlsweep.config.levels import LONGEST_LABEL
from dlsweep.config.words import CHOSEN, EVALUATE, FIELDS, TRAIN, entries, registry
from dlsweep.factors import BY_NAME
from dlsweep.registry import Entry
from dlsweep.types import name_of

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> Schema:
    """The JSON Schema (draft 2020-12) of a config, with every name that is registered now."""
    plots = [registry("plots")[name] for name in registry("plots")]
    return {
        "$schema": _DIALECT,
        "title": "dlsweep config",
        "description": "A comparison of neural networks: a grid of factors, trained with paired seeds.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "name": {
                "description": "Name of the sweep and of its folder of results; the file's name, if not given.",
                "type": "string",
                "minLength": 1,
                "maxLength": LONGEST_NAME,
                "pattern": r"^[^\s._\-/\\][^/\\:*?\"<>|]*$",
            },
            "data": {"description": "The data set.", "$ref": "#/$defs/data/single"},
            "model": {"description": "The network.", "$ref": "#/$defs/model/single"},
            "train": {**_settings(TRAIN, expand=False), "not": {"required": ["iterations", "epochs"]}},
            "evaluate": _settings(EVALUATE, expand=False),
            "seeds": _SEEDS,
            "grid": {
                "description": "Factors and their levels, where a list is several; or a list of grids, their union.",
                "anyOf": [_GRID, {"type": "array", "items": _GRID, "minItems": 1}],
            },
            "exclude": {"description": "Arms to leave out.", **_RULES},
            "only": {"description": "Arms to keep; all others are left out.", **_RULES},
            "plots": {
                "description": "The figures to draw.",
                "type": "array",
                "items": {"anyOf": _levels(plots, expand=False)},
            },
        },
        "$defs": {
            "grid": _grid(),
            "partialArm": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {"anyOf": [_SCALAR, {"type": "array", "minItems": 1}]},
            },
            **{field: _field(field) for field in CHOSEN},
        },
    }


_SEEDS = {
    "description": "Number of replicates, with the seeds 0, 1, 2, …; or the list of their seeds.",
    "default": 5,
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "uniqueItems": True},
    ],
}
_GRID = {"$ref": "#/$defs/grid"}
_RULES = {"type": "array", "items": {"$ref": "#/$defs/partialArm"}}
_SCALAR = {"type": ["string", "number", "boolean", "null"]}


def _grid() -> Schema:
    """Any factor as a key; factors that move together as one key with commas."""
    dotted = {name: {"anyOf": alternatives} for field in FIELDS for name, alternatives in _dotted(field).items()}
    moving = r"^\s*[a-z_.0-9]+\s*(,\s*[a-z_.0-9]+\s*)+$"
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {**{field: {"$ref": f"#/$defs/{field}/several"} for field in CHOSEN}, **dotted},
        "patternProperties": {
            moving: {"type": "array", "minItems": 1, "items": {"type": "array", "minItems": 2}},
        },
    }


def _dotted(field: str) -> dict[str, list[Schema]]:
    """The dotted factors of a field, each with what its values may be."""
    found: dict[str, list[Schema]] = {}
    for entry in entries(field):
        for name in entry.settings:
            value = _setting(entry, name, expand=True)
            for factor in {
                f"{field}.{name}",
                f"{field}.{entry.name}.{name}" if field != "train" else f"{field}.{name}",
            }:
                if value not in found.setdefault(factor, []):
                    found[factor].append(value)
    return found


def _field(field: str) -> Schema:
    """The levels of a field: a single one as written outside the grid, and one or several in it."""
    one = f"#/$defs/{field}/level"
    return {
        "level": {"anyOf": _levels(entries(field), expand=True, combined=BY_NAME[field].combines)},
        "several": {"anyOf": [{"$ref": one}, {"type": "array", "items": {"$ref": one}, "minItems": 1}]},
        **({} if not BY_NAME[field].outside else {"single": {"anyOf": _levels(entries(field), expand=False)}}),
    }


def _levels(choices: list[Entry], *, expand: bool, combined: bool = False) -> list[Schema]:
    """A level: a name, or a mapping from a name to settings; in a grid (expand) with a label if one likes."""
    text = {"type": "string", "minLength": 1, "maxLength": LONGEST_LABEL, "description": "What to call this level."}
    label: Schema = {"label": text} if expand else {}
    names = [
        {"const": e.name, "description": e.summary} for e in choices if not any(s.required for s in e.settings.values())
    ]
    mappings = {
        e.name: {
            "anyOf": [
                _settings(e, expand=expand),
                {"type": "null"},
                *([_setting(e, e.short, expand=expand)] if e.short else []),
            ]
        }
        for e in choices
    }
    if combined:
        several = {"type": "object", "properties": {**mappings, **label}, "additionalProperties": False}
        return [*names, {**several, "minProperties": 1}]
    return [
        *names,
        *(
            {
                "type": "object",
                "properties": {name: settings, **label},
                "required": [name],
                "additionalProperties": False,
            }
            for name, settings in mappings.items()
        ),
    ]


def _settings(entry: Entry, *, expand: bool) -> Schema:
    return {
        "type": "object",
        "description": entry.summary,
        "additionalProperties": False,
        "properties": {name: _setting(entry, name, expand=expand) for name in entry.settings},
        "required": [name for name, setting in entry.settings.items() if setting.required],
    }


def _setting(entry: Entry, name: str, *, expand: bool) -> Schema:
    """A setting's value, or where lists expand also a list of values."""
    setting = entry.settings[name]
    if setting.is_file:
        value: Schema = {"type": "string", "minLength": 1, "description": "A file, relative to the config's."}
    else:
        value = dict(setting.adapter.json_schema())
        if not setting.required:
            value["default"] = setting.default
        if setting.items is not None:
            value["items"] = {"anyOf": _levels([setting.items[name] for name in setting.items], expand=False)}
    mark = name_of(setting.annotation)
    if mark and mark.kind == "factor" and mark.also:
        value["description"] = "A factor of the grid, or split."
    if not expand:
        return value
    default = {"default": value.pop("default")} if "default" in value else {}
    return {**default, "anyOf": [value, {"type": "array", "items": value, "minItems": 1}]}
