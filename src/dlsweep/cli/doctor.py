"""`dlsweep doctor`: the parts of the environment, and their faults."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Option

from dlsweep.cli.options import Json
from dlsweep.cli.terminal import print_json
from dlsweep.storage.location import located
from dlsweep.text import plural, printable

OUTPUT = Option("-o", "--output", parser=located, metavar="DIR", help="Try this folder for results.")


def doctor(output: Annotated[Path, OUTPUT] = Path("results"), as_json: Json = False) -> int:
    """Examine the environment: Python, packages, BLAS, cores, memory, limits, workers, disk, data, fonts.

    Exit code 0: everything works; 1: something is wrong, and a sentence says what to do.
    """
    from dlsweep.doctor import examine

    found = []
    for one in examine(output):
        found.append(one)
        if not as_json:
            print(f"{'wrong' if one.wrong else 'ok':<6}{one.part}: {printable(one.found)}")
            if one.wrong:
                print(f"      {printable(one.wrong)}", flush=True)
    wrong = [one for one in found if one.wrong]
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        print(f"\n{plural(len(wrong), 'thing')} to mend." if wrong else "\nEverything works.")
    return 1 if wrong else 0
