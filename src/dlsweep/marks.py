"""Marks in the annotations of settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol


class Off(NamedTuple):
    """In an annotation: the value at which a setting does nothing."""

    value: float


class Names(Protocol):
    """A registry, as far as settings know it."""

    kind: str

    def __getitem__(self, name: str, /) -> Any: ...

    def __iter__(self) -> Iterator[str]: ...


class ItemsOf(NamedTuple):
    """In an annotation of a list: each item is one of these names, or a name with settings."""

    names: Names


class Spells(NamedTuple):
    """In an annotation: a quantity that several settings spell, such as a length in `iterations` or in `epochs`.

    Exactly one of them is set; the others are null.
    """

    quantity: str


class Added(NamedTuple):
    """In an annotation: a setting that earlier versions lack. Null, it is left out of the normal form of a config."""

    version: str


class Needs(NamedTuple):
    """In an annotation: the setting without which this one has no effect."""

    setting: str
