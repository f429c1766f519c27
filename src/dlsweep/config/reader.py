"""From YAML text, or from a Python mapping, to nodes: YAML 1.2 meaning, bounded work, no code run.

PyYAML yields events, and its C parser is quick. It constructs no object, so it runs no code. This module gives the
events their meaning, counts the values, and knows the line and column of each.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any

import numpy as np
import yaml

from dlsweep.config.document import Key, Node, Place, Reading, Refused
from dlsweep.text import NUMBER, plural, value_text

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_VALUES = 100_000  # an alias counts as all that it stands for
MAX_CHARACTERS = 5_000
MAX_DIGITS = 100

_LONGEST_PATH = 80

# Python's own YAML parser is the fallback: the same events, about ten times slower.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# The core schema of YAML 1.2, section 10.3.2.
_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **{f"{sign}.{word}": float(f"{sign}inf") for sign in ("", "+", "-") for word in ("inf", "Inf", "INF")},
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")

# What YAML 1.2 forbids, section 5.1, and the characters that reorder a text.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069\ufffe\uffff]")

_PLAIN_TAGS = {"!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"}


def read_yaml(data: bytes, file: str, *, lines: bool = True) -> Reading[Node | None]:
    """Read the one document of a YAML text, UTF-8; None if it cannot be read.

    file: as messages show it; lines: True if a place in it has a line and a column.
    """
    start = Place(file, 1, 1)
    try:
        if len(data) > MAX_BYTES:
            raise start.refused(f"a config has at most {MAX_BYTES:,} bytes, this one has more")
        text = data.decode("utf-8-sig")
        forbidden = list(_FORBIDDEN.finditer(text))
        for found in forbidden:
            place = Place(file, *_position(text, found.start()))
            reorders = "a character that reorders the text around it"
            why = (
                reorders if unicodedata.category(found[0]) == "Cf" else "a control character, which YAML does not allow"
            )
            yield place.mistake(f"{why}; take it out")
        if forbidden:
            return None
        return (yield from _Reader(file, lines, yaml.parse(text, Loader=_Loader)).document())
    except Refused as error:
        yield error.mistake
    except UnicodeDecodeError as error:
        place = Place(file, *_position(data[: error.start].decode(errors="replace"), None))
        yield place.mistake("not UTF-8; save the file as UTF-8")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else start
        yield place.mistake(_syntax_sentence(error, text, place))
    return None


def _syntax_sentence(error: yaml.MarkedYAMLError, text: str, place: Place) -> str:
    line = text.split("\n")[place.line - 1] if place.line <= text.count("\n") + 1 else ""
    if "\t" in line[: place.column]:
        return "a tab cannot indent YAML; use spaces"
    parts = [part for part in (error.context, error.problem) if part]
    return f"not valid YAML: {', '.join(parts)}; look for a missing colon, bracket, quote or indent"


def _position(text: str, at: int | None) -> tuple[int, int]:
    """Return the line and the column of a character of a text, or of its end."""
    before = text[:at]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


@dataclass
class _Reader:
    """Reads the events of a YAML text. anchors: None for a value that has not ended; values: their number so far."""

    file: str
    lines: bool
    events: Iterator[Any]
    anchors: dict[str, Node | None] = field(default_factory=dict)
    values: int = 0

    def document(self) -> Reading[Node]:
        """Read the one document."""
        root = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    told = "a second document starts here; a config is one document, without another ---"
                    raise self._place(event).refused(told)
                event = next(self.events)
                root = (yield from self._value(event, 0)) or Node({}, self._place(event))
        if root is None or root.value is None:
            raise Place(self.file, 1, 1).refused("the config is empty; a first line could be `data: mnist`")
        return root

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1) if self.lines else Place(self.file)

    def _value(self, event: Any, level: int) -> Reading[Node | None]:
        """Read the value that begins with an event, inside `level` lists and mappings; None if its tag is refused."""
        place = self._place(event)
        if isinstance(event, yaml.AliasEvent):
            return self._known(event.anchor or "", level, place)
        if event.anchor:
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            self._count(level, place)
            found = _scalar_node(event, place)
        else:
            self._count(level + 1, place)
            reading = self._mapping(level + 1) if isinstance(event, yaml.MappingStartEvent) else self._list(level + 1)
            found = Node((yield from reading), place)
        if event.anchor:
            self.anchors[event.anchor] = found
        if event.tag is None or event.tag in _PLAIN_TAGS:
            return found
        shown = event.tag.replace("tag:yaml.org,2002:", "!!")
        yield place.mistake(f"the tag {shown} is not allowed; a config holds plain values only")
        return None

    def _list(self, level: int) -> Reading[tuple[Node, ...]]:
        items = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append((yield from self._value(event, level)))
        return tuple(item for item in items if item is not None)

    def _mapping(self, level: int) -> Reading[dict[Key, Node]]:
        mapping: dict[Key, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            word = yield from self._value(event, level)
            value = yield from self._value(next(self.events), level)
            if word is None:
                continue
            key = Key(word.text, word.place)
            if not word.is_scalar:
                yield key.place.mistake(f"a key is a word, got {word}")
            elif key in mapping:
                first = next(known for known in mapping if known == key)
                yield key.place.mistake(f"the key {str(key)!r} is given twice, first on line {first.place.line}")
            elif key == "<<":
                yield key.place.mistake("merge keys (<<) are not part of YAML 1.2; write the keys out")
            elif value is not None:
                mapping[key] = value
        return mapping

    def _known(self, anchor: str, level: int, place: Place) -> Node:
        """Return the value that an alias stands for."""
        if anchor not in self.anchors:
            raise place.refused(f"*{anchor} stands for nothing: there is no &{anchor} before it")
        known = self.anchors[anchor]
        if known is None:
            raise place.refused(f"*{anchor} stands inside the value that it stands for")
        for depth, _ in known.walk():
            self._count(level + depth, place)
        return known

    def _count(self, depth: int, place: Place) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            raise place.refused(f"more than {plural(MAX_VALUES, 'value')}, an alias counted as all that it stands for")
        if depth > MAX_DEPTH:
            raise place.refused(f"nested more than {MAX_DEPTH} deep")


def _scalar_node(event: yaml.ScalarEvent, place: Place) -> Node:
    text = event.value
    if len(text) > MAX_CHARACTERS:
        raise place.refused(f"a text of {len(text):,} characters; at most {MAX_CHARACTERS:,} are read")
    plain = event.tag is None and event.implicit[0]
    return Node(_scalar(text, place) if plain else text, place, text)


def _scalar(text: str, place: Place) -> Any:
    """Return the value of a plain (unquoted) scalar: `1e-3` is a number, `off`, `no` and `12:30` are words."""
    if text in _WORDS:
        return _WORDS[text]
    is_integer = _INTEGER.fullmatch(text)
    if not (is_integer or NUMBER.fullmatch(text)):
        return text
    if len(text) > MAX_DIGITS:
        raise place.refused(f"a number of {plural(len(text), 'character')}; a number has at most {MAX_DIGITS}")
    return _int64(int(text, 0 if text[1:2] in ("o", "x") else 10), place) if is_integer else float(text)


def _int64(number: int, place: Place) -> int:
    if not -(2**63) <= number < 2**63:
        raise place.refused(f"{number} is too large for a whole number of 64 bits")
    return number


def read_mapping(mapping: Mapping[Any, Any]) -> Reading[Node | None]:
    """Read a config given as Python objects; the places are key paths such as "grid.init[1]"."""
    try:
        return _from_python(mapping, "", 0)
    except Refused as error:
        yield error.mistake
    return None


def tidy(value: np.floating[Any]) -> float:
    """Return a number of an array as a person would write it: without rounding noise, and with at most 12 digits.

    A longer one keeps four digits.

    >>> tidy(np.linspace(0.1, 0.5, 5)[2]), tidy(np.float32(0.1)), tidy(np.geomspace(0.1, 1, 3)[1])
    (0.3, 0.1, 0.3162)
    """
    shortest, near = float(str(value)), float(f"{value:.12g}")
    if not math.isfinite(shortest) or _digits(shortest) <= 12:
        return shortest
    return near if _digits(near) < 12 else float(f"{value:.4g}")


def _digits(number: float) -> int:
    """Return the number of significant digits."""
    return len(Decimal(repr(number)).normalize().as_tuple().digits)


def _from_python(value: Any, path: str, depth: int) -> Node:
    place = Place(path or "config")
    if depth > MAX_DEPTH:
        raise Place(path[:_LONGEST_PATH]).refused(f"nested more than {MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        inner = {key: f"{path}.{key}" if path else str(key) for key in value}
        return Node({Key(str(k), Place(at)): _from_python(value[k], at, depth + 1) for k, at in inner.items()}, place)
    if isinstance(value, np.ndarray) and value.ndim:
        value = list(value)
    if isinstance(value, (list, tuple, range)):
        return Node(tuple(_from_python(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(value)), place)
    if isinstance(value, (np.generic, np.ndarray)):  # a scalar
        value = tidy(value) if isinstance(value, np.floating) else value.item()
    if value is None or isinstance(value, (bool, str)):
        return Node(value, place, value_text(value))
    if isinstance(value, Integral):
        return Node(_int64(int(value), place), place, str(int(value)))
    if isinstance(value, Real):
        return Node(float(value), place, repr(float(value)))
    if isinstance(value, PurePath):
        return Node(str(value), place, str(value))
    raise place.refused(f"a config holds no {type(value).__name__}; use text, numbers, lists and mappings")
