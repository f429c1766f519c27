"""`dlsweep data`: list, fetch and import data sets, and check files of the user."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument

from dlsweep.cli.options import Json, Quiet
from dlsweep.cli.terminal import print_json, print_paths, say
from dlsweep.errors import UsageError
from dlsweep.tabular import table

if TYPE_CHECKING:
    from dlsweep.datasets import Dataset
    from dlsweep.registry import Choice

data = typer.Typer(
    help="List, fetch and import data sets; check your own.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[str, Argument(metavar="NAME", help="Name of a data set; see dlsweep data list.", show_default=False)]
BY_HAND = "Files that were downloaded by hand, or a folder with them."
FILE = "An .npz file, or a table: CSV or Parquet."
WORDS = "Settings as in a config, such as label=kind test=0.2."


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
    print_paths([source.folder])


@data.command("path")
def data_path(name: Name) -> None:
    """Print the folder of a data set, which may not exist yet."""
    from dlsweep.datasets import published_as

    print_paths([published_as(name).folder])


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
    if missing := take(source, files, say):
        say(f"{name} is not complete yet: {', '.join(file.name for file in missing)} missing")
    print_paths([source.folder])


@data.command("check")
def data_check(
    file: Annotated[Path, Argument(metavar="FILE", help=FILE, show_default=False)],
    words: Annotated[list[str] | None, Argument(metavar="key=value", help=WORDS)] = None,
    as_json: Json = False,
) -> None:
    """Show how a file of your own is understood, with notes on doubts, before anything is trained."""
    from dlsweep.datasets import open_dataset

    settings = [word.replace("=", ": ", 1) for word in words or ()]
    choice = _choice(file, words or [])
    opened = open_dataset(choice)
    facts = _facts(opened) | {"config": f"data: {{{choice.name}: {{{', '.join([f'path: {file}', *settings])}}}}}"}
    if as_json:
        print_json(facts)
        return
    least, most = min(facts["counts"]), max(facts["counts"])
    rows = [
        ["samples", ", ".join(f"{count:,} {split}" for split, count in opened.sizes.items() if count)],
        ["shape", "×".join(map(str, opened.shape)) + " (channels, height, width)" * (len(opened.shape) > 1)],
        ["input", f"{facts['low']:.4g} to {facts['high']:.4g}" + ", standardized" * facts["standardized"]],
        ["classes", f"{opened.classes}: {', '.join(facts['names'][:20])}" + ", …" * (opened.classes > 20)],
        ["of a class", f"{least:,}" + (f" to {most:,} training samples" if least < most else " training samples each")],
        ["in a config", facts["config"]],
    ]
    print(table(["file", str(file)], rows))
    for note in opened.notes:
        say(note)


def _choice(file: Path, words: list[str]) -> Choice:
    """Return the data set of a file with settings as on the command line."""
    from dlsweep.config.loading import first_arm
    from dlsweep.datasets import kind_of

    kind = kind_of(file)
    config = {"name": "check", "data": {kind: {"path": str(file)}}}
    chosen: Choice = first_arm(config, [f"data.{kind}.{word}" for word in words]).data
    return chosen


def _facts(opened: Dataset) -> dict[str, Any]:
    """Return a data set in numbers and words, for JSON."""
    import numpy as np

    from dlsweep.randomness import Seeds

    arrays = opened.drawn(Seeds(0)).arrays
    return {
        "sizes": dict(opened.sizes),
        "shape": opened.shape,
        "classes": opened.classes,
        "names": list(opened.names) or [str(label) for label in range(opened.classes)],
        "counts": np.bincount(arrays.t_train, minlength=opened.classes).tolist(),
        "low": float(arrays.x_train.min() * arrays.scale),
        "high": float(arrays.x_train.max() * arrays.scale),
        "standardized": arrays.standardized,
        "notes": list(opened.notes),
    }
