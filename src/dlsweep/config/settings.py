"""Settings of registered functions: read from nodes, checked by their entries, every value with its place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from dlsweep.config.nodes import Key, Mistakes, Node, Place
from dlsweep.registry import Entry


class Given(NamedTuple):
    """A checked value, and the node that gave it."""

    value: Any
    node: Node


def read_settings(
    entry: Entry, node: Node | None, where: str, place: Place, mistakes: Mistakes, *, expand: bool
) -> dict[str, list[Given]] | None:
    """The settings that a mapping gives, each with its values; None, with mistakes noted, where something is wrong.

    where: the path that messages name, "optimizer.sgd"; place: of the entry's name; expand: whether a list means
    several values.
    """
    before = len(mistakes)
    given: dict[str, list[Given]] = {}
    named = named_settings(entry, node)
    if not named.is_mapping:
        mistakes.add(named.place, f"{entry.needs_mapping(where)}, got {named}")
        return None
    for key, value in named.value.items():
        if key not in entry.settings:
            mistakes.add(key.place, entry.unknown(key, where))
            continue
        given[str(key)] = [
            Given(checked, one)
            for one in alternatives(entry, key, value, f"{where}.{key}", mistakes, expand=expand)
            if (checked := check(entry, key, one, f"{where}.{key}", mistakes)) is not WRONG
        ]
    _refuse_two_spellings(entry, given, where, mistakes)
    if len(mistakes) == before:
        for sentence in entry.missing(given, where):
            mistakes.add(place, sentence)
    return given if len(mistakes) == before else None


def named_settings(entry: Entry, node: Node | None) -> Node:
    """Return settings as a mapping by name; a value without a name is the first setting's."""
    if node is None or node.value is None:
        return Node({}, node.place if node else Place("config"))
    if entry.short and not node.is_mapping:
        return Node({Key(entry.short, node.place): node}, node.place)
    return node


def _refuse_two_spellings(entry: Entry, given: dict[str, list[Given]], where: str, mistakes: Mistakes) -> None:
    spelled: dict[str, list[str]] = {}
    for name in given:
        spelled.setdefault(entry.settings[name].quantity, []).append(name)
    for names in spelled.values():
        places = [given[name][0].node.place for name in names if given[name]]
        if len(names) > 1 and places:
            mistakes.add(max(places), f"{where} has both {' and '.join(names)}; give one of them")


def alternatives(
    entry: Entry, name: str, node: Node, where: str, mistakes: Mistakes, *, expand: bool
) -> tuple[Node, ...]:
    """The values that a node lists. For a setting that is a list itself, only a list of lists is several values.

    A setting that is a list of lists has one value.
    """
    setting = entry.settings[name]
    several = node.is_list and not setting.holds_lists
    if setting.holds_list:
        several = several and bool(node.value) and all(item.is_list for item in node.value)
    if several and not expand:
        mistakes.add(
            node.place, f"{where} has one value here, got {node}; to compare several, use a factor of the grid"
        )
        return ()
    if several and not node.value:
        mistakes.add(node.place, f"{where} must have at least one value, got {node}")
    return node.items() if several else (node,)


WRONG = object()  # what `check` returns where there is no value


def check(entry: Entry, name: str, node: Node, where: str, mistakes: Mistakes) -> Any:
    """The value of one setting, as its annotation wants it; `WRONG`, with mistakes noted, where it does not fit."""
    setting = entry.settings[name]
    value, faults = setting.check(node.plain(), where, lambda steps: str(node.at(steps)))
    for fault in faults:
        mistakes.add(node.place_of(fault.steps, fault.at_key), fault.sentence)
    if faults:
        return WRONG
    return _absolute(node) if setting.is_file else value


def _absolute(node: Node) -> str:
    """An absolute path; what a config gives is relative to the config's file, elsewhere to the working directory."""
    folder = Path(node.place.file).parent if node.place.line else Path()
    return os.path.abspath(folder / Path(node.value).expanduser())  # noqa: PTH100  resolve() would follow links
