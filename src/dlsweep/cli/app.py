"""Commands of `dlsweep` and their exit codes. Commands import heavy modules in their functions."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated, Any

import typer
from typer import Option

import dlsweep
from dlsweep.cli.data import data
from dlsweep.cli.explain import explain
from dlsweep.cli.listing import list_, schema
from dlsweep.cli.results import plot, show
from dlsweep.cli.run import run
from dlsweep.cli.terminal import say
from dlsweep.errors import DlsweepError

app = typer.Typer(
    help="Answer comparison questions about deep learning: a YAML grid in, paired curves and figures out.",
    epilog="Start with: dlsweep run configs/activation_init.yaml",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(run)
app.command()(plot)
app.command()(show)
app.command("list")(list_)
app.command()(schema)
app.add_typer(data, name="data")
app.add_typer(explain, name="explain")


def main() -> None:
    """Run the command line. An error prints a sentence to stderr, and ends with its exit code."""
    warnings.showwarning = _warn
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal may lack some characters
    try:
        try:
            app(prog_name="dlsweep")
        finally:
            sys.stdout.flush()
    except DlsweepError as error:
        say(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader (`| head`) has ended. The rest of the buffer is discarded, without an error message at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}" if error.filename else error, file=sys.stderr)
        sys.exit(1)


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
