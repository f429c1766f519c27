"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from dlsweep.cli.terminal import say
from dlsweep.errors import UsageError

if TYPE_CHECKING:
    from dlsweep.storage.results import Results as Sweep

Results = Annotated[Path, Argument(metavar="RESULTS", help="Folder of a sweep, or of several sweeps.")]
Formats = Annotated[str, Option("--format", metavar="LIST", help="Formats of figures: png, svg, pdf, or several.")]
Json = Annotated[bool, Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, Option("-q", "--quiet", help="Print errors only.")]


def suffixes(formats: str) -> list[str]:
    """Return the formats of figures after a check, before anything is trained."""
    from dlsweep.plots.figures import check_formats

    names = [name.strip().lower() for name in formats.split(",")]
    check_formats(names)
    return names


def begun(sweeps: list[Sweep], do: str) -> list[Sweep]:
    """Return the sweeps that have runs to plot or to show; report the others."""
    ready = [sweep for sweep in sweeps if not sweep.runs.empty]
    waiting = [f"there is nothing to {do} in {s.folder}: no run is done yet" for s in sweeps if s.runs.empty]
    if not ready:
        raise UsageError("\n".join(waiting))
    for sentence in waiting:
        say(sentence)
    return ready
