"""Settings of registered functions: read from nodes, checked against their annotations, with sentences for a person."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Union, get_args, get_origin

from dlsweep.config.nodes import Key, Mistakes, Node, Place
from dlsweep.config.reader import NUMBER
from dlsweep.config.words import RIVAL, TRAIN, is_file
from dlsweep.errors import UnknownName
from dlsweep.registry import Entry, Registry
from dlsweep.text import nearest

if TYPE_CHECKING:
    from pydantic import TypeAdapter

# What pydantic finds wrong, as the end of "… must be …". The words in braces come with the error.
_REQUIREMENTS = {
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "too_short": "a list of length {min_length} or more",
    "too_long": "a list of length {max_length} or less",
    "none_required": "null",
}


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
    if node is not None and node.value is not None:
        if entry.only and not node.is_mapping:
            node = Node({Key(entry.only, node.place): node}, node.place)
        if not node.is_mapping:
            example = next(iter(entry.settings), None)
            hint = f"a mapping such as {{{example}: …}}" if example else "left away, since it has no settings"
            mistakes.add(node.place, f"settings of {where} must be {hint}, got {node}")
            return None
        for key, value in node.value.items():
            if key not in entry.settings:
                known = nearest(key, entry.settings) or "; it has none at all"
                mistakes.add(key.place, f"{where} has no setting {str(key)!r}{known}")
                continue
            given[str(key)] = [
                Given(checked, one)
                for one in alternatives(entry, key, value, f"{where}.{key}", mistakes, expand=expand)
                if (checked := check(entry, key, one, f"{where}.{key}", mistakes)) is not WRONG
            ]
        _refuse_rivals(entry, given, mistakes)
    for name, setting in entry.settings.items():
        if setting.required and name not in given and len(mistakes) == before:
            mistakes.add(place, f"{where} needs the setting {name!r}, as in {{{entry.name}: {{{name}: …}}}}")
    return given if len(mistakes) == before else None


def _refuse_rivals(entry: Entry, given: Mapping[str, list[Given]], mistakes: Mistakes) -> None:
    both = [name for name in given if entry is TRAIN and RIVAL.get(name) in given]
    if both:
        last = max((given[name][0].node.place for name in both if given[name]), default=None)
        if last:
            mistakes.add(last, f"train has both {' and '.join(both)}; give one of them")


def complete(entry: Entry, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting of an entry: what is given, and defaults for the rest."""
    settings = defaults(entry) | dict(given)
    if entry is TRAIN:
        settings |= {RIVAL[name]: None for name in given if name in RIVAL}
    return settings


@cache
def defaults(entry: Entry) -> dict[str, Any]:
    """The default settings, in the form in which a config would give them: `lr: float = 1` is 1.0."""
    return {
        name: _adapter(entry, name).validate_python(setting.default)
        for name, setting in entry.settings.items()
        if not setting.required
    }


def alternatives(
    entry: Entry, name: str, node: Node, where: str, mistakes: Mistakes, *, expand: bool
) -> tuple[Node, ...]:
    """The values that a node lists. For a setting that is a list itself, only a list of lists is several values.

    A setting that is a list of lists has one value.
    """
    if holds_lists(entry.settings[name].annotation):
        several = False
    elif holds_list(entry.settings[name].annotation):
        several = node.is_list and bool(node.value) and all(item.is_list for item in node.value)
    else:
        several = node.is_list
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
    from pydantic import ValidationError

    if entry is TRAIN and name in RIVAL and node.value is None:
        mistakes.add(node.place, f"{where} must be a whole number, got nothing")
        return WRONG
    if is_file(entry.settings[name]):
        return _path(node, where, mistakes)
    names = entry.settings[name].items
    if names is not None and node.is_list and node.value:
        found = [_item(names, item, where, mistakes) for item in node.value]
        return WRONG if WRONG in found else found
    try:
        return _adapter(entry, name).validate_python(node.plain())
    except ValidationError as error:
        for place, sentence in _sentences(error.errors(include_url=False), node, where):
            mistakes.add(place, sentence)
        return WRONG


def _item(names: Registry, node: Node, where: str, mistakes: Mistakes) -> Any:
    """An item of a list that has a name: the name, or a mapping from it to the settings that are not as by default.

    A value that is no mapping is that of the first setting: `{pool: 2}`.
    """
    if node.is_mapping and len(node.value) == 1:
        ((name, value),) = node.value.items()
    elif isinstance(node.value, str):
        name, value = Key(node.value, node.place), None
    else:
        mistakes.add(node.place, f"an item of {where} is a name, or one name with settings, got {node}")
        return WRONG
    try:
        found = names[name]
    except UnknownName as error:
        mistakes.add(name.place, str(error))
        return WRONG
    if value is not None and not value.is_mapping and value.value is not None and found.settings:
        value = Node({Key(next(iter(found.settings)), value.place): value}, value.place)
    given = read_settings(found, value, f"{where}.{name}", name.place, mistakes, expand=False)
    if given is None:
        return WRONG
    usual = defaults(found)
    own = {k: one.value for k, (one,) in given.items() if k not in usual or one.value != usual[k]}
    return {str(name): own} if own else str(name)


@cache
def _adapter(entry: Entry, name: str) -> TypeAdapter[Any]:
    """Strict: "0.1" is no number, true is no number, 1 is a number where 1.0 is; infinite numbers are refused."""
    from pydantic import ConfigDict, TypeAdapter

    return TypeAdapter(entry.settings[name].annotation, config=ConfigDict(strict=True, allow_inf_nan=False))


def _sentences(errors: Iterable[Any], node: Node, where: str) -> Iterable[tuple[Place, str]]:
    """pydantic's errors in our words; several about one value are the branches of a union."""
    wanted: dict[tuple[int, ...], list[str]] = {}
    for error in errors:
        position = tuple(step for step in error["loc"] if isinstance(step, int))
        wanted.setdefault(position, []).append(_requirement(error))
    for position, requirements in wanted.items():
        culprit, name = node, where
        for step in position:
            culprit, name = culprit.value[step], f"an item of {where}"
        found = f"got {culprit}"
        if isinstance(culprit.value, str) and requirements[0].endswith("number") and NUMBER.fullmatch(culprit.value):
            found += ", which is text; take the quotes away"
        hint = f" (write [{culprit.text.strip()}])" if requirements == ["a list"] and culprit.text else ""
        if isinstance(culprit.value, str):
            hint = next((n for e in errors if (n := _near_literal(e, culprit.value))), hint)
        yield culprit.place, f"{name} must be {' or '.join(requirements)}, {found}{hint}"


def _requirement(error: Mapping[str, Any]) -> str:
    if error["type"] == "literal_error":
        return "one of " + ", ".join(map(str, _choices(error)))
    words = {
        key: f"{value:,g}" if isinstance(value, float) else f"{value}" for key, value in error.get("ctx", {}).items()
    }
    if error["type"] in _REQUIREMENTS:
        return _REQUIREMENTS[error["type"]].format(**words)
    return str(error["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")  # a rule of someone's own


def _choices(error: Mapping[str, Any]) -> list[str]:
    """The values of a `Literal`, which pydantic lists as `'a', 'b' or 'c'`."""
    return re.findall(r"'([^']*)'", error["ctx"]["expected"])


def _near_literal(error: Mapping[str, Any], word: str) -> str:
    if error["type"] != "literal_error":
        return ""
    return nearest(word, _choices(error)).partition(" (choices")[0]


def _path(node: Node, where: str, mistakes: Mistakes) -> Any:
    """An absolute path; what a config gives is relative to the config's file, elsewhere to the working directory."""
    if not isinstance(node.value, str) or not node.value or "\0" in node.value:
        mistakes.add(node.place, f"{where} must be the path of a file, got {node}")
        return WRONG
    folder = Path(node.place.file).parent if node.place.line else Path()
    return os.path.abspath(folder / Path(node.value).expanduser())  # noqa: PTH100  resolve() would follow links


def holds_lists(annotation: Any) -> bool:
    """Return True for a setting that is a list of lists, such as the branches of `parallel`."""
    if get_origin(annotation) is Annotated:
        return holds_lists(get_args(annotation)[0])
    return get_origin(annotation) is list and holds_list(get_args(annotation)[0])


def holds_list(annotation: Any) -> bool:
    """Whether a setting's own type is a list, such as `model.mlp.hidden`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return holds_list(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return any(holds_list(branch) for branch in get_args(annotation) if branch is not NoneType)
    return annotation in (list, tuple) or origin in (list, tuple)
