"""Select the plots of finished results: the plots of the config, with the changes of the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dlsweep.errors import UsageError
from dlsweep.plots import plots
from dlsweep.registry import Choice
from dlsweep.text import nearest


def choices(
    asked: Iterable[Choice], kind: str | None, changes: Mapping[str, Any], default: str = "curves"
) -> list[Choice]:
    """Return the plots of a config with changed settings, only those of a `kind` if it is given; else a default plot.

    Only plots that have all changed settings are returned. Raise a `UsageError` with the reason for the first plot if
    there are none. A factor has one place: a new one replaces the former one. A logarithmic axis is kept for the same
    quantity only. A plot that is not registered here, because its plug-in is not installed, is returned unchanged.
    """
    if kind is not None:
        plots[kind]  # raises an error if the name is not registered
    chosen = [choice for choice in asked if kind in (None, choice.name)]
    if not chosen:
        chosen = [Choice(kind, {})] if kind else [Choice(default, {}), Choice("curves", {})]
    gone = [choice for choice in chosen if choice.name not in plots]
    changed = [_changed(choice, changes) for choice in chosen if choice not in gone]
    possible = [choice for choice in changed if not _mistake(choice)][: None if asked or kind else 1]
    possible += gone if not changes else []
    if not possible:
        raise UsageError(_mistake((changed or gone)[0]))
    return list(dict.fromkeys(possible))


def _changed(choice: Choice, changes: Mapping[str, Any]) -> Choice:
    defaults = {name: setting.default for name, setting in plots[choice.name].settings.items()}
    moved = {
        place: defaults[place] for place in plots[choice.name].places if choice.settings.get(place) in changes.values()
    }
    settings = {**choice.settings, **moved, **changes}
    if changes.get("y", choice.settings.get("y")) != choice.settings.get("y") and "log_y" in choice.settings:
        settings |= {"log_y": changes.get("log_y", defaults["log_y"])}
    return Choice(choice.name, settings)


def _mistake(choice: Choice) -> str:
    """Return a sentence on the first mistake in a plot's settings; "" if there is none."""
    if choice.name not in plots:
        return f"there is no plot {choice.name!r}{nearest(choice.name, plots)}"
    return plots[choice.name].mistake(choice.settings)
