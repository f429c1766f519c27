"""`dlsweep data`: list, fetch and import data sets."""

from __future__ import annotations

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
    from dlsweep.datasets import named

    keys = ("name", "train", "test", "shape", "classes", "state", "credit")
    found = []
    for name, d in named().items():
        state = d.source.state if d.source else "bundled"
        found.append((name, d.sizes["train"], d.sizes["test"], d.shape, d.classes, state, d.credit))
    if as_json:
        print_json([dict(zip(keys, facts, strict=True)) for facts in found])
        return
    header = ["name", "train + test", "shape", "classes", "where", "credit"]
    rows = [
        [name, f"{train:,} + {test:,}", "×".join(map(str, shape)), f"{classes}", state, credit]
        for name, train, test, shape, classes, state, credit in found
    ]
    print(table(header, rows, [False, True, True, True, False, False]))


@data.command("get")
def data_get(name: Name, quiet: Quiet = False) -> None:
    """Fetch a data set into the cache, and print its folder."""
    from tqdm import tqdm

    from dlsweep.datasets import published_as
    from dlsweep.datasets.fetching import fetch

    source = published_as(name)
    total = sum(file.size for file in source.files)
    hidden = True if quiet or source.here else None  # None: except on a terminal
    with tqdm(total=total, unit="B", unit_scale=True, disable=hidden) as bar:
        fetch(source, (lambda sentence: None) if quiet else say, bar.update)
    print(source.folder)


@data.command("path")
def data_path(name: Name) -> None:
    """Print the folder of a data set, which may not exist yet."""
    from dlsweep.datasets import published_as

    print(published_as(name).folder)


@data.command("import")
def data_import(
    name: Name, files: Annotated[list[Path], Argument(metavar="FILES", help=BY_HAND, show_default=False)]
) -> None:
    """Check downloaded files, and copy them into the cache."""
    from dlsweep.datasets import published_as
    from dlsweep.datasets.fetching import take

    source = published_as(name)
    if source.bundled:
        raise UsageError(f"{name} comes with its package; there is nothing to import")
    if missing := take(source, files):
        say(f"{name} is not complete yet: {', '.join(file.name for file in missing)} missing")
    print(source.folder)
