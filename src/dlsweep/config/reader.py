"""From YAML text, or from a Python mapping, to nodes: YAML 1.2 meaning, bounded work, no code run.

PyYAML gives the events (its C parser is quick, and safe while nothing is constructed); their meaning is decided here.
Building from events keeps no call stack, counts as it goes, and knows the line and column of every value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any

import yaml

from dlsweep.config.document import Key, Node, Place, Reading
from dlsweep.errors import Mistake
from dlsweep.settings import NUMBER
from dlsweep.text import plural, value_text

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_VALUES = 100_000  # an alias counts as all that it stands for
MAX_CHARACTERS = 5_000
MAX_DIGITS = 100

_LONGEST_PATH = 80

# Python's own YAML parser is the fallback: the same events, about ten times slower.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# The core schema of YAML 1.2, section 10.3.2.
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_INFINITY = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NAN = {".nan", ".NaN", ".NAN"}

_PLAIN_TAGS = {"!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"}


class _Unreadable(Exception):
    """Something after which there is no sense in reading on."""

    def __init__(self, place: Place, sentence: str):
        super().__init__(sentence)
        self.mistake = place.mistake(sentence)


def read_yaml(data: bytes, file: str) -> Reading[Node | None]:
    """Read the one document of a YAML text, UTF-8; None if it cannot be read. file: as messages show it."""
    builder = _Builder(file)
    node = None
    try:
        node = _build(builder, data)
    except _Unreadable as error:
        builder.mistakes.append(error.mistake)
    yield from builder.mistakes
    return node


def _build(builder: _Builder, data: bytes) -> Node:
    start = Place(builder.file, 1, 1)
    if len(data) > MAX_BYTES:
        raise _Unreadable(start, f"a config has at most {MAX_BYTES:,} bytes, this one has more")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place_of_byte(data, error.start, builder.file)
        raise _Unreadable(place, "not UTF-8; save the file as UTF-8") from None
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
        return builder.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(builder.file, mark.line + 1, mark.column + 1) if mark else start
        raise _Unreadable(place, _syntax_sentence(error, text, place)) from None
    except yaml.reader.ReaderError as error:
        place = _place_of_byte(text.encode(), error.position, builder.file)
        raise _Unreadable(place, "a control character, which YAML does not allow; take it out") from None


def _syntax_sentence(error: yaml.MarkedYAMLError, text: str, place: Place) -> str:
    line = text.split("\n")[place.line - 1] if place.line <= text.count("\n") + 1 else ""
    if "\t" in line[: place.column]:
        return "a tab cannot indent YAML; use spaces"
    parts = [part for part in (error.context, error.problem) if part]
    return f"not valid YAML: {', '.join(parts)}; look for a missing colon, bracket, quote or indent"


def _place_of_byte(data: bytes, position: int, file: str) -> Place:
    before = data[:position]
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    return Place(file, before.count(b"\n") + 1, column)


@dataclass
class _Open:
    """A list or a mapping whose end has not come yet."""

    place: Place
    anchor: str | None
    is_mapping: bool
    started: int  # values before it
    items: list[Node] = field(default_factory=list)
    mapping: dict[Key, Node] = field(default_factory=dict)
    key: Key | None = None
    key_refused: bool = False
    depth: int = 1  # 1 for a list of scalars
    refused: bool = False  # it has a tag: its content is read, and forgotten

    def add(self, node: Node, depth: int, refused: bool) -> Iterator[Mistake]:
        """Take the next finished value: an item, a key, or the value of the current key."""
        self.depth = max(self.depth, depth + 1)
        if not self.is_mapping:
            self.items += [] if refused else [node]
        elif self.key is None:
            self.key = Key(node.text, node.place)
            self.key_refused = refused or not node.is_scalar
            if not node.is_scalar:
                yield node.place.mistake(f"a key is a word, got {node}")
        else:
            if self.key in self.mapping:
                first = next(key for key in self.mapping if key == self.key)
                told = f"the key {str(self.key)!r} is given twice, first on line {first.place.line}"
                yield self.key.place.mistake(told)
            elif self.key == "<<":
                yield self.key.place.mistake("merge keys (<<) are not part of YAML 1.2; write the keys out")
            elif not refused and not self.key_refused:
                self.mapping[self.key] = node
            self.key = None

    def node(self) -> Node:
        return Node(self.mapping if self.is_mapping else tuple(self.items), self.place)


@dataclass
class _Builder:
    """Takes parse events one by one and has the document's node at the end."""

    file: str
    mistakes: list[Mistake] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Node, int, int] | None] = field(
        default_factory=dict
    )  # node, values, depth; None while open
    root: Node | None = None
    documents: int = 0
    values: int = 0

    def take(self, event: Any) -> None:
        place = Place(self.file, event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.ScalarEvent):
            refused = self._refuses(event.tag, place)
            self._count(1, 0, place)
            if len(event.value) > MAX_CHARACTERS:
                raise _Unreadable(
                    place, f"a text of {len(event.value):,} characters; at most {MAX_CHARACTERS:,} are read"
                )
            plain = event.tag is None and event.implicit[0]
            node = Node(_scalar(event.value, place) if plain else event.value, place, event.value)
            self._finish(node, event.anchor, 1, 0, refused)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            opened = _Open(place, event.anchor, isinstance(event, yaml.MappingStartEvent), self.values)
            opened.refused = self._refuses(event.tag, place)
            if event.anchor:
                self.anchors[event.anchor] = None
            self.open.append(opened)
            self._count(1, 0, place)
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            done = self.open.pop()
            self._finish(done.node(), done.anchor, self.values - done.started, done.depth, done.refused)
        elif isinstance(event, yaml.AliasEvent):
            node, values, depth = self._known(event.anchor or "", place)
            self._count(values, depth, place)
            self._finish(node, None, values, depth, refused=False)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise _Unreadable(place, "a second document starts here; a config is one document, without another ---")

    def document(self) -> Node:
        if self.root is None or self.root.value is None:
            raise _Unreadable(Place(self.file, 1, 1), "the config is empty; a first line could be `data: mnist`")
        return self.root

    def _finish(self, node: Node, anchor: str | None, values: int, depth: int, refused: bool) -> None:
        if anchor:
            self.anchors[anchor] = (node, values, depth)
        if self.open:
            self.mistakes += self.open[-1].add(node, depth, refused)
        else:
            self.root = node

    def _known(self, anchor: str, place: Place) -> tuple[Node, int, int]:
        if anchor not in self.anchors:
            raise _Unreadable(place, f"*{anchor} stands for nothing: there is no &{anchor} before it")
        known = self.anchors[anchor]
        if known is None:
            raise _Unreadable(place, f"*{anchor} stands inside the value that it stands for")
        return known

    def _count(self, values: int, depth: int, place: Place) -> None:
        self.values += values
        if self.values > MAX_VALUES:
            raise _Unreadable(
                place, f"more than {plural(MAX_VALUES, 'value')}, an alias counted as all that it stands for"
            )
        if len(self.open) + depth > MAX_DEPTH:
            raise _Unreadable(place, f"nested more than {MAX_DEPTH} deep")

    def _refuses(self, tag: str | None, place: Place) -> bool:
        if tag is None or tag in _PLAIN_TAGS:
            return False
        shown = tag.replace("tag:yaml.org,2002:", "!!")
        self.mistakes.append(place.mistake(f"the tag {shown} is not allowed; a config holds plain values only"))
        return True


def _scalar(text: str, place: Place) -> Any:
    """Return the value of a plain (unquoted) scalar: `1e-3` is a number, `off`, `no` and `12:30` are words."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text in _NAN:
        return float("nan")
    if _INFINITY.fullmatch(text):
        return float("-inf" if text.startswith("-") else "inf")
    if not NUMBER.fullmatch(text) and not _OCTAL.fullmatch(text) and not _HEXADECIMAL.fullmatch(text):
        return text
    if len(text) > MAX_DIGITS:
        raise _Unreadable(place, f"a number of {plural(len(text), 'character')}; a number has at most {MAX_DIGITS}")
    if _INT.fullmatch(text):
        return _int64(int(text), place)
    if text[1:2] in ("o", "x"):
        return _int64(int(text, 0), place)
    return float(text)


def _int64(number: int, place: Place) -> int:
    if not -(2**63) <= number < 2**63:
        raise _Unreadable(place, f"{number} is too large for a whole number of 64 bits")
    return number


def read_mapping(mapping: Mapping[Any, Any]) -> Reading[Node | None]:
    """Read a config given as Python objects; the places are key paths such as "grid.init[1]"."""
    try:
        return _from_python(mapping, "", 0)
    except _Unreadable as error:
        yield error.mistake
    return None


def _from_python(value: Any, path: str, depth: int) -> Node:
    place = Place(path or "config")
    if depth > MAX_DEPTH:
        raise _Unreadable(Place(path[:_LONGEST_PATH]), f"nested more than {MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        return Node(dict(_entries(value, path, depth)), place)
    if isinstance(value, (list, tuple, range)):
        return Node(tuple(_from_python(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(value)), place)
    if value is None or isinstance(value, (bool, str)):
        return Node(value, place, value_text(value))
    if isinstance(value, Integral):
        return Node(_int64(int(value), place), place, str(int(value)))
    if isinstance(value, Real):
        return Node(float(value), place, repr(float(value)))
    if isinstance(value, PurePath):
        return Node(str(value), place, str(value))
    raise _Unreadable(place, f"a config holds no {type(value).__name__}; use text, numbers, lists and mappings")


def _entries(mapping: Mapping[Any, Any], path: str, depth: int) -> Iterator[tuple[Key, Node]]:
    for key, value in mapping.items():
        inner = f"{path}.{key}" if path else str(key)
        yield Key(str(key), Place(inner)), _from_python(value, inner, depth + 1)
