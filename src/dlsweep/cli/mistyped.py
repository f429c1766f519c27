"""Sentences on a command line that Typer cannot read, in the voice of all other messages."""

from __future__ import annotations

import re
from typing import Any

from dlsweep.text import nearest, similar


def sentence(error: Any) -> str:
    """Return a sentence on an error of Typer's parser; "" where help is shown."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return ""
    context, message = error.ctx, error.format_message()
    message = message[:1].lower() + message[1:].rstrip(".")
    if context is None:
        return f"dlsweep: {message}"
    command, path = context.command, context.command_path
    named = [name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)]
    options = [name for name in (*named, *context.help_option_names) if name.startswith("-")]
    option = getattr(error, "option_name", None)
    if option and option not in options:
        long = [name for name in options if name.startswith("--")]
        return f"{path} has no option {option!r}{_setting(command.name, option, long) or nearest(option, long)}"
    if found := re.match("no such command '(.*?)'", message):
        return f"{path} has no command {found[1]!r}{nearest(found[1], command.commands)}"
    return f"{path}: {message}; {path} -h shows its arguments and options"


def _setting(command: str | None, option: str, options: list[str]) -> str:
    """Return a hint that a key of the config is no option of `dlsweep run`; "" if the word is nearer to an option."""
    from dlsweep.config.words import KEYS

    word = option.lstrip("-").replace("-", "_").partition("=")[0]
    near = similar(word, [*KEYS, *(name[2:].replace("-", "_") for name in options)]) if command == "run" else None
    return f"; a key of the config has no dashes: {near}=…" if near in KEYS else ""
