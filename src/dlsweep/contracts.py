"""The contract of a registry: the signature that its functions must have, checked where they register."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field

from dlsweep.errors import UsageError
from dlsweep.signatures import Signature


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
