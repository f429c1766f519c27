"""Config values that know where they stand, and the list of what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dlsweep.errors import ConfigError, Mistake

COMMAND_LINE = "command line"

MOST_MISTAKES = 100  # shown at once
_LONGEST_SHOWN = 40


class Place(NamedTuple):
    """A file with line and column from 1; or "command line" or a key path ("grid.init"), which have no lines."""

    file: str
    line: int = 0
    column: int = 0


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
    text: a scalar as it was written.
    """

    value: Any
    place: Place
    text: str = ""

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

    def at(self, steps: Iterable[int | str]) -> Node:
        """The node to which keys and positions lead; the value without a name of a mapping's place is the same node."""
        node = self
        for step in steps:
            node = node.value[step] if node.is_mapping or node.is_list else node
        return node

    def place_of(self, steps: Sequence[int | str], at_key: bool) -> Place:
        """Where a mistake stands to which keys and positions lead: at the value, or at the last key."""
        if not at_key or not steps or not (owner := self.at(steps[:-1])).is_mapping:
            return self.at(steps).place
        return next((key.place for key in owner.value if key == steps[-1]), owner.place)

    def __str__(self) -> str:
        """What a sentence says was found: `got …`."""
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


@dataclass
class Mistakes:
    """What is wrong so far. Reading goes on after a mistake, so that a person sees all of them at once."""

    _found: dict[Mistake, None] = field(default_factory=dict)
    _added: int = 0

    def add(self, place: Place, sentence: str) -> None:
        """Note a mistake, once. Far too many of them end the reading with a `ConfigError`."""
        self._added += 1
        self._found[Mistake(*place, sentence)] = None
        if len(self._found) == MOST_MISTAKES:
            self._found[Mistake(place.file, 0, 0, f"{MOST_MISTAKES} mistakes or more; these were found first")] = None
            self.stop()

    def __len__(self) -> int:
        """How often something was wrong: it grows, even where the same is said again."""
        return self._added

    @property
    def found(self) -> tuple[Mistake, ...]:
        """The mistakes, in the order in which they were found."""
        return tuple(self._found)

    def stop(self) -> None:
        """Raise a `ConfigError` with all of them, if there are any."""
        if self._found:
            raise ConfigError(self._found)
