"""JSON Schema of the config language, made from the registries, so that an editor completes names and settings.

It describes the form of a file; `load` also checks the rest: a minibatch larger than the data, a level given twice.
"""

from __future__ import annotations

from typing import Any

from dlsweep.config.basics import LONGEST_NAME, LONGEST_TITLE
from dlsweep.config.claims import CLAIM, LONGEST_CLAIM, PARTS, RELATIONS
from dlsweep.config.levels import LONGEST_LABEL
from dlsweep.config.ranges import DRAWN, RANGES
from dlsweep.config.words import CHOSEN, FIELDS, SECTIONS, Factor, dotted_names, entries
from dlsweep.factors import BY_NAME
from dlsweep.randomness import SOURCES
from dlsweep.registry import Entry
from dlsweep.types import name_of

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> Schema:
    """The JSON Schema (draft 2020-12) of a config, with every name that is registered now."""
    return {
        "$schema": _DIALECT,
        "title": "dlsweep config",
        "description": "A comparison of neural networks: a grid of factors, trained with paired seeds.",
        "type": "object",
        "additionalProperties": False,
        "properties": _properties(),
        "$defs": {
            "grid": _grid(),
            "range": _ranges(),
            "partialArm": _PARTIAL_ARM,
            **{field: _field(field) for field in CHOSEN},
        },
    }


def _properties() -> Schema:
    """The keys of a config."""
    sections = {name: _settings(section, expand=False) for name, section in SECTIONS.items()}
    sections["train"] |= {"not": {"required": ["iterations", "epochs"]}}
    return {
        "name": {
            "description": "Name of the sweep and of its folder of results; the file's name, if not given.",
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST_NAME,
            "pattern": r"^[^\s._\-/\\][^/\\:*?\"<>|]*$",
        },
        "title": {
            "description": "Title of its figures; by default the question in the opening comment; null for none.",
            "type": ["string", "number", "boolean", "null"],
            "minLength": 1,
            "maxLength": LONGEST_TITLE,
        },
        "data": {"description": "The data set.", "$ref": "#/$defs/data/single"},
        "model": {"description": "The network.", "$ref": "#/$defs/model/single"},
        **sections,
        "seeds": _SEEDS,
        "grid": {
            "description": "Factors and their levels, where a list is several; or a list of grids, their union.",
            "anyOf": [_GRID, _list(_GRID, minItems=1)],
        },
        "exclude": {"description": "Arms to leave out.", **_RULES},
        "only": {"description": "Arms to keep; all others are left out.", **_RULES},
        "plots": _list({"anyOf": _levels(entries("plots"), expand=False)}, description="The figures to draw."),
        "claims": _list(_named_claim(), description="Sentences that the results support or refute."),
    }


_DRAWN = "[lowest, highest] of a setting in tune.over, with tune.random the number of draws."
_NUMBERS: list[Schema] = [
    {"type": "integer", "minimum": 1},
    {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "uniqueItems": True},
]
_SEEDS = {
    "description": "Number of replicates, with the seeds 0, 1, 2, …; or the list of their seeds; or such seeds for "
    "each of several sources of chance, in all combinations.",
    "default": 5,
    "anyOf": [
        *_NUMBERS,
        {
            "type": "object",
            "properties": {source: {"anyOf": _NUMBERS} for source in SOURCES},
            "additionalProperties": False,
            "minProperties": 1,
        },
    ],
}
_GRID = {"$ref": "#/$defs/grid"}
_RULES = {"type": "array", "items": {"$ref": "#/$defs/partialArm"}}
_SCALAR = {"type": ["string", "number", "boolean", "null"]}
_PARTIAL_ARM = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {"anyOf": [_SCALAR, {"type": "array", "minItems": 1}]},
}


def _named_claim() -> Schema:
    """A name with one relation."""
    settings = _settings(CLAIM, expand=False)["properties"]
    settings |= {key: {"$ref": "#/$defs/partialArm"} for key in PARTS}
    settings["order"]["items"] = {"$ref": "#/$defs/partialArm"}
    forms = [
        _object({k: settings[k] for k in form.settings}, description=form.meaning, required=list(form.required))
        for form in RELATIONS.values()
    ]
    name = {"minLength": 1, "maxLength": LONGEST_CLAIM}
    return {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "propertyNames": name,
        "additionalProperties": {"anyOf": forms},
    }


def _object(properties: Schema, **further: Any) -> Schema:
    """A mapping with these keys and no others."""
    return {"type": "object", "properties": properties, "additionalProperties": False, **further}


def _list(items: Schema, **further: Any) -> Schema:
    return {"type": "array", "items": items, **further}


def _grid() -> Schema:
    """Any factor as a key; factors that move together as one key with commas."""
    dotted = {name: {"anyOf": _dotted(Factor.of(name))} for field in FIELDS for name in dotted_names(field)}
    moving = r"^\s*[a-z_.0-9]+\s*(,\s*[a-z_.0-9]+\s*)+$"
    rows = _list({"type": "array", "minItems": 2}, minItems=1)
    fields = {field: {"$ref": f"#/$defs/{field}/several"} for field in CHOSEN}
    return _object({**fields, **dotted}, patternProperties={moving: rows})


def _dotted(factor: Factor) -> list[Schema]:
    """The values that a dotted factor can have, each once."""
    found: list[Schema] = []
    for owner in factor.owners(entries(factor.field)):
        value = _setting(owner, factor.setting, expand=True)
        found += [value] if value not in found else []
    return found


def _field(field: str) -> Schema:
    """The levels of a field: a single one as written outside the grid, and one or several in it."""
    one = f"#/$defs/{field}/level"
    return {
        "level": {"anyOf": _levels(entries(field), expand=True, combined=BY_NAME[field].combines)},
        "several": {"anyOf": [{"$ref": one}, _list({"$ref": one}, minItems=1)]},
        **({} if not BY_NAME[field].outside else {"single": {"anyOf": _levels(entries(field), expand=False)}}),
    }


def _levels(choices: list[Entry], *, expand: bool, combined: bool = False) -> list[Schema]:
    """A level: a name, or a mapping from a name to settings; in a grid (expand) with a label if one likes."""
    text = {"type": "string", "minLength": 1, "maxLength": LONGEST_LABEL, "description": "What to call this level."}
    label: Schema = {"label": text} if expand else {}
    free = [entry for entry in choices if not any(setting.required for setting in entry.settings.values())]
    names: list[Schema] = [{"const": entry.name, "description": entry.summary} for entry in free]
    mappings: dict[str, Schema] = {}
    for entry in choices:
        short = [_setting(entry, entry.short, expand=expand)] if entry.short else []
        mappings[entry.name] = {"anyOf": [_settings(entry, expand=expand), {"type": "null"}, *short]}
    if combined:
        return [*names, _object({**mappings, **label}, minProperties=1)]
    return names + [_object({name: settings, **label}, required=[name]) for name, settings in mappings.items()]


def _settings(entry: Entry, *, expand: bool) -> Schema:
    properties = {name: _setting(entry, name, expand=expand) for name in entry.settings}
    required = [name for name, setting in entry.settings.items() if setting.required]
    return _object(properties, description=entry.summary, required=required)


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
    one = [value, {"$ref": "#/$defs/range"}] if setting.number else [value]
    item = {"anyOf": one} if setting.number else value
    return {**default, "anyOf": [*one, _list(item, minItems=1)]}


def _ranges() -> Schema:
    """Levels of a number by a range."""
    numbers = {"type": "array", "items": {"type": "number"}, "maxItems": 3}
    forms = [
        _object({word: {**numbers, "minItems": 2 if word == "range" else 3, "description": meaning}}, required=[word])
        for word, (meaning, _) in RANGES.items()
    ]
    ends = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2, "description": _DRAWN}
    forms += [_object({word: ends}, required=[word]) for word in DRAWN]
    return {"anyOf": forms}
