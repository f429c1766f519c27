"""`dlsweep export`: results in the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from dlsweep.cli.options import OneSweep
from dlsweep.cli.terminal import print_paths
from dlsweep.storage.location import located

TO = "Format: csv, tensorboard (a folder of event files) or mlflow (a SQLite store)."
OUTPUT = "File or folder to write."
TABLE = "Table of a CSV file: runs (the default), curves, layers, predictions or ensembles."


def export(
    results: OneSweep,
    output: Annotated[Path, Option("-o", "--output", parser=located, metavar="PATH", help=OUTPUT, show_default=False)],
    to: Annotated[str, Option(metavar="FORMAT", help=TO)] = "csv",
    table: Annotated[str | None, Option(metavar="NAME", help=TABLE)] = None,
    force: Annotated[bool, Option("--force", help="Replace a file or folder that exists.")] = False,
) -> None:
    """Write results in the format of another program, and print the path."""
    import dlsweep

    print_paths([dlsweep.export(dlsweep.open_results(results), to, output=output, table=table, force=force)])
