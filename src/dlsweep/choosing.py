"""Which plots to draw of finished results: those of the config, changed as the command line asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dlsweep.config.plots import PLACES
from dlsweep.config.runs import Choice
from dlsweep.errors import UsageError
from dlsweep.plots import plots
from dlsweep.registry import nearest


def choices(
    asked: Iterable[Choice], kind: str | None, changes: Mapping[str, Any], default: str = "curves"
) -> list[Choice]:
    """The plots that were asked for, of one `kind` if it is given, with changed settings; else one as it is by default.

    Of several plots these are the ones that can be changed so; if none can, a `UsageError` says why the first cannot.
    A factor that is given a place leaves the place that it had. A log axis does not pass on to another quantity.
    """
    if kind is not None:
        plots[kind]  # a name that is not there is an error of its own
    chosen = [choice for choice in asked if kind in (None, choice.name)]
    if not chosen:
        chosen = [Choice(kind, {})] if kind else [Choice(default, {}), Choice("curves", {})]
    changed = [_changed(choice, changes) for choice in chosen]
    possible = [choice for choice in changed if not _mistake(choice)][: None if asked or kind else 1]
    if not possible:
        raise UsageError(_mistake(changed[0]))
    return list(dict.fromkeys(possible))


def _changed(choice: Choice, changes: Mapping[str, Any]) -> Choice:
    defaults = {name: setting.default for name, setting in plots[choice.name].settings.items()}
    moved = {place: defaults[place] for place in PLACES if choice.settings.get(place) in changes.values()}
    settings = {**choice.settings, **moved, **changes}
    if changes.get("y", choice.settings.get("y")) != choice.settings.get("y") and "log_y" in choice.settings:
        settings |= {"log_y": changes.get("log_y", defaults["log_y"])}
    return Choice(choice.name, settings)


def _mistake(choice: Choice) -> str:
    """What is wrong with a plot's settings, in a sentence; "" if nothing is."""
    from pydantic import ValidationError

    known = plots[choice.name].settings
    for name in choice.settings:
        if name not in known:
            return f"{choice.name} has no setting {name!r}{nearest(name, known)}"
    try:
        plots[choice.name].model(**choice.settings)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{choice.name}: {first['loc'][0]}: {first['msg']}, got {first['input']!r}"
    return ""
