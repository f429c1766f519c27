"""`dlsweep data`: list, fetch and import data sets."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument

from dlsweep.cli.options import Json, Quiet
from dlsweep.cli.terminal import print_json, say
from dlsweep.errors import UsageError
from dlsweep.text import table

data = typer.Typer(help="List, fetch and import data sets.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, Argument(metavar="NAME", help="Name of a data set; see dlsweep data list.", show_default=False)]
BY_HAND = "Files that were downloaded by hand, or a folder with them."


@data.command("list")
def data_list(as_json: Json = False) -> None:
    """List the data sets and their states."""
    from dlsweep.datasets.catalogue import items

    found = items()
    if as_json:
        print_json([asdict(item) for item in found])
        return
    header = ["name", "train + test", "shape", "classes", "where", "credit"]
    shapes = ["×".join(map(str, i.shape)) for i in found]
    rows = [
        [i.name, f"{i.train:,} + {i.test:,}", shape, f"{i.classes}", i.state, i.credit]
        for i, shape in zip(found, shapes)
    ]
    print(table(header, rows, [False, True, True, True, False, False]))


@data.command("get")
def data_get(name: Name, quiet: Quiet = False) -> None:
    """Fetch a data set into the cache, and print its folder."""
    from tqdm import tqdm

    from dlsweep.datasets.catalogue import dataset_of, folder_of
    from dlsweep.datasets.fetching import fetch

    source = dataset_of(name).source
    if source and not source.here:
        total = sum(file.size for file in source.files)
        hidden = True if quiet else None  # None: except on a terminal
        with tqdm(total=total, unit="B", unit_scale=True, disable=hidden) as bar:
            fetch(source, (lambda sentence: None) if quiet else say, bar.update)
    print(folder_of(name))


@data.command("path")
def data_path(name: Name) -> None:
    """Print the folder of a data set, which may not exist yet."""
    from dlsweep.datasets.catalogue import folder_of

    print(folder_of(name))


@data.command("import")
def data_import(
    name: Name, files: Annotated[list[Path], Argument(metavar="FILES", help=BY_HAND, show_default=False)]
) -> None:
    """Check downloaded files, and copy them into the cache."""
    from dlsweep.datasets.catalogue import dataset_of, folder_of
    from dlsweep.datasets.fetching import take

    source = dataset_of(name).source
    if source is None:
        raise UsageError(f"{name} comes with its package; there is nothing to import")
    if missing := take(source, files):
        say(f"{name} is not complete yet: {', '.join(file.name for file in missing)} missing")
    print(folder_of(name))
