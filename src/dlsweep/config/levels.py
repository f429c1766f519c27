"""Levels of factors: read from nodes, expanded, and labelled.

A level is a registered name, or a name with settings; a list in the settings makes several levels of it. A level of a
dotted factor (`optimizer.lr`) is a value.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from pathlib import PurePath
from typing import Any

from dlsweep.config.nodes import Mistakes, Node, Place
from dlsweep.config.settings import WRONG, Given, alternatives, check, read_settings
from dlsweep.config.words import TRAIN, Factor, entries, entry, registry
from dlsweep.errors import UnknownName
from dlsweep.factors import BY_NAME
from dlsweep.registry import Choice, Entry
from dlsweep.text import value_text

LONGEST_LABEL = 100


@dataclass(frozen=True, eq=False)
class Template:
    """A level as written, before the lists in its settings are expanded.

    choices: one, or several that combine in a regularizer; each with its settings, each with its values.
    """

    field: str
    place: Place
    choices: tuple[tuple[Entry, dict[str, list[Given]]], ...]
    label: str | None = None

    @property
    def name(self) -> str:
        return " + ".join(entry.name for entry, _ in self.choices)

    def __len__(self) -> int:
        return prod(len(values) for _, given in self.choices for values in given.values())

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """What it expands to, the last setting running fastest."""
        expanded = [[dict(zip(given, values)) for values in product(*given.values())] for _, given in self.choices]
        return tuple(Level(self, combination) for combination in product(*expanded))

    def __iter__(self) -> Iterator[Level]:
        return iter(self.levels)


@dataclass(frozen=True, eq=False)
class Level:
    """One level of a factor, as one of what its template expands to."""

    template: Template
    given: tuple[dict[str, Given], ...]

    @property
    def place(self) -> Place:
        """Where it stands: at its name, or where a list in its settings makes it one of several."""
        lists = [(given, self.given[i]) for i, (_, given) in enumerate(self.template.choices)]
        several = (own[name].node.place for given, own in lists for name, values in given.items() if len(values) > 1)
        return max(several, default=self.template.place)

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """The names with every setting."""
        return tuple(
            Choice(entry.name, entry.complete({name: one.value for name, one in given.items()}))
            for (entry, _), given in zip(self.template.choices, self.given)
        )

    @property
    def item_places(self) -> list[Place]:
        """Where the items stand of a list of named items that the level gives."""
        lists = [
            one.node
            for (entry, _), given in zip(self.template.choices, self.given)
            for name, one in given.items()
            if entry.settings[name].items is not None
        ]
        return [item.place for node in lists for item in node.items()]

    @property
    def places(self) -> dict[str, Place]:
        """Where the settings stand that the level gives, by setting."""
        return {name: one.node.place for given in self.given for name, one in given.items()}


@dataclass(frozen=True, eq=False)
class Value:
    """One level of a dotted factor. values: as each choice that has the setting wants it (1 may be 1.0)."""

    factor: Factor
    node: Node
    values: Mapping[str, Any]

    @property
    def place(self) -> Place:
        return self.node.place

    @property
    def value(self) -> Any:
        """The value, as the first of the choices wants it."""
        return next(iter(self.values.values()))

    @property
    def text(self) -> str:
        return value_text(self.value)

    def put_into(self, choices: Iterable[Choice]) -> tuple[Choice, ...]:
        """The choices with the setting changed where they have it."""
        return tuple(self._put_into(c) for c in choices)

    def _put_into(self, choice: Choice) -> Choice:
        setting = self.factor.setting
        if setting not in choice.settings or not self.factor.concerns(choice.name, setting):
            return choice
        found = entry(self.factor.field, choice.name)
        return Choice(choice.name, found.changed(choice.settings, setting, self.values[choice.name]))


def default_level(field: str, place: Place, name: str | None = None) -> Level:
    """What an arm has in a field of which the config says nothing: the default, or what is of that name."""
    found = TRAIN if field == "train" else registry(field)[name or BY_NAME[field].default]
    return Template(field, place, ((found, {}),)).levels[0]


def read_level(field: str, node: Node, mistakes: Mistakes, *, expand: bool = True) -> Template | None:
    """One level of a field, or one plot; None, with mistakes noted, where something is wrong.

    expand: whether lists in the settings are several levels, which may have a label: so it is in a grid.
    """
    before = len(mistakes)
    if isinstance(node.value, str):
        names: dict[Any, Node | None] = {node.value: None}
    elif node.is_mapping:
        names = {key: value for key, value in node.value.items() if key != "label"}
        _check_names(field, list(names), node, mistakes)
    else:
        hint = "; write none for nothing" if node.value is None and "none" in registry(field) else ""
        mistakes.add(node.place, f"{_a_level(field)} is a name, or a name with settings, got {node}{hint}")
        return None
    choices = []
    for name, settings in names.items() if len(mistakes) == before else ():
        place = getattr(name, "place", node.place)
        try:
            found = entry(field, str(name))
        except UnknownName as error:
            mistakes.add(place, str(error))
            continue
        given = read_settings(found, settings, f"{field}.{found.name}", place, mistakes, expand=expand)
        if given is not None:
            choices.append((found, given))
    label = _read_label(node, expand, mistakes)
    # The order of combined regularizers means nothing, so it must not make another arm.
    choices.sort(key=lambda pair: pair[0].name)
    return Template(field, node.place, tuple(choices), label) if len(mistakes) == before else None


def _a_level(field: str) -> str:
    return "a plot" if field == "plots" else f"a level of {field}"


def _check_names(field: str, names: list[str], node: Node, mistakes: Mistakes) -> None:
    known = [name for name in names if name in registry(field)]
    settings = {setting: e.name for e in entries(field) for setting in e.settings}
    if not names:
        mistakes.add(node.place, f"{_a_level(field)} is a name, or a name with settings; this one has no name")
    elif not known and all(name in settings for name in names):
        example = f"{{{settings[names[0]]}: {{{names[0]}: …}}}}"
        mistakes.add(
            node.place, f"{_a_level(field)} is a name with settings, such as {example}; got {node} without a name"
        )
    elif len(known) > 1 and not (field in BY_NAME and BY_NAME[field].combines):
        both = f"{' and '.join(names)}; to compare, list them: [{', '.join(names)}]"
        mistakes.add(node.place, f"{_a_level(field)} is one name, got {both}")
    elif len(known) > 1 and "none" in known:
        mistakes.add(node.place, f"none does not combine with another {field}")


def _read_label(level: Node, allowed: bool, mistakes: Mistakes) -> str | None:
    if not level.is_mapping or "label" not in level.value:
        return None
    key, node = next((key, node) for key, node in level.value.items() if key == "label")
    control = any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in node.text)
    if not allowed:
        mistakes.add(key.place, "a label belongs to a level of the grid; here it would be seen nowhere")
    elif not node.is_scalar or not node.text.strip() or len(node.text) > LONGEST_LABEL or control:
        mistakes.add(node.place, f"a label must be a line of text, of 1 to {LONGEST_LABEL} characters, got {node}")
    return str(node.text.strip())


def read_values(factor: Factor, node: Node, owners: list[Entry], mistakes: Mistakes) -> list[Value] | None:
    """The levels of a dotted factor, checked for each entry that has the setting; None where something is wrong."""
    before = len(mistakes)
    values = []
    for one in alternatives(owners[0], factor.setting, node, factor.name, mistakes, expand=True):
        checked = {owner.name: check(owner, factor.setting, one, factor.name, mistakes) for owner in owners}
        if WRONG not in checked.values():
            values.append(Value(factor, one, checked))
    return values if len(mistakes) == before else None


def label_levels(levels: Collection[Level], dotted: Collection[Factor], mistakes: Mistakes) -> dict[Level, str]:
    """A label for every level of one factor, from all its grids: its `label:`, or its name.

    Where several levels share a name, the settings in which they differ are added: "sgd lr=0.1". What a dotted factor
    says has a column of its own and is left out.
    """
    groups: dict[Any, list[Level]] = defaultdict(list)
    for level in levels:
        groups[level.template if level.template.label else level.template.name].append(level)
    labels = {level: label for group in groups.values() for level, label in _label_group(group, dotted)}
    meanings: dict[str, str] = {}
    for level in levels:
        label = labels[level]
        meaning = repr([(c.name, _own_settings(c, dotted)) for c in level.choices])
        if meanings.setdefault(label, meaning) != meaning:
            mistakes.add(
                level.place,
                f"two levels of {level.template.field} have the label {label!r}; give one of them another `label:`",
            )
    return labels


def _label_group(group: list[Level], dotted: Collection[Factor]) -> Iterator[tuple[Level, str]]:
    own = [[_own_settings(c, dotted) for c in level.choices] for level in group]
    differing = [
        [name for name in settings if len({value_text(o[i].get(name)) for o in own}) > 1]
        for i, settings in enumerate(own[0])
    ]
    for level, settings in zip(group, own):
        pairs = [
            " ".join(f"{name}={_shown(entry, name, settings[i][name])}" for name in differing[i])
            for i, (entry, _) in enumerate(level.template.choices)
        ]
        if level.template.label:
            yield level, " ".join([level.template.label, *filter(None, pairs)])
        else:
            names = (entry.name for entry, _ in level.template.choices)
            yield level, " + ".join(f"{name} {pair}".rstrip() for name, pair in zip(names, pairs))


def _own_settings(choice: Choice, dotted: Collection[Factor]) -> dict[str, Any]:
    settings = choice.settings.items()
    return {name: value for name, value in settings if not any(f.concerns(choice.name, name) for f in dotted)}


def _shown(entry: Entry, name: str, value: Any) -> str:
    return PurePath(value).name if entry.settings[name].is_file else value_text(value)
