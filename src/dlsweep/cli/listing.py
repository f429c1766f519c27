"""`dlsweep list`: the names that a config may use, with settings; `dlsweep schema`: the JSON Schema for editors."""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from typer import Argument

from dlsweep.cli.options import Json
from dlsweep.cli.terminal import print_json
from dlsweep.errors import UnknownName
from dlsweep.factors import BY_NAME
from dlsweep.registry import Entry, Registry
from dlsweep.settings import ItemsOf, Setting
from dlsweep.text import GAP, nearest, value_text

# Registries by the words of a config, then the layers of a list and the executors.
KINDS = (*BY_NAME, "layer", "plots", "executor")


def list_(
    kind: Annotated[str | None, Argument(metavar="KIND", help=f"One of: {', '.join(KINDS)}.")] = None,
    as_json: Json = False,
) -> None:
    """List the names that a config may use, with settings."""
    registries = {k: _registry(k) for k in ([kind] if kind else KINDS)}
    if as_json:
        print_json({k: [entry_data(r[name]) for name in r] for k, r in registries.items()})
    else:
        also = {"layer": ["  … and every activation and every normalization by its name"]}
        blocks = ["\n".join([k, *(entry_text(r[name]) for name in r), *also.get(k, [])]) for k, r in registries.items()]
        print("\n\n".join(blocks))


def _registry(kind: str) -> Registry:
    from dlsweep.config.words import registry
    from dlsweep.execution.executors import executors
    from dlsweep.nn import sequences  # noqa: F401  it registers kinds of layer
    from dlsweep.nn.layers import kinds

    if kind not in KINDS:
        raise UnknownName(f"there is no kind {kind!r}{nearest(kind, KINDS)}")
    others = {"layer": kinds, "executor": executors}
    return others[kind] if kind in others else registry(kind)


def schema() -> None:
    """Print the JSON Schema of a config."""
    from dlsweep.config.schema import schema

    print_json(schema())


def entry_text(entry: Entry) -> str:
    """Format a registered name with one line of help, and one line for each setting: allowed values and default."""
    lines = [f"{GAP}{entry.name}: {entry.summary}"]
    lines += [f"{GAP * 3}{s.name}: {kind(s.annotation)}, {default(s)}" for s in entry.settings.values()]
    return "\n".join(lines)


def entry_data(entry: Entry) -> dict[str, Any]:
    """Return a registered name, its help and its settings, for JSON."""
    settings = [
        {"name": s.name, "kind": kind(s.annotation), "required": s.required}
        | ({} if s.required else {"default": s.default})
        for s in entry.settings.values()
    ]
    return {"name": entry.name, "summary": entry.summary, "settings": settings}


def default(setting: Setting) -> str:
    """Return `default 0.9`, or `required`."""
    return "required" if setting.required else f"default {value_text(setting.default)}"


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
