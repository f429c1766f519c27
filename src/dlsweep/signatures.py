"""The settings of a function together: their check and their completion; and the signature that a registry asks for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_type_hints

from dlsweep.errors import UsageError
from dlsweep.settings import Fault, Setting, Shown, Steps, within
from dlsweep.sources import place
from dlsweep.text import nearest, value_text


@dataclass(frozen=True)
class Signature:
    """The settings of a registered function."""

    kind: str
    name: str
    function: Callable[..., Any]

    @cached_property
    def settings(self) -> Mapping[str, Setting]:
        """The settings by name, in the order of the signature."""
        try:
            hints = get_type_hints(self.function, include_extras=True)
        except Exception as error:
            raise UsageError(
                f"{self.kind} {self.name!r} ({place(self.function)}) has a type that cannot be read: "
                f"{type(error).__name__}: {error}"
            ) from error
        keywords = (p for p in inspect.signature(self.function).parameters.values() if p.kind is p.KEYWORD_ONLY)
        return {p.name: Setting(p.name, hints[p.name], p.default) for p in keywords}

    @property
    def short(self) -> str | None:
        """The setting that a value without a name belongs to, as in `{dropout: 0.5}`: the first one."""
        return next(iter(self.settings), None)

    @cached_property
    def positional(self) -> tuple[str, ...]:
        """The names of the parameters that the program passes."""
        return tuple(
            p.name for p in inspect.signature(self.function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD
        )

    @property
    def foreign(self) -> bool:
        """True if another package registers it."""
        return self.function.__module__.partition(".")[0] != __name__.partition(".")[0]

    def check(self, given: Any, where: str = "", shown: Shown | None = None) -> tuple[dict[str, Any], list[Fault]]:
        """Return settings in the types of their annotations, and the mistakes in them.

        given: a mapping, the value of the first setting, or None; where: the name in sentences, "optimizer.sgd"; shown:
        how a sentence shows a value.

        >>> from dlsweep.nn.optimizers import optimizers
        >>> optimizers["sgd"].check({"lr": 1})
        ({'lr': 1.0}, [])
        >>> optimizers["sgd"].check({"lr": 0})[1][0].sentence
        'sgd.lr must be above 0, got 0'
        """
        where, values, faults = where or self.name, dict[str, Any](), list[Fault]()
        named = self.named(given)
        show: Shown = shown or (lambda steps: _shown(given, steps))
        if not isinstance(named, Mapping):
            return {}, [Fault((), f"{self.needs_mapping(where)}, got {show(())}")]
        for name, value in named.items():
            if name not in self.settings:
                faults.append(Fault((name,), self.unknown(name, where), at_key=True))
                continue
            at: Steps = (name,) if isinstance(given, Mapping) else ()
            values[name], found = self.settings[name].check(value, f"{where}.{name}", within(show, at))
            faults += [fault._replace(steps=(*at, *fault.steps)) for fault in found]
        faults += [Fault((names[-1],), sentence) for names, sentence in self.clashes(values, where)]
        if not faults:
            faults = [Fault((), sentence, at_key=True) for sentence in self.missing(named, where)]
        return values, faults

    def named(self, given: Any) -> Any:
        """Return settings as a mapping by name; a value without a name is the first setting's."""
        if given is None:
            return {}
        return {self.short: given} if self.short and not isinstance(given, Mapping) else given

    def needs_mapping(self, where: str) -> str:
        """Return the beginning of a message about settings that are no mapping."""
        example = next(iter(self.settings), None)
        hint = f"a mapping such as {{{example}: …}}" if example else "removed, since it has no settings"
        return f"settings of {where} must be {hint}"

    def unknown(self, name: str, where: str) -> str:
        """Return a message about a setting that does not exist."""
        return f"{where} has no setting {str(name)!r}{nearest(name, self.settings) or '; it has none at all'}"

    def missing(self, given: Container[str], where: str) -> list[str]:
        """Return a message for every required setting that is not given."""
        names = [name for name, setting in self.settings.items() if setting.required and name not in given]
        return [f"{where} needs the setting {name!r}, as in {{{self.name}: {{{name}: …}}}}" for name in names]

    def clashes(self, given: Iterable[str], where: str) -> Iterator[tuple[list[str], str]]:
        """Yield the settings that spell one quantity together, each time with a message."""
        spelled: dict[str, list[str]] = {}
        for name in given:
            spelled.setdefault(self.settings[name].quantity, []).append(name)
        for names in spelled.values():
            if len(names) > 1:
                yield names, f"{where} has both {' and '.join(names)}; give one of them"

    def complete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return every setting: the given ones, and defaults for the rest.

        >>> from dlsweep.nn.optimizers import optimizers
        >>> optimizers["momentum"].complete({"lr": 0.1})
        {'lr': 0.1, 'alpha': 0.9}
        """
        spelled = {self.settings[name].quantity for name in given if name in self.settings}
        usual = {
            name: None if setting.quantity in spelled else setting.usual
            for name, setting in self.settings.items()
            if not setting.required
        }
        return {**usual, **given}

    def changed(self, settings: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
        """Return settings with one of them changed; other spellings of its quantity become null."""
        return {**settings, **dict.fromkeys(self.spellings(name), None), name: value}

    def spellings(self, name: str) -> list[str]:
        """Return the settings that spell the same quantity as a setting: itself, and its rivals."""
        asked = self.settings.get(name)
        return [n for n, setting in self.settings.items() if asked and setting.quantity == asked.quantity]

    def told(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings as a normal form has them: without nulls that earlier versions lack, or a rival replaces."""
        return {
            name: value
            for name, value in settings.items()
            if value is not None or not (self.settings[name].added or self._replaced(settings, name))
        }

    def _replaced(self, settings: Mapping[str, Any], name: str) -> bool:
        return any(settings.get(rival) is not None for rival in self.spellings(name))

    def idle(self, settings: Mapping[str, Any]) -> set[str]:
        """Return settings without effect: another one spells their quantity, or the setting that they need is null."""
        return {
            name
            for name, setting in self.settings.items()
            if (setting.quantity != name and settings[name] is None)
            or (setting.needs and settings[setting.needs] is None)
        }


def _shown(given: Any, steps: Steps) -> str:
    """Return a value within settings, as a sentence shows it."""
    for step in steps:
        given = given[step]
    return "nothing" if given is None else repr(given) if isinstance(given, str) else value_text(given)


@dataclass(frozen=True)
class Contract:
    """The signature that a registry asks of its functions; checked when one registers.

    passed: the positional parameters, in their order; a function may give them other names. rest: the meaning of
    further ones ("slots"); "" where there are none. needs: settings that it must have, each with the reason; with_rest:
    those that it must have if it has further positional parameters.
    """

    passed: tuple[str, ...] = ()
    rest: str = ""
    needs: Mapping[str, str] = field(default_factory=dict)
    with_rest: Mapping[str, str] = field(default_factory=dict)

    def fault(self, signature: Signature) -> str:
        """Return the mistake in a function's signature, as the end of a sentence; "" if there is none.

        The defaults of dlsweep's own entries have tests.
        """
        try:
            parameters = inspect.signature(signature.function).parameters.values()
        except (TypeError, ValueError):  # compiled, or not a function
            return "must be a function whose parameters can be read; define a Python function that calls it"
        for p in parameters:
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                star = "*" * (1 + (p.kind is p.VAR_KEYWORD))
                return f"must name each of its parameters, since they are its settings, and has {star}{p.name}"
            if p.kind is p.KEYWORD_ONLY and p.annotation is p.empty:
                return f"must have a type for its setting {p.name!r}, as in {p.name}: float = 0.1"
        given = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
        rest = given[len(self.passed) :]
        if len(given) < len(self.passed) or (rest and not self.rest):
            asked = ", ".join([*self.passed, *([f"then its {self.rest}"] if self.rest else [])])
            needed = f"the positional parameters {asked}" if asked else "no positional parameters"
            return f"must take {needed}, and has {', '.join(given) or 'none'}; settings come after a *"
        keywords = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
        needs = {**self.needs, **(self.with_rest if rest else {})}
        for name, reason in needs.items():
            if name not in keywords:
                return f"must have a keyword-only setting {name!r}, because {reason}"
        try:
            settings = signature.settings
        except UsageError:  # a type that cannot be read may be defined later in its module
            return ""
        for name, reason in needs.items():
            if settings[name].number is None or type(settings[name].default) not in (int, float):
                told = f"must have a number with a default as its setting {name!r}"
                return f"{told}, as in {name}: float = 0.1, because {reason}"
        found = (setting.refused_default() for setting in settings.values()) if signature.foreign else iter(())
        return next(filter(None, found), "")
