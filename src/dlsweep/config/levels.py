"""Levels of factors, read from nodes and expanded.

A level is a registered name, or a name with settings; a list in the settings makes several levels of it. A level of a
dotted factor (`optimizer.lr`) is a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

from dlsweep.config.document import Node, Place, Reading, each, whole
from dlsweep.config.draws import Draw, Draws
from dlsweep.config.settings import Given, alternatives, check, read_settings
from dlsweep.config.words import TRAIN, Factor, entries, entry, registry
from dlsweep.errors import UnknownName
from dlsweep.factors import BY_NAME
from dlsweep.registry import Choice, Entry
from dlsweep.text import label_text, steering

LONGEST_LABEL = 100


@dataclass(frozen=True, eq=False)
class LevelSpec:
    """A level as written, before the lists in its settings are expanded.

    choices: one, or several that combine; each with its settings, each with its values. origin: the level that this one
    has one draw of.
    """

    field: str
    place: Place
    choices: tuple[tuple[Entry, Given], ...]
    label: str | None = None
    origin: LevelSpec | None = None

    @property
    def name(self) -> str:
        return " + ".join(entry.name for entry, _ in self.choices)

    def __len__(self) -> int:
        return prod(len(values) for _, given in self.choices for values in given.values())

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The levels that it expands to, the last setting running fastest."""
        expanded = [
            [(entry, dict(zip(given, values))) for values in product(*given.values())] for entry, given in self.choices
        ]
        return tuple(Level(self, combination) for combination in product(*expanded))

    def __iter__(self) -> Iterator[Level]:
        return iter(self.levels)

    @property
    def draws(self) -> Iterator[Draw]:
        """The draws among the values of its settings."""
        return (node.draw for _, given in self.choices for nodes in given.values() for node in nodes if node.draw)

    def at(self, draw: int) -> LevelSpec:
        """Return the level with one draw of each of its ranges."""
        choices = tuple(
            (entry, {name: nodes[draw : draw + 1] if nodes[0].draw else nodes for name, nodes in given.items()})
            for entry, given in self.choices
        )
        return replace(self, choices=choices, origin=self)

    def values(self, setting: str) -> Iterator[Any]:
        """Yield the values of a setting, or its default, of the choices that have it."""
        for named, given in self.choices:
            if setting in given:
                yield from (node.meaning for node in given[setting])
            elif setting in named.settings:
                yield named.settings[setting].usual


@dataclass(frozen=True, eq=False)
class Level:
    """One level of a factor. given: its choices, each with the settings that are given."""

    spec: LevelSpec
    given: tuple[tuple[Entry, Mapping[str, Node]], ...]

    @property
    def place(self) -> Place:
        """Its place: of its name, or of the value in a list of its settings that makes it one of several."""
        pairs = [(lists, own) for (_, lists), (_, own) in zip(self.spec.choices, self.given)]
        several = (own[name].place for lists, own in pairs for name, values in lists.items() if len(values) > 1)
        return max(several, default=self.spec.place)

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """The names with every setting."""
        return tuple(
            Choice(entry.name, entry.complete({name: node.meaning for name, node in given.items()}))
            for entry, given in self.given
        )

    @property
    def item_places(self) -> list[Place]:
        """The places of the items of a list of named items in the level."""
        given = [(entry.settings[name], node) for entry, own in self.given for name, node in own.items()]
        return [item.place for setting, node in given if setting.items is not None for item in node.items()]

    @property
    def places(self) -> dict[str, Place]:
        """The places of the settings that are given, by setting."""
        return {name: node.place for _, given in self.given for name, node in given.items()}


@dataclass(frozen=True, eq=False)
class SettingLevel:
    """One level of a dotted factor. values: as each choice that has the setting wants it (1 may be 1.0).

    draw: of a range; None for a value that was written.
    """

    factor: Factor
    place: Place
    values: Mapping[str, Any]
    draw: Draw | None = None

    @property
    def value(self) -> Any:
        """The value, as the first of the choices wants it."""
        return next(iter(self.values.values()))

    @property
    def text(self) -> str:
        return label_text(self.value)

    def put_into(self, choices: Iterable[Choice]) -> tuple[Choice, ...]:
        """Return the choices with the setting changed if they have it."""
        changed = {choice.name: choice for choice in choices}
        for owner in self.factor.owners(entry(self.factor.field, name) for name in changed):
            settings = changed[owner.name].settings
            value = self.values[owner.name]
            changed[owner.name] = Choice(owner.name, owner.changed(settings, self.factor.setting, value))
        return tuple(changed.values())


def default_level(field: str, place: Place, name: str | None = None) -> Level:
    """Return the level of a field that the config leaves out: the default, or the given name."""
    found = TRAIN if field == "train" else registry(field)[name or BY_NAME[field].default]
    return LevelSpec(field, place, ((found, {}),)).levels[0]


@whole
def read_level(field: str, node: Node, draws: Draws | None = None) -> Reading[LevelSpec]:
    """Read one level of a field, or one plot; None if there is a mistake.

    draws: of ranges, in a grid, where lists and ranges in the settings are several levels, which may have a label.
    """
    choices = yield from _read_choices(field, node, draws)
    label = yield from _read_label(node, draws is not None)
    # The order of combined choices means nothing, so it must not make another arm.
    return LevelSpec(field, node.place, tuple(sorted(choices or (), key=lambda pair: pair[0].name)), label)


def _read_choices(field: str, node: Node, draws: Draws | None) -> Reading[list[tuple[Entry, Given]]]:
    names = yield from _read_names(field, node)
    choices = []
    for name, settings in (names or {}).items():
        place = getattr(name, "place", node.place)
        try:
            found = entry(field, str(name))
        except UnknownName as error:
            yield place.mistake(_as_label(field, str(name)) or str(error))
            continue
        given = yield from read_settings(found, settings, f"{field}.{found.name}", place, draws)
        if given is not None:
            choices.append((found, given))
    return choices


def _as_label(field: str, name: str) -> str:
    """Return a sentence on a label in place of a name, such as "sgd lr=0.01", which says how to write it; or ""."""
    found = re.fullmatch(r"(\w+)((?: \w+=\S+)+)", name)
    if not found or found[1] not in registry(field):
        return ""
    settings = found[2].strip().replace(" ", ", ").replace("=", ": ")
    return f"{name!r} is a label; write the name with its settings: {{{found[1]}: {{{settings}}}}}"


@whole
def _read_names(field: str, node: Node) -> Reading[dict[Any, Node | None]]:
    """Read the names of a level, each with its settings."""
    if isinstance(node.value, str):
        return {node.value: None}
    if not node.is_mapping:
        hint = "; write none for nothing" if node.value is None and "none" in registry(field) else ""
        raise node.place.refused(f"{_a_level(field)} is a name, or a name with settings, got {node}{hint}")
    names = {key: value for key, value in node.value.items() if key != "label"}
    yield from _check_names(field, list(names), node)
    return names


def _a_level(field: str) -> str:
    return "a plot" if field == "plots" else f"a level of {field}"


def _check_names(field: str, names: list[str], node: Node) -> Reading[None]:
    known = [name for name in names if name in registry(field)]
    settings = {setting: e.name for e in entries(field) for setting in e.settings}
    combines = field in BY_NAME and BY_NAME[field].combines
    if not names:
        yield node.place.mistake(f"{_a_level(field)} is a name, or a name with settings; this one has no name")
    elif not known and all(name in settings for name in names):
        example = f"{{{settings[names[0]]}: {{{names[0]}: …}}}}"
        told = f"{_a_level(field)} is a name with settings, such as {example}; got {node} without a name"
        yield node.place.mistake(told)
    elif len(known) > 1 and not combines:
        both = f"{' and '.join(names)}; to compare, list them: [{', '.join(names)}]"
        yield node.place.mistake(f"{_a_level(field)} is one name, got {both}")
    elif len(known) > 1 and "none" in known:
        yield node.place.mistake(f"none does not combine with another {field}")


def _read_label(level: Node, allowed: bool) -> Reading[str | None]:
    if not level.is_mapping or "label" not in level.value:
        return None
    key, node = next((key, node) for key, node in level.value.items() if key == "label")
    if not allowed:
        yield key.place.mistake("a label belongs to a level of the grid; here it would be seen nowhere")
    elif not node.is_scalar or not node.text.strip() or len(node.text) > LONGEST_LABEL or steering(node.text):
        yield node.place.mistake(f"a label must be a line of text, of 1 to {LONGEST_LABEL} characters, got {node}")
    return str(node.text.strip())


@whole
def read_setting_levels(
    factor: Factor, node: Node, owners: list[Entry], draws: Draws, *, alone: bool
) -> Reading[tuple[SettingLevel, ...]]:
    """Read the levels of a dotted factor, checked for each entry that has the setting; None if there is a mistake.

    alone: True if no other factor moves together with it.
    """
    nodes = yield from alternatives(owners[0], factor.setting, node, factor.name, draws)
    if len(nodes) > 1 and not (alone or nodes[0].draw):
        yield node.place.mistake(f"a row has one value of {factor.name}, got {node}")
    levels = []
    for one in nodes:
        checked = yield from each(check(owner, factor.setting, one, factor.name) for owner in owners)
        values = {owner.name: found.meaning for owner, found in zip(owners, checked) if found is not None}
        levels.append(SettingLevel(factor, one.place, values, one.draw))
    return tuple(levels)
