"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

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
