"""`dlsweep plot` and `dlsweep show`: figures and the closing table of finished sweeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from dlsweep.cli.options import Formats, Json, Quiet, Results, suffixes
from dlsweep.cli.terminal import print_json, print_paths, say
from dlsweep.errors import DlsweepError, UsageError

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

    drawn = suffixes(formats)
    given: dict[str, Any] = {"rows": rows, "columns": columns, "lines": lines, "x": x, "y": y}
    given |= {"arm": _levels(arm), "seed": seed, "log_x": log_x or None, "log_y": log_y or None}
    changes = {name: value for name, value in given.items() if value is not None}

    def draw_all(sweep: Sweep) -> None:
        figures = draw(sweep, choices(sweep.record.plots, kind, changes, default(sweep)), formats=drawn)
        if not quiet:
            print_paths(figures)

    _each(results, "plot", draw_all)


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

    shown: list[Any] = []
    try:
        if as_json:
            _each(results, "show", lambda sweep: shown.append(closing_data(sweep)), begun=False)
        else:
            _each(results, "show", lambda sweep: shown.append(closing_table(sweep, metric)))
    finally:
        if shown:
            print_json(shown) if as_json else print("\n\n".join(shown))


def _each(path: Path, do: str, act: Callable[[Sweep], None], *, begun: bool = True) -> None:
    """Act on each sweep of a folder. begun: only on those that have runs to plot or to show; report the others.

    A sweep that cannot be read costs itself only. The error that is raised at the end has the sentences of all of them.
    """
    from dlsweep.storage.results import open_each

    lost: list[DlsweepError] = []
    waiting: list[str] = []
    opened = open_each(path)
    for sweep in opened:
        try:
            if isinstance(sweep, DlsweepError):
                raise sweep
            if begun and sweep.runs.empty:
                waiting.append(f"there is nothing to {do} in {sweep.folder}: no run is done yet")
            else:
                act(sweep)
        except DlsweepError as error:
            lost.append(error)
    if len(waiting) == len(opened):
        raise UsageError("\n".join(waiting))
    for sentence in waiting:
        say(sentence)
    if len(opened) == 1 and lost:
        raise lost[0]
    if lost:
        together = DlsweepError("\n".join(dict.fromkeys(map(str, lost))))
        together.exit_code = max(one.exit_code for one in lost)
        raise together
