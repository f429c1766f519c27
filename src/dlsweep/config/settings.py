"""Settings of registered functions: read from nodes, checked by their entries, every value with its place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from dlsweep.config.document import Key, Node, Place, Reading, each, whole
from dlsweep.config.draws import Draws
from dlsweep.config.ranges import is_range, read_range
from dlsweep.registry import Entry

_ONCE = ("evaluate.", "statistics.", "tune.")  # parts of a config that no factor varies

Given = Mapping[str, tuple[Node, ...]]  # the checked values of settings, by name: several where a list expands

Part = tuple[dict[str, Any], dict[str, Node]]  # all settings of a part of a config, and the nodes of those given


def read_settings(
    entry: Entry, node: Node | None, where: str, place: Place, draws: Draws | None = None
) -> Reading[Given | None]:
    """Read the settings that a mapping gives; None if there is a mistake.

    where: the path that messages name, "optimizer.sgd"; place: of the entry's name; draws: of ranges, where a list or a
    range means several values; None where a setting has one value.
    """
    given = yield from _read_given(entry, named_settings(entry, node), where, draws)
    missing = entry.missing(given, where) if given is not None else []
    yield from map(place.mistake, missing)
    return None if missing else given


def read_section(section: Entry, node: Node | None, place: Place) -> Reading[Part | None]:
    """Read a part of a config in which a setting has one value; None if there is a mistake."""
    given = yield from read_settings(section, node, section.name, place)
    if given is None:
        return None
    nodes = {name: one for name, (one,) in given.items()}
    return section.complete({name: one.meaning for name, one in nodes.items()}), nodes


@whole
def _read_given(entry: Entry, named: Node, where: str, draws: Draws | None) -> Reading[Given]:
    given: dict[str, tuple[Node, ...]] = {}
    if not named.is_mapping:
        raise named.place.refused(f"{entry.needs_mapping(where)}, got {named}")
    for key, value in named.value.items():
        if key not in entry.settings:
            yield key.place.mistake(entry.unknown(key, where))
            continue
        nodes = yield from alternatives(entry, key, value, f"{where}.{key}", draws)
        checked = yield from each(check(entry, key, one, f"{where}.{key}") for one in nodes)
        given[str(key)] = tuple(one for one in checked if one is not None)
    for names, sentence in entry.clashes(given, where):
        if places := [given[name][0].place for name in names if given[name]]:
            yield max(places).mistake(sentence)
    return given


def named_settings(entry: Entry, node: Node | None) -> Node:
    """Return settings as a mapping by name; a value without a name is the first setting's."""
    if node is None or node.value is None:
        return Node({}, node.place if node else Place("config"))
    if entry.short and (not node.is_mapping or (is_range(node) and node.value.keys().isdisjoint(entry.settings))):
        return Node({Key(entry.short, node.place): node}, node.place)
    return node


def alternatives(entry: Entry, name: str, node: Node, where: str, draws: Draws | None) -> Reading[tuple[Node, ...]]:
    """Return the values that a node lists, or gives as a range.

    For a setting that is a list itself, only a list of lists is several values. A setting that is a list of lists has
    one value.
    """
    setting = entry.settings[name]
    several = node.is_list and not setting.holds_lists
    if setting.holds_list:
        several = several and bool(node.value) and all(item.is_list for item in node.value)
    ranged = setting.number is not None and any(map(is_range, node.items()))
    if (several or ranged) and draws is None:
        told = f"{where} has one value{'' if where.startswith(_ONCE) else ' here'}, got {node}"
        hint = "" if where.startswith(_ONCE) else "; to compare several, use a factor of the grid"
        yield node.place.mistake(f"{told}{hint}")
        return ()
    if several and not node.value:
        yield node.place.mistake(f"{where} must have at least one value, got {node}")
    if draws is None or not ranged:
        return node.items() if several else (node,)
    found = yield from each(_values(entry, name, one, where, draws) for one in node.items())
    if len(found) > 1 and (drawn := [values[0].place for values in found if values and values[0].draw]):
        yield drawn[0].mistake(f"a range that {where} is drawn from has no other values beside it, got {node}")
        return ()
    return tuple(chain.from_iterable(found))


def _values(entry: Entry, name: str, node: Node, where: str, draws: Draws) -> Reading[tuple[Node, ...]]:
    """Read a value, or those of a range. All draws of a range are valid if its ends are."""
    if not is_range(node):
        return (node,)
    found = (yield from read_range(node, where, draws, integers=entry.settings[name].number is int)) or ()
    (ends,) = node.value.values() if found and found[0].draw else (Node((), node.place),)
    checked = yield from each(check(entry, name, end, where) for end in ends.items())
    return () if None in checked else found


@whole
def check(entry: Entry, name: str, node: Node, where: str) -> Reading[Node]:
    """Read one value of a setting: the node with its meaning; None if there is a mistake."""
    setting = entry.settings[name]
    value, faults = setting.check(node.plain(), where, lambda steps: str(node.at(steps)))
    for fault in faults:
        yield node.place_of(fault.steps, fault.at_key).mistake(fault.sentence)
    if setting.is_file and not faults:
        expanded = os.path.expanduser(node.value)  # noqa: PTH111  Path.expanduser raises an error for an unknown user
        if expanded.startswith("~"):
            yield node.place.mistake(f"{where} is {node}, and there is no such home folder; write the whole path")
        value = _absolute(node.place, expanded)
    return replace(node, meaning=value)


def _absolute(place: Place, path: str) -> str:
    """An absolute path; one in a config is relative to the config's file, elsewhere to the working directory."""
    folder = Path(place.file).parent if place.line else Path()
    return os.path.abspath(folder / path)  # noqa: PTH100  resolve() would follow links
