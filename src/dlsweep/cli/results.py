"""`dlsweep plot` and `dlsweep show`: figures and the closing table of finished sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from dlsweep.cli.options import Formats, Json, Quiet, Results, suffixes
from dlsweep.cli.terminal import print_json, print_paths, say
from dlsweep.errors import UsageError

if TYPE_CHECKING:
    from dlsweep.storage.results import Results as Sweep

Y = "Metric, such as test_loss or best_test_accuracy."
X = "Such as epoch; or optimizer.lr for a response."
ARM = "Level of the arm whose networks are shown: activation=relu. Repeatable."


def plot(
    results: Results,
    kind: Annotated[str | None, Option("-k", "--kind", metavar="NAME", help="Kind; see dlsweep list plots.")] = None,
    rows: Annotated[str | None, Option(metavar="FACTOR", help="One row of panels for each level.")] = None,
    columns: Annotated[str | None, Option(metavar="FACTOR", help="One column of panels for each level.")] = None,
    lines: Annotated[str | None, Option(metavar="FACTOR", help="One line for each level; or split.")] = None,
    y: Annotated[str | None, Option("-y", metavar="METRIC", help="Such as accuracy, loss, gradient_rms.")] = None,
    x: Annotated[str | None, Option("-x", metavar="NAME", help=X)] = None,
    arm: Annotated[list[str] | None, Option("--arm", metavar="FACTOR=LEVEL", help=ARM)] = None,
    seed: Annotated[int | None, Option(min=0, metavar="N", help="Seed of the networks that are shown.")] = None,
    log_x: Annotated[bool, Option("--log-x", help="Logarithmic x axis.")] = False,
    log_y: Annotated[bool, Option("--log-y", help="Logarithmic y axis, or colour scale.")] = False,
    formats: Formats = "png",
    quiet: Quiet = False,
) -> None:
    """Draw figures of finished sweeps.

    Without options, draw the plots of each sweep's config. With options, draw those that have these settings, with the
    new values.
    """
    from dlsweep.cli.choosing import choices
    from dlsweep.plots.figures import default, draw
    from dlsweep.storage.results import open_all

    drawn = suffixes(formats)
    given: dict[str, Any] = {"rows": rows, "columns": columns, "lines": lines, "x": x, "y": y}
    given |= {"arm": _levels(arm), "seed": seed, "log_x": log_x or None, "log_y": log_y or None}
    changes = {name: value for name, value in given.items() if value is not None}
    for sweep in _begun(open_all(results), "plot"):
        figures = draw(sweep, choices(sweep.record.plots, kind, changes, default(sweep)), formats=drawn)
        if not quiet:
            print_paths(figures)


def _levels(pairs: list[str] | None) -> dict[str, str] | None:
    """Return the levels of `--arm`, by factor."""
    for pair in pairs or ():
        if "=" not in pair:
            raise UsageError(f"--arm must be a factor and a level of it, such as activation=relu, got {pair!r}")
    return {factor: level for factor, _, level in (pair.partition("=") for pair in pairs)} if pairs else None


def show(
    results: Results,
    metric: Annotated[str | None, Option("-y", "--metric", metavar="NAME", help=Y)] = None,
    as_json: Json = False,
) -> None:
    """Show the closing table of finished sweeps again."""
    from dlsweep.analysis.leaderboard import closing_data, closing_table
    from dlsweep.storage.results import open_all

    opened = open_all(results)
    if as_json:
        print_json([closing_data(sweep) for sweep in opened])
    else:
        print("\n\n".join(closing_table(sweep, metric) for sweep in _begun(opened, "show")))


def _begun(sweeps: list[Sweep], do: str) -> list[Sweep]:
    """Return the sweeps that have runs to plot or to show; report the others."""
    ready = [sweep for sweep in sweeps if not sweep.runs.empty]
    waiting = [f"there is nothing to {do} in {s.folder}: no run is done yet" for s in sweeps if s.runs.empty]
    if not ready:
        raise UsageError("\n".join(waiting))
    for sentence in waiting:
        say(sentence)
    return ready
