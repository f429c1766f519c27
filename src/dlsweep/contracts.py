"""The signature that a registry asks of its functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


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

    def broken(self, function: Callable[..., Any]) -> str:
        """Return the mistake in a function's signature, as the end of a sentence; "" if there is none."""
        parameters = inspect.signature(function).parameters.values()
        for p in parameters:
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                star = "*" * (1 + (p.kind is p.VAR_KEYWORD))
                return f"must name each of its parameters, since they are its settings, and has {star}{p.name}"
            if p.kind is p.KEYWORD_ONLY and p.annotation is p.empty:
                return f"must have a type for its setting {p.name!r}, as in {p.name}: float = 0.1"
        given = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
        rest = given[len(self.passed) :]
        if len(given) < len(self.passed) or (rest and not self.rest):
            asked = ", ".join([*self.passed, *([f"then its {self.rest}"] if self.rest else [])]) or "none"
            found = ", ".join(given) or "none"
            return f"must take the positional parameters {asked}, and has {found}; settings come after a *"
        settings = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
        for name, reason in {**self.needs, **(self.with_rest if rest else {})}.items():
            if name not in settings:
                return f"must have a keyword-only setting {name!r}, because {reason}"
        return ""


def place(function: Callable[..., Any]) -> str:
    """Return the file and line where a function stands, for a message; its module where it has no source."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else function.__module__
