"""Settings of registered functions: kinds of number, and the check of a value, with a sentence for a person."""

from __future__ import annotations

import inspect
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from math import copysign, inf
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin

from dlsweep.errors import UnknownName
from dlsweep.marks import Added, ItemsOf, Names, Needs, Off, Spells
from dlsweep.text import NUMBER, did_you_mean, plain_number, similar, value_text

if TYPE_CHECKING:
    from pydantic import TypeAdapter

M = TypeVar("M")
D = TypeVar("D")


Steps = tuple[int | str, ...]  # the keys and positions that lead to a value
Shown = Callable[[Steps], str]  # the value there, as a sentence shows it


class Fault(NamedTuple):
    """A mistake in settings. at_key: it stands at the last key of `steps`, not at its value."""

    steps: Steps
    sentence: str
    at_key: bool = False


# The requirements of pydantic, as the end of "… must be …". The values in braces come with the error.
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


@dataclass(frozen=True)
class Setting:
    """A keyword-only parameter of a registered function."""

    name: str
    annotation: Any
    default: Any  # inspect.Parameter.empty where the setting must be given

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty

    def _mark(self, kind: type[tuple[M]], default: D) -> M | D:
        """Return the content of a mark in the annotation."""
        return next((mark[0] for mark in get_args(self.annotation)[1:] if isinstance(mark, kind)), default)

    @cached_property
    def off(self) -> float | None:
        """The value at which it does nothing, if there is one."""
        return self._mark(Off, None)

    @cached_property
    def items(self) -> Names | None:
        """The registry that names the items of a list, if there is one."""
        return self._mark(ItemsOf, None)

    @cached_property
    def quantity(self) -> str:
        """The quantity that it sets: its own name, unless several settings spell it."""
        return self._mark(Spells, self.name)

    @cached_property
    def needs(self) -> str | None:
        """The setting without which it has no effect, if there is one."""
        return self._mark(Needs, None)

    @property
    def added(self) -> str | None:
        """The version that added it, if the normal form of a config leaves it out where it is null."""
        return self._mark(Added, None)

    @cached_property
    def stacks(self) -> bool:
        """True if runs that differ in this setting can train as one stack: numbers stack, code does not."""
        return _branches(self.annotation) == [float]

    @property
    def is_file(self) -> bool:
        """True if it names a file. Choices hold it as text, absolute."""
        return self.annotation is Path

    @property
    def number(self) -> type | None:
        """The type of number that it is, so that a range can give its levels; None if it is no number."""
        return next((kind for kind in (float, int) if kind in _branches(self.annotation)), None)

    @property
    def holds_list(self) -> bool:
        """True if its own type is a list, such as `model.mlp.hidden`."""
        return any(list in (b, get_origin(b)) or tuple in (b, get_origin(b)) for b in _branches(self.annotation))

    @property
    def holds_lists(self) -> bool:
        """True if it is a list of lists, such as the branches of `parallel`."""
        lists = [b for b in _branches(self.annotation) if get_origin(b) is list]
        return any(get_origin(b) is list for one in lists for b in _branches(get_args(one)[0]))

    @property
    def usual(self) -> Any:
        """The default, in the form in which a config would give it: `lr: float = 1` is 1.0."""
        branches = _branches(self.annotation)
        whole = type(self.default) is int and float in branches and int not in branches
        return float(self.default) if whole else self.default

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Strict validation: neither "0.1" nor true is a number, 1 is valid for a float, infinity is refused."""
        from pydantic import ConfigDict, TypeAdapter

        return TypeAdapter(self.annotation, config=ConfigDict(strict=True, allow_inf_nan=False))

    def refused_default(self) -> str:
        """Return the mistake in the annotation or the default, as the end of a sentence; "" if there is none."""
        from pydantic import PydanticUserError

        try:
            _ = self.adapter
        except PydanticUserError:
            return f"has a type for its setting {self.name!r} that no value in a config can have: {self.annotation!r}"
        if self.required or self.is_file or (self.default is None and self.quantity != self.name):
            return ""
        _, faults = self.check(self.usual, self.name, lambda steps: repr(self.default))
        return f"has a default that its type refuses: {faults[0].sentence}" if faults else ""

    def check(self, value: Any, where: str, shown: Shown) -> tuple[Any, list[Fault]]:
        """Return a value in the type of the annotation, and the mistakes in it. where: the name of the setting."""
        from pydantic import ValidationError

        if value is None and self.quantity != self.name:
            return None, [Fault((), f"{where} must be a whole number, got {shown(())}")]
        if self.is_file:
            good = isinstance(value, str) and "\0" not in value and value.splitlines() == [value]
            return value, [] if good else [Fault((), f"{where} must be the path of a file, got {shown(())}")]
        if self.items is not None and isinstance(value, list) and value:
            checked = [_check_item(self.items, item, i, where, shown) for i, item in enumerate(value)]
            return [item for item, _ in checked], [fault for _, faults in checked for fault in faults]
        if int in (types := _types(self.annotation)) and float not in types:
            value = as_whole(value)
        try:
            checked = self.adapter.validate_python(value)
        except ValidationError as error:
            return None, list(_faults(error.errors(include_url=False), value, where, shown))
        found = f"got {shown(())}, which single precision rounds to "
        return checked, [Fault((), f"{where} must be {wanted}, {found}{r}") for wanted, r in self._lost(checked)]

    def _lost(self, value: Any) -> Iterator[tuple[str, str]]:
        """Yield the requirement that a number breaks if it is rounded to single precision, and the rounded number.

        Networks train in single precision, where 1e39 is infinite, 1e-60 is 0, and 0.99999999 is 1.
        """
        from pydantic import ValidationError

        if not isinstance(value, float):
            return
        try:
            (rounded,) = struct.unpack("f", struct.pack("f", value))
        except OverflowError:
            rounded = copysign(inf, value)
        try:
            self.adapter.validate_python(rounded)
            if value and not rounded:
                yield "0 or a larger number", "0"
        except ValidationError as error:
            yield (
                " or ".join(map(_requirement, error.errors(include_url=False))),
                value_text(rounded).replace("inf", "infinity"),
            )


def as_whole(value: Any) -> Any:
    """Return whole numbers that are written with a point or an exponent as integers, in lists too.

    >>> as_whole([1e3, 2.5, 3])
    [1000, 2.5, 3]
    """
    if isinstance(value, list):
        return [as_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**63 else value


def _types(annotation: Any) -> set[Any]:
    """Return the types that an annotation mentions."""
    return {annotation if get_origin(annotation) is None else None}.union(*map(_types, get_args(annotation)))


def within(shown: Shown, at: Steps) -> Shown:
    """Return the function that shows the values within one value."""
    return lambda steps: shown((*at, *steps))


def _branches(annotation: Any) -> list[Any]:
    """Return the types of a union; for another annotation, its type alone."""
    if get_origin(annotation) is Annotated:
        return _branches(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [branch for one in get_args(annotation) for branch in _branches(one)]
    return [annotation]


def _check_item(names: Names, item: Any, i: int, where: str, shown: Shown) -> tuple[Any, list[Fault]]:
    """Return an item of a list as its name, or as a mapping from it to the settings that differ from the defaults."""
    if isinstance(item, Mapping) and len(item) == 1:
        ((name, given),) = item.items()
        at: Steps = (i, name)
    elif isinstance(item, str):
        name, given, at = item, None, (i,)
    else:
        return None, [Fault((i,), f"an item of {where} is a name, or one name with settings, got {shown((i,))}")]
    try:
        entry = names[name]
    except UnknownName as error:
        return None, [Fault(at, str(error), at_key=True)]
    values, faults = entry.check(given, f"{where}.{name}", within(shown, at))
    own = {k: v for k, v in values.items() if entry.settings[k].required or v != entry.settings[k].usual}
    return {name: own} if own else name, [fault._replace(steps=(*at, *fault.steps)) for fault in faults]


def _faults(errors: Iterable[Any], value: Any, where: str, shown: Shown) -> Iterable[Fault]:
    """Yield a mistake for each value that pydantic refuses. Several errors on one value come from a union."""
    wanted: dict[tuple[int, ...], list[str]] = {}
    for error in errors:
        steps = error["loc"] if isinstance(value, list) else ()  # a mistake within a mapping is told of the whole
        position = tuple(step for step in steps if isinstance(step, int))
        wanted.setdefault(position, []).append(_requirement(error))
    for position, requirements in wanted.items():
        culprit, name = value, where
        for step in position:
            culprit, name = culprit[step], f"an item of {where}"
        found, hint = f"got {shown(position)}", ""
        if isinstance(culprit, str):
            if requirements[0].endswith("number") and NUMBER.fullmatch(culprit):
                found += ", which is text; remove the quotes"
            elif requirements[0].endswith("number"):
                found += plain_number(culprit)
            hint = did_you_mean(similar(culprit, chain.from_iterable(map(_choices, errors))))
        if requirements == ["a list"] and not isinstance(culprit, Mapping) and culprit not in (None, "") and not hint:
            hint = f" (write [{value_text(culprit)}])"
        yield Fault(position, f"{name} must be {' or '.join(dict.fromkeys(requirements))}, {found}{hint}")


def _requirement(error: Mapping[str, Any]) -> str:
    if choices := _choices(error):
        return "one of " + ", ".join(choices)
    words = {
        key: f"{value:,g}" if isinstance(value, float) else f"{value}" for key, value in error.get("ctx", {}).items()
    }
    if error["type"] in _REQUIREMENTS:
        return _REQUIREMENTS[error["type"]].format(**words)
    return str(error["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")  # a rule in the annotation


def _choices(error: Mapping[str, Any]) -> list[str]:
    """Return the values of a `Literal`, which pydantic lists as `'a', 'b' or 'c'`; none for another error."""
    return re.findall(r"'([^']*)'", error["ctx"]["expected"]) if error["type"] == "literal_error" else []
