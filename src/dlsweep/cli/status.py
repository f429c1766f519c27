"""`dlsweep status`: the progress of sweeps, from another terminal or machine."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from dlsweep.cli.each import each
from dlsweep.cli.options import Above0, Json, Results, checked
from dlsweep.cli.terminal import print_json
from dlsweep.errors import Unreadable
from dlsweep.text import printable

if TYPE_CHECKING:
    from dlsweep.storage.results import Results as Sweep

WATCH = "Print the status again when it changes, until no process works on the sweeps."
EVERY = Option(parser=checked("--every", Above0), metavar="SECONDS", help="Seconds between two looks of --watch.")


def status(
    results: Results,
    watch: Annotated[bool, Option("-w", "--watch", help=WATCH)] = False,
    every: Annotated[float, EVERY] = 2.0,
    as_json: Json = False,
) -> int:
    """Show the progress of a sweep: runs on disk, the process that trains, its rate and the time left.

    It only reads the folder of the results, so it may run on any machine that shares this folder.
    """
    from dlsweep.status import Status, Watch, sentence

    watches: dict[str, Watch] = {}
    found: dict[str, Status] = {}
    shown = ""

    def look(sweep: Sweep) -> None:
        place = str(sweep.folder)
        found[place] = watches.setdefault(place, Watch()).look(sweep)

    while True:
        try:
            each([results], "report", look, begun=False)
        except Unreadable:
            if not (watch and found):
                raise  # else a file was replaced at this moment, and the next look reads the new one
        if as_json:
            print_json([_data(one) for one in found.values()])
        elif (text := "\n".join(map(sentence, found.values()))) != shown:
            print("\n".join(map(printable, text.splitlines())), flush=True)
            shown = text
        if not watch or not any(one.holder for one in found.values()):
            return 0
        try:
            time.sleep(every)
        except KeyboardInterrupt:
            return 130


def _data(found: Any) -> dict[str, Any]:
    return {**asdict(found), "done": found.done, "left": found.left, "seconds_left": found.seconds_left}
