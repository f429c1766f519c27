"""One registry class for everything that has a name in YAML.

A registered function's signature is its contract: positional parameters are what the program passes; keyword-only
parameters, with annotation and default, are the settings that YAML may give. Validation, JSON Schema, `dlsweep list`
and the contract tests all read them from there.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections import ChainMap
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from annotated_types import Ge, Gt, Lt

from dlsweep.errors import DlsweepError, UnknownName, UsageError
from dlsweep.marks import Off
from dlsweep.signatures import Contract, Signature
from dlsweep.sources import place
from dlsweep.text import nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

F = TypeVar("F", bound=Callable[..., Any])

# The kinds of number that settings share. An annotation is the one place that bounds a setting.
Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Ge(0), Lt(1)]
Strength = Annotated[float, Ge(0), Off(0)]
Ratio = Annotated[float, Ge(0), Lt(1), Off(0)]
Count = Annotated[int, Ge(1)]


@dataclass(frozen=True)
class Entry(Signature):
    """A registered function, with the content of its signature and its docstring."""

    passed: int = field(default=0, kw_only=True)  # how many positional parameters the program itself passes

    @property
    def shared(self) -> Collection[str]:
        """The settings that all entries of its kind have, and that a list describes once."""
        return ()

    def columns(self, choices: Sequence[Choice], dtype: Any) -> dict[str, Any]:
        """Return the settings of every run of a stack: numbers as arrays `(R,)`; the rest is the same for all.

        Where all runs agree the array has one element: then the elementwise loops that it takes part in are long ones.
        """
        import numpy as np

        arrays: dict[str, Any] = {}
        for name, setting in self.settings.items():
            values = [choice.settings[name] for choice in choices]
            if setting.stacks:
                arrays[name] = np.array(values[:1] if len(set(values)) == 1 else values, dtype)
            else:
                arrays[name] = values[0]
        return arrays

    def code(self, choice: Choice) -> Hashable:
        """Return the part of a choice that is the same in all runs of a stack."""
        return choice.name, *(repr(v) for name, v in choice.settings.items() if name not in self.stacking)

    @cached_property
    def stacking(self) -> frozenset[str]:
        """The settings in which the runs of a stack may differ."""
        return frozenset(name for name, setting in self.settings.items() if setting.stacks)

    @property
    def rest(self) -> tuple[str, ...]:
        """The positional parameters of its own: an optimizer's slots, an activation's learned parameters."""
        return self.positional[self.passed :]

    def is_off(self, settings: Mapping[str, Any]) -> bool:
        """Return True if it does nothing with these settings: every setting that can be off is off."""
        switches = {name: setting.off for name, setting in self.settings.items() if setting.off is not None}
        return bool(switches) and all(settings[name] == off for name, off in switches.items())

    def broken(self, promise: str, got: str) -> UsageError:
        """Return an error about a wrong result, with the function's file and line."""
        return UsageError(f"{self.kind} {self.name!r} ({place(self.function)}) must return {promise}, got {got}")

    @property
    def summary(self) -> str:
        """The first sentence or line of the docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def __call__(self, *args: Any, **settings: Any) -> Any:
        return self.function(*args, **settings)


@dataclass(frozen=True)
class Choice:
    """A registered name with every setting that it has, defaults filled in."""

    name: str
    settings: Mapping[str, Any]

    @cached_property
    def canonical(self) -> str:
        """The same text for the same meaning: JSON with sorted keys."""
        return json.dumps([self.name, self.settings], sort_keys=True, separators=(",", ":"))

    def __hash__(self) -> int:
        return hash(self.canonical)


class Registry:
    """Registered functions of one kind, by name.

    kind: what an entry is called in messages ("activation"); group: the entry-point group through which other
    packages register ("dlsweep.activations"); contract: what the signature of an entry must be.
    """

    def __init__(self, kind: str, group: str, contract: Contract | None = None):
        self.kind = kind
        self.group = group
        self.contract = contract
        self._entries: MutableMapping[str, Entry] = {}
        self._asked_plugins = False

    def register(self, function: F) -> F:
        """Decorator: add `function` under its own name (a trailing underscore is dropped: `none_` for `none`).

        A signature that breaks the registry's contract is a `UsageError`, which names the function's file and line; and
        so is a name that another module has taken. The same module may register it again, as a notebook does when a
        cell runs twice. Results that were trained with a function of another source are then refused, see
        `dlsweep.sources`.
        """
        self._add(self._name(function), function)
        return function

    def _name(self, function: Callable[..., Any]) -> str:
        """Return the name of a function that registers. Raise a `UsageError` with the caller's line if it has none."""
        name = getattr(function, "__name__", None)
        if isinstance(name, str) and name.isidentifier() and callable(function):
            return name.rstrip("_")
        frame = sys._getframe(2)
        raise UsageError(
            f"{frame.f_code.co_filename}:{frame.f_lineno}: only a function with a name registers as {self.kind}, "
            f"since a config gives this name, got {function!r}"
        )

    def _add(self, name: str, function: Callable[..., Any]) -> None:
        present = self._entries.get(name)
        if present and present.function.__module__ != function.__module__:
            raise UsageError(
                f"{function.__module__} registers the {self.kind} {name!r}, which {present.function.__module__} has "
                "registered already; give it another name"
            )
        entry = self._entry(name, function)
        if self.contract and (fault := self.contract.fault(entry)):
            raise UsageError(f"{self.kind} {name!r} ({place(function)}) {fault}")
        self._entries[name] = entry

    def _entry(self, name: str, function: Callable[..., Any]) -> Entry:
        return Entry(self.kind, name, function, passed=len(self.contract.passed) if self.contract else 0)

    def __getitem__(self, name: str) -> Entry:
        if name not in self._entries:
            self._load_plugins()
        if name not in self._entries:
            raise UnknownName(f"there is no {self.kind} {name!r}{nearest(name, self)}")
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        self._load_plugins()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._load_plugins()
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        self._load_plugins()
        return len(self._entries)

    def _load_plugins(self) -> None:
        """Import the functions that other packages register under this registry's entry-point group, once."""
        if not self._asked_plugins:
            self._asked_plugins = True
            try:
                for point in _offered(tuple(sys.path)).select(group=self.group):
                    self._add(point.name, self._load(point))
            except DlsweepError:
                self._asked_plugins = False  # the next caller gets this error as well
                raise

    def _load(self, point: EntryPoint) -> Callable[..., Any]:
        try:
            function: Callable[..., Any] = point.load()
            inspect.signature(function)
        except Exception as error:
            package = point.dist.name if point.dist else point.value
            raise DlsweepError(
                f"the package {package} offers the {self.kind} {point.name!r} (entry point in {self.group}), which "
                f"cannot be loaded: {type(error).__name__}: {error}"
            ) from error
        return function


class Joined(Registry):
    """The names of several registries together. New names are registered with one of them."""

    def __init__(self, kind: str, *registries: Registry):
        super().__init__(kind, "")
        self._registries = registries
        self._entries = ChainMap(*(registry._entries for registry in registries))

    def _load_plugins(self) -> None:
        for registry in self._registries:
            registry._load_plugins()


@cache
def imported(address: str) -> Any:
    """Return an object from its address, `module:name`."""
    module, _, name = address.partition(":")
    return getattr(import_module(module), name)


@lru_cache(maxsize=1)
def _offered(path: tuple[str, ...]) -> Any:
    """Return the entry points of all packages on a path, read once for all registries."""
    from importlib.metadata import entry_points

    return entry_points()
