"""Config values that know where they stand, and readings of them: generators of mistakes that return a value.

Reading goes on after a mistake, so that a person sees all of them at once: `level = yield from read_level(…)`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from dlsweep.config.draws import Draw
from dlsweep.errors import ConfigError, Mistake

COMMAND_LINE = "command line"
STANDARD_INPUT = "standard input"
STDIN = Path("-")  # stands for it

MOST_MISTAKES = 100  # shown at once
_LONGEST_SHOWN = 40

P = ParamSpec("P")
T = TypeVar("T")
Reading = Generator[Mistake, None, T]


class Place(NamedTuple):
    """A file with line and column from 1; or "command line" or a key path ("grid.init"), which have no lines."""

    file: str
    line: int = 0
    column: int = 0

    def mistake(self, sentence: str) -> Mistake:
        """Return a mistake that stands here."""
        return Mistake(*self, sentence)

    def refused(self, sentence: str) -> Refused:
        """Return the same as an exception: it ends the reading that it stands in."""
        return Refused(self.mistake(sentence))


class Refused(Exception):
    """Mistake after which a reading cannot go on: the `whole` one around it has no value."""

    def __init__(self, mistake: Mistake):
        super().__init__(mistake.message)
        self.mistake = mistake


class Key(str):
    """A mapping's key, with its place. Compares and hashes as the plain text."""

    place: Place

    def __new__(cls, text: str, place: Place) -> Key:
        key = super().__new__(cls, text)
        key.place = place
        return key


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a config.

    value: None, bool, int, float or str; a tuple of nodes for a list; a dict from `Key` to node for a mapping.
    text: a scalar as it was written. meaning: the value as a setting takes it, once it is checked. draw: of a range;
    None for a value that was written.
    """

    value: Any
    place: Place
    text: str = ""
    meaning: Any = None
    draw: Draw | None = None

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, tuple)

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_scalar(self) -> bool:
        return not (self.is_list or self.is_mapping)

    def items(self) -> tuple[Node, ...]:
        """The items of a list; anything else is a list of one."""
        return self.value if isinstance(self.value, tuple) else (self,)

    def plain(self) -> Any:
        """The value as Python objects without places."""
        if isinstance(self.value, tuple):
            return [item.plain() for item in self.value]
        if isinstance(self.value, dict):
            return {str(key): item.plain() for key, item in self.value.items()}
        return self.value

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node | Key]]:
        """Yield the node, and all keys and values in it, each with the number of lists and mappings that it is in.

        A list or mapping is in itself.
        """
        depth += not self.is_scalar
        yield depth, self
        for key in self.value if self.is_mapping else ():
            yield depth, key
        for inner in self.value.values() if self.is_mapping else self.value if self.is_list else ():
            yield from inner.walk(depth)

    def at(self, steps: Iterable[int | str]) -> Node:
        """Return the node to which keys and positions lead; a value without a name is its own first setting."""
        node = self
        for step in steps:
            node = node.value[step] if node.is_mapping or node.is_list else node
        return node

    def place_of(self, steps: Sequence[int | str], at_key: bool) -> Place:
        """Return the place of a mistake to which keys and positions lead: at the value, or at the last key."""
        if not at_key or not steps or not (owner := self.at(steps[:-1])).is_mapping:
            return self.at(steps).place
        return next((key.place for key in owner.value if key == steps[-1]), owner.place)

    def __str__(self) -> str:
        """Return the value as a sentence shows it: `got …`."""
        if self.value is None:
            return "nothing"
        if self.value == ():
            return "an empty list"
        return repr(_short(self.value)) if isinstance(self.value, str) else _short(self._flow())

    def _flow(self) -> str:
        """The beginning of it, as YAML's flow style writes it."""
        if self.is_mapping:
            return "{" + ", ".join(f"{key}: …" for key in list(self.value)[:5]) + "}"
        if self.is_list:
            return "[" + ", ".join(item._flow() for item in self.value[:20]) + "]"
        return self.text.strip() if self.text.isprintable() else repr(self.text)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def whole(reading: Callable[P, Reading[T]]) -> Callable[P, Reading[T | None]]:
    """Decorate a reading: its value is None if it has a mistake."""

    @wraps(reading)
    def read(*args: P.args, **kwargs: P.kwargs) -> Reading[T | None]:
        value, mistakes = gather(reading(*args, **kwargs))
        yield from mistakes
        return None if mistakes else value

    return read


def each(readings: Iterable[Reading[T]]) -> Reading[list[T]]:
    """Read several, one after the other."""
    values = []
    for reading in readings:
        values.append((yield from reading))
    return values


def read_list(node: Node | None, rule: str) -> Reading[tuple[Node, ...]]:
    """Read the items of a list; none if it is not there, or no list. rule: what a message says that it must be."""
    if node is not None and not node.is_list:
        yield node.place.mistake(f"{rule}, got {node}")
    return node.value if node is not None and node.is_list else ()


def gather(reading: Reading[T]) -> tuple[T, list[Mistake]]:
    """Return the value of a reading, None if it was refused, and its mistakes, each once.

    Far too many mistakes are a `ConfigError`.
    """
    found: dict[Mistake, None] = {}
    while True:
        try:
            mistake = next(reading)
        except StopIteration as end:
            return end.value, list(found)
        except Refused as end:
            return cast(T, None), list(found | {end.mistake: None})
        found[mistake] = None
        if len(found) == MOST_MISTAKES:
            told = f"{MOST_MISTAKES} mistakes or more; these were found first"
            raise ConfigError([*found, Mistake(mistake.file, 0, 0, told)])
