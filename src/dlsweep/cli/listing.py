"""`dlsweep list`: the names that a config may use, with settings; `dlsweep schema`: the JSON Schema for editors."""

from __future__ import annotations

import inspect
import re
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from typer import Argument

from dlsweep.cli.options import Json
from dlsweep.cli.terminal import print_json
from dlsweep.errors import UnknownName
from dlsweep.factors import BY_NAME
from dlsweep.marks import ItemsOf
from dlsweep.registry import Entry, Registry
from dlsweep.tabular import GAP
from dlsweep.text import did_you_mean, similar, value_text

# Registries by the words of a config, then the layers of a list and the executors.
KINDS = (*BY_NAME, "layer", "plots", "executor")


def list_(
    word: Annotated[str | None, Argument(metavar="KIND|NAME", help=f"A name, or one of: {', '.join(KINDS)}.")] = None,
    as_json: Json = False,
) -> None:
    """List the names that a config may use, with settings: all, those of one kind, or one name."""
    from dlsweep.plots.options import EVERY_PLOT

    found = _find(word)
    if as_json:
        print_json({kind: [entry_data(entry) for entry in entries] for kind, entries in found.items()})
        return
    also = {"plots": [entry_text(EVERY_PLOT)]}
    if word in ("layer", None):
        also["layer"] = [f"{GAP}… and every activation and every normalization by its name"]
    blocks = [[kind, *map(entry_text, entries), *also.get(kind, ())] for kind, entries in found.items()]
    print("\n\n".join(map("\n".join, blocks)))


def _find(word: str | None) -> dict[str, list[Entry]]:
    """Return the entries of all kinds, of the kind that a word means in singular or plural, or with this name."""
    every = {kind: [registry[name] for name in registry] for kind in KINDS for registry in [_registry(kind)]}
    if word is None:
        return every
    kinds = {f"{name.removesuffix('s')}{end}": k for k in KINDS for name in (k, _registry(k).kind) for end in ("", "s")}
    if word in kinds:
        return {kinds[word]: every[kinds[word]]}
    found = {kind: [entry for entry in entries if entry.name == word] for kind, entries in every.items()}
    if not any(found.values()):
        names = (entry.name for entries in every.values() for entry in entries)
        hint = did_you_mean(similar(word, [*kinds, *names]))
        raise UnknownName(f"there is no kind and no name {word!r}{hint} (kinds: {', '.join(KINDS)})")
    return {kind: entries for kind, entries in found.items() if entries}


def _registry(kind: str) -> Registry:
    from dlsweep.config.words import registry
    from dlsweep.execution.executors import executors
    from dlsweep.nn import sequences  # noqa: F401  it registers kinds of layer
    from dlsweep.nn.layers import kinds

    others = {"layer": kinds, "executor": executors}
    return others[kind] if kind in others else registry(kind)


def schema() -> None:
    """Print the JSON Schema of a config."""
    from dlsweep.config.schema import schema

    print_json(schema())


def entry_text(entry: Entry) -> str:
    """Format a registered name with one line of help, and each setting: allowed values, default and description."""
    lines = [f"{GAP}{entry.name}: {entry.summary}"]
    described = descriptions(entry)
    for setting in entry.settings.values():
        if setting.name in entry.shared:
            continue
        default = "required" if setting.required else f"default {value_text(setting.default)}"
        lines.append(f"{GAP * 3}{setting.name}: {kind(setting.annotation)}, {default}")
        if setting.name in described:
            lines.append(f"{GAP * 5}{described[setting.name]}")
    return "\n".join(lines)


def entry_data(entry: Entry) -> dict[str, Any]:
    """Return a registered name, its help and its settings, for JSON."""
    from dlsweep.plots.options import EVERY_PLOT

    described = descriptions(entry) | (descriptions(EVERY_PLOT) if entry.shared else {})
    settings = [
        {"name": s.name, "kind": kind(s.annotation), "required": s.required}
        | ({} if s.required else {"default": s.default})
        | ({"description": described[s.name]} if s.name in described else {})
        for s in entry.settings.values()
    ]
    return {"name": entry.name, "summary": entry.summary, "settings": settings}


def descriptions(entry: Entry) -> dict[str, str]:
    """Return the descriptions of settings from a docstring, as in `jobs: workers, by default one for every core.`"""
    text = (inspect.getdoc(entry.function) or "").partition(">>>")[0]
    name = f"(?:{'|'.join(map(re.escape, entry.settings))})"
    described: dict[str, str] = {}
    for paragraph in text.split("\n\n") if entry.settings else ():
        _, *pieces = re.split(rf"(?:^|(?<=[.;] ))({name}(?:, {name})*): ", " ".join(paragraph.split()))
        for names, told in zip(pieces[::2], pieces[1::2]):
            first = re.split(r"(?<=\.) (?=[A-Z])", told)[0].rstrip(".; ")
            described |= dict.fromkeys(names.split(", "), first)
    return described


def kind(annotation: Any) -> str:
    """Format an annotation as allowed values: `number > 0`, `integer >= 1`, `before | after`, `list of number`."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        named = next((mark.names.kind for mark in args[1:] if isinstance(mark, ItemsOf)), None)
        if named:
            return f"list of {named}s"
        return " and ".join([kind(args[0]), *filter(None, map(_bound, args[1:]))]).replace(" and ", " ", 1)
    if origin is Literal:
        return " | ".join(map(value_text, args))
    if origin in (Union, types.UnionType):
        return " | ".join(map(kind, args))
    if origin in (list, tuple):
        return f"list of {kind(args[0])}"
    if origin is dict:
        return f"mapping to {kind(args[1])}"
    names = {float: "number", int: "integer", bool: "true | false", str: "text", type(None): "null"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)).lower())


def _bound(constraint: Any) -> str:
    for attribute, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<=")):
        if hasattr(constraint, attribute):
            return f"{sign} {getattr(constraint, attribute)}"
    return ""
