"""`dlsweep verify`: train a random sample of runs again, and compare every bit."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from typer import Option

from dlsweep.cli.options import AtLeast0, AtLeast1, Json, OneSweep, Quiet, checked
from dlsweep.cli.run import JOBS
from dlsweep.cli.terminal import print_json
from dlsweep.tabular import table
from dlsweep.text import plural, printable

if TYPE_CHECKING:
    from dlsweep.verifying import Verification

RUNS = Option(parser=checked("--runs", AtLeast1), metavar="N", help="Number of runs to train again.")
SAME = "Choose the same runs as the sample with this number; default: another sample each time."
SAMPLE = Option(parser=checked("--sample", AtLeast0), metavar="NUMBER", help=SAME)


def verify(
    results: OneSweep,
    runs: Annotated[int, RUNS] = 3,
    sample: Annotated[int | None, SAMPLE] = None,
    jobs: Annotated[int | None, JOBS] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Train a random sample of runs again, and compare all their numbers with the results.

    Exit code 0: they are the same; 1: a run differs; 4: a file of the results is damaged. On the machine that trained
    the results, every bit counts. On another one, final metrics may differ by what rounding may change.
    """
    from dlsweep import machine
    from dlsweep.execution import startup
    from dlsweep.progress import Progress
    from dlsweep.verifying import verify as verified

    if (jobs or machine.cores()) > 1:
        startup.warm_up()
    found = verified(results, runs=runs, sample=sample, jobs=jobs, report=Progress(str(results.name), quiet=quiet))
    if as_json:
        print_json(asdict(found))
    else:
        print(_text(found))
    return found.exit_code


def _text(found: Verification) -> str:
    """Format a verification for a person."""
    from dlsweep.verifying import NEAR

    header = ["arm", "seed", "outcome"]
    lines = [table(header, [[printable(run.arm), run.seed, run.outcome] for run in found.runs]), ""]
    lines += [f"{printable(run.arm)}, seed {run.seed}: {run.where}" for run in found.runs if run.where]
    counts = f"{plural(len(found.runs), 'run')} of {found.total} trained again (--sample {found.sample})"
    elsewhere = sum(not run.exact for run in found.runs)
    far = sum(run.outcome == "different" for run in found.runs)
    if far:
        end = f"{far} of them {'differs' if far == 1 else 'differ'} from the results."
    elif not elsewhere:
        end = "all have the same bits."
    else:
        end = "all agree with the results."
    if elsewhere:
        allowed = f"{NEAR['accuracy']:g} of a final accuracy, and {NEAR['loss']:.0%} of a final loss".replace("%", " %")
        end += f" {elsewhere} of {len(found.runs)} come from another machine or other versions: {allowed} may differ."
    if found.changed:
        end += f" {plural(found.changed, 'run')} could not be chosen, because their data has changed since."
    return "\n".join([*lines, f"{counts}: {end}"])
