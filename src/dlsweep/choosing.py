"""Which plots to draw of finished results: those of the config, changed as the command line asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dlsweep.config.plots import PLACES
from dlsweep.config.runs import Choice
from dlsweep.errors import UsageError
from dlsweep.plots import plots


def choices(asked: Iterable[Choice], kind: str | None, changes: Mapping[str, str]) -> list[Choice]:
    """The plots that were asked for, of one `kind` if it is given, with changed settings; else one as it is by default.

    A factor that is given a place leaves the place that it had. A log axis does not pass on to another quantity.
    """
    if kind is not None:
        plots[kind]  # a name that is not there is an error of its own
    chosen = [choice for choice in asked if kind in (None, choice.name)] or [Choice(kind or "curves", {})]
    changed: dict[Choice, None] = {}
    for choice in chosen:
        moved = {place: None for place in PLACES if choice.settings.get(place) in changes.values()}
        settings = {**choice.settings, **moved, **changes}
        if changes.get("y", choice.settings.get("y")) != choice.settings.get("y"):
            settings |= {name: plots[choice.name].settings[name].default for name in ("log_y",) if name in settings}
        changed[_checked(Choice(choice.name, settings))] = None
    return list(changed)


def _checked(choice: Choice) -> Choice:
    from pydantic import ValidationError

    try:
        plots[choice.name].model(**choice.settings)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{choice.name}: {first['loc'][0]}: {first['msg']}, got {first['input']!r}") from None
    return choice
