"""Which plots to draw of finished results: those of the config, changed as the command line asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dlsweep.config.plots import PLACES
from dlsweep.config.runs import Choice
from dlsweep.errors import UsageError
from dlsweep.plots import plots


def choices(
    asked: Iterable[Choice], kind: str | None, changes: Mapping[str, str], default: str = "curves"
) -> list[Choice]:
    """The plots that were asked for, of one `kind` if it is given, with changed settings; else one as it is by default.
    Without a `kind`, these are the plots that have such settings.

    A factor that is given a place leaves the place that it had. A log axis does not pass on to another quantity.
    """
    if kind is not None:
        plots[kind]  # a name that is not there is an error of its own
    wanted = (choice for choice in asked if choice.name == kind or (kind is None and _has(choice.name, changes)))
    chosen = [*wanted] or [Choice(kind or (default if _has(default, changes) else "curves"), {})]
    changed: dict[Choice, None] = {}
    for choice in chosen:
        moved = {place: None for place in PLACES if choice.settings.get(place) in changes.values()}
        settings = {**choice.settings, **moved, **changes}
        if changes.get("y", choice.settings.get("y")) != choice.settings.get("y"):
            settings |= {name: plots[choice.name].settings[name].default for name in ("log_y",) if name in settings}
        changed[_checked(Choice(choice.name, settings))] = None
    return list(changed)


def _has(kind: str, changes: Mapping[str, str]) -> bool:
    """Whether a plot has the settings that are changed."""
    return changes.keys() <= plots[kind].settings.keys() if kind in plots else not changes


def _checked(choice: Choice) -> Choice:
    from pydantic import ValidationError

    try:
        plots[choice.name].model(**choice.settings)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{choice.name}: {first['loc'][0]}: {first['msg']}, got {first['input']!r}") from None
    return choice
