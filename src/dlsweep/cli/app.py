"""Commands of `dlsweep` and their exit codes. Commands import heavy modules in their functions."""

from __future__ import annotations

import atexit
import logging
import os
import re
import resource
import sys
import warnings
from collections.abc import Sequence
from copy import copy
from typing import Annotated, Any

import typer
from typer import Option

import dlsweep
from dlsweep.cli.check import check
from dlsweep.cli.data import data
from dlsweep.cli.diff import diff
from dlsweep.cli.doctor import doctor
from dlsweep.cli.effects import effects
from dlsweep.cli.explain import explain
from dlsweep.cli.export import export
from dlsweep.cli.init import init
from dlsweep.cli.listing import list_, schema
from dlsweep.cli.merge import merge
from dlsweep.cli.plot import plot
from dlsweep.cli.run import run
from dlsweep.cli.show import show
from dlsweep.cli.status import status
from dlsweep.cli.terminal import output, say
from dlsweep.cli.verify import verify
from dlsweep.errors import DlsweepError, UsageError
from dlsweep.text import nearest, similar, size

app = typer.Typer(
    help="Answer comparison questions about deep learning: a YAML grid in, paired curves and figures out.",
    epilog="Start with: dlsweep run example:activation_init; dlsweep init lists all examples.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (run, plot, show, effects, check, diff, export, merge, status, verify, doctor, init, list_, schema):
    app.command(command.__name__.rstrip("_"))(command)
app.add_typer(data, name="data")
app.add_typer(explain, name="explain")


# Bytes of address space that the imports of a command take, with a margin.
LEAST = 800_000_000


def main() -> None:
    """Run the command line. A command returns its exit code; an error prints a sentence to stderr, and has its own."""
    warnings.showwarning = _warn
    logging.disable(logging.WARNING)  # of libraries
    try:
        with output():
            _check_address_space()
            sys.exit(_called(sys.argv[1:])(prog_name="dlsweep", standalone_mode=False))
    except DlsweepError as error:
        say(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader (`| head`) has ended
        sys.exit(1)
    except Exception as error:
        if hasattr(error, "format_message"):  # of Typer's parser
            _tell(error)
        if not (sentence := _sentence(error)):
            raise
        say(sentence)
        atexit._run_exitfuncs()
        os._exit(1)  # with too few threads or too little memory, libraries crash at the usual end


def _called(arguments: Sequence[str]) -> typer.Typer:
    """Return the app with the called command alone, since Typer reads the signatures of all commands of an app."""
    one, first = copy(app), arguments[0] if arguments else ""
    one.registered_commands = [c for c in app.registered_commands if c.name == first]
    one.registered_groups = [group for group in app.registered_groups if group.name == first]
    return one if one.registered_commands or one.registered_groups else app


def _tell(error: Any) -> None:
    """Print a sentence, or the help that was asked for, on an error of Typer's parser, and end with its exit code."""
    if sentence := _mistyped(error):
        say(sentence)
    else:
        error.show()
    sys.exit(error.exit_code)


def _mistyped(error: Any) -> str:
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


def _check_address_space() -> None:
    """Raise a `UsageError` if `ulimit -v` is too low; with any limit, let Arrow reserve less than a gigabyte."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
        if limit < LEAST:
            raise UsageError(f"dlsweep needs {size(LEAST)} of address space, but ulimit -v allows {size(limit)}")


def _sentence(error: Exception) -> str:
    """Return a sentence on an error that comes from the system; "" for other errors."""
    if isinstance(error, MemoryError) or "failed to map segment" in str(error):
        return "memory ran out (see also ulimit -v); finished runs are kept"
    if "worker thread" in str(error) or "new thread" in str(error):
        return "the system allows no more processes or threads to this user (see ulimit -u); finished runs are kept"
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return ""


def _warn(message: Warning | str, *place: Any, **more: Any) -> None:
    say(f"warning: {message}")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"dlsweep {dlsweep.__version__}")
        raise typer.Exit


Version = Annotated[bool, Option("--version", callback=_version, is_eager=True, help="Print the version.")]


@app.callback()
def _options(version: Version = False) -> None:
    pass
