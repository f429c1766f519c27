"""What commands print: aligned tables, registered names with their settings, messages."""

from __future__ import annotations

import sys
import types
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from dlsweep.config.nodes import plural, value_text
from dlsweep.registry import Entry, ItemsOf, Setting

if TYPE_CHECKING:
    from dlsweep.running.forecast import Forecast

GAP = "  "


def table(header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool] = ()) -> str:
    """Columns of text, aligned as a terminal shows them: text to the left, numbers to the right."""
    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    numeric = numeric or [False] * len(widths)
    lines = []
    for row in cells:
        padded = [
            " " * (width - _width(cell)) + cell if right else cell + " " * (width - _width(cell))
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append(GAP.join(padded).rstrip())
    return "\n".join(lines)


def printable(text: str) -> str:
    """The text without characters that would steer a terminal: a label comes from a file of anybody's."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def say(text: str) -> None:
    """Print a message to stderr."""
    print("\n".join(map(printable, text.splitlines())), file=sys.stderr, flush=True)


def _width(text: str) -> int:
    """Columns that the text takes on a terminal: East Asian wide characters take two, combining marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def number(value: float, digits: int = 4) -> str:
    """A metric as a table shows it, one that is nearly 0 by its power of ten; a dash where there is none."""
    if value != value:
        return "–"
    return f"{value:.{digits}f}" if value == 0 or abs(value) >= 10 ** (1 - digits) else f"{value:.1e}"


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(n: float) -> str:
    """`512 B`, `1.5 MB`: a number of bytes."""
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.0f} B" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} TB"


def entry_text(entry: Entry) -> str:
    """A registered name with one line of help, and a line per setting: what it may be and its default."""
    lines = [f"{GAP}{entry.name}: {entry.summary}"]
    lines += [f"{GAP * 3}{s.name}: {kind(s.annotation)}, {default(s)}" for s in entry.settings.values()]
    return "\n".join(lines)


def entry_data(entry: Entry) -> dict[str, Any]:
    """The same as values for JSON."""
    settings = [
        {"name": s.name, "kind": kind(s.annotation), "required": s.required}
        | ({} if s.required else {"default": s.default})
        for s in entry.settings.values()
    ]
    return {"name": entry.name, "summary": entry.summary, "settings": settings}


def default(setting: Setting) -> str:
    """`default 0.9`, or `required`."""
    return "required" if setting.required else f"default {value_text(setting.default)}"


def kind(annotation: Any) -> str:
    """What a setting may be, from its annotation: `number > 0`, `integer >= 1`, `before | after`, `list of number`."""
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


def forecast_text(name: str, told: Forecast, verbose: bool = False) -> str:
    """What a dry run found, for a person."""
    missing = told.runs - told.done
    runs, stacks = plural(told.runs, "run"), plural(len(told.cohorts), "stack")
    lines = [f"{name}: {runs} in {stacks}, {told.done} done, {missing} to train"]
    factors = list(dict.fromkeys(factor for c in told.cohorts for factor in c.levels))
    rows = [
        [
            *(_several(c.levels.get(factor, [])) for factor in factors),
            *map(str, (c.arms, c.runs, c.missing, c.parameters)),
        ]
        for c in told.cohorts
    ]
    header = [*factors, "arms", "runs", "to train", "parameters"]
    lines += ["", table(header, rows, [False] * len(factors) + [True] * 4)]
    if told.folded:
        shown = told.folded if verbose else told.folded[:5]
        lines += ["", f"{plural(len(told.folded), 'arm')} folded, because another trains the same network:"]
        lines += [f"  {printable(arm)} = {printable(kept)}" for arm, kept in shown]
        lines += [f"  … and {len(told.folded) - len(shown)} more (-v shows all)"] * (len(shown) < len(told.folded))
    if missing:
        cost = f"about {duration(told.seconds)} with {plural(told.workers, 'worker')}"
        lines += ["", f"{cost}, up to {size(told.memory)} of memory each, {size(told.disk)} on disk"]
    return "\n".join(lines)


def _several(labels: Sequence[str]) -> str:
    """The labels that a stack holds of a factor; it holds all where none is named."""
    return (" | ".join(labels[:3]) + " | …" * (len(labels) > 3)) or "all"
