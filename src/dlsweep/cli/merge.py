"""`dlsweep merge`: unite the shards of a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument

from dlsweep.cli.options import Json, Quiet
from dlsweep.cli.terminal import print_json, say
from dlsweep.storage.location import located
from dlsweep.text import plural

TARGET = "Folder for the whole sweep; it may exist."


def merge(
    target: Annotated[Path, Argument(parser=located, metavar="TARGET", help=TARGET, show_default=False)],
    shards: Annotated[
        list[Path], Argument(parser=located, metavar="SHARD…", help="Folders with runs of it.", show_default=False)
    ],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Unite folders that hold runs of one sweep, such as its shards. They stay as they are.

    A run is there once, however many folders have it. Exit code 2: a folder belongs to a different config; 4: a part is
    damaged, or two folders have different numbers for one run.
    """
    from dlsweep.storage.made_by import mixture
    from dlsweep.storage.merging import merge as united

    found = united(target, shards)
    machines = found.results.machines
    for note in found.notes:
        say(note)
    if as_json:
        numbers = {"added": found.added, "known": found.known, "missing": found.missing}
        each = [{**made._asdict(), "runs": count} for made, count in sorted(machines.items())]
        print_json({"folder": str(target), **numbers, "machines": each})
    elif not quiet:
        known = f", {found.known} known already" if found.known else ""
        say(f"{target}: {plural(found.added, 'run')} added{known}")
    if quiet:
        return
    if found.missing:
        say(f"{plural(found.missing, 'run')} of the sweep are in none of these folders; `dlsweep run` trains them")
    if mixed := mixture(machines):
        say(mixed)
