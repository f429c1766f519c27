"""`dlsweep plot`: figures of finished sweeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from dlsweep.cli.each import divided, each, partial_arm
from dlsweep.cli.options import Formats, Quiet, ResultsAndLevels, scalar, suffixes
from dlsweep.cli.terminal import print_paths
from dlsweep.errors import UsageError
from dlsweep.storage.location import located
from dlsweep.text import NUMBER

if TYPE_CHECKING:
    from dlsweep.storage.results import Results as Sweep

X = "Such as epoch; or optimizer.lr for a response."
TITLE = "Title of the figures; by default the config's, empty for none."
LIMITS = "Ends of the {} axis; one may be empty: 0.8, or ,1."
FONT = "Size of tick labels; other texts are in proportion. 10 by default."
OUTPUT = "Folder for the figures, or a file for a single one; by default figures/ of each sweep."
MINUS = "Row of final that the others are compared with, paired by seed: relu; or best."
ARM = "Levels of the arms whose networks are shown: activation=relu,tanh,init=he. Repeatable."


def plot(
    results: ResultsAndLevels,
    kind: Annotated[str | None, Option("-k", "--kind", metavar="NAME", help="Kind; see dlsweep list plots.")] = None,
    rows: Annotated[str | None, Option(metavar="FACTOR", help="One row of panels for each level.")] = None,
    columns: Annotated[str | None, Option(metavar="FACTOR", help="One column of panels for each level.")] = None,
    lines: Annotated[str | None, Option(metavar="FACTOR", help="One line for each level; or split.")] = None,
    y: Annotated[str | None, Option("-y", metavar="METRIC", help="Such as accuracy, loss, gradient_rms.")] = None,
    x: Annotated[str | None, Option("-x", metavar="NAME", help=X)] = None,
    minus: Annotated[str | None, Option(metavar="ROW", help=MINUS)] = None,
    arm: Annotated[list[str] | None, Option("--arm", metavar="FACTOR=LEVEL,…", help=ARM)] = None,
    seed: Annotated[int | None, Option(parser=scalar, metavar="N", help="Seed of the networks that are shown.")] = None,
    log_x: Annotated[bool, Option("--log-x", help="Logarithmic x axis.")] = False,
    log_y: Annotated[bool, Option("--log-y", help="Logarithmic y axis, or colour scale.")] = False,
    title: Annotated[str | None, Option(metavar="TEXT", help=TITLE)] = None,
    subtitle: Annotated[str | None, Option(metavar="TEXT", help="Line below the title; empty for none.")] = None,
    x_label: Annotated[str | None, Option("--x-label", metavar="TEXT", help="Name of the x axis.")] = None,
    y_label: Annotated[str | None, Option("--y-label", metavar="TEXT", help="Name of the y axis.")] = None,
    x_limits: Annotated[str | None, Option("--x-limits", metavar="LOW,HIGH", help=LIMITS.format("x"))] = None,
    y_limits: Annotated[str | None, Option("--y-limits", metavar="LOW,HIGH", help=LIMITS.format("y"))] = None,
    size: Annotated[str | None, Option(metavar="WIDTH,HEIGHT", help="Size in inches: 8,4.5.")] = None,
    dpi: Annotated[
        int | None, Option(parser=scalar, metavar="N", help="Pixels per inch of a PNG; 200 by default.")
    ] = None,
    font_size: Annotated[float | None, Option("--font-size", parser=scalar, metavar="POINTS", help=FONT)] = None,
    output: Annotated[Path | None, Option("-o", "--output", parser=located, metavar="PATH", help=OUTPUT)] = None,
    formats: Formats = "png",
    quiet: Quiet = False,
) -> None:
    """Draw figures of finished sweeps.

    Levels choose the arms. Without options, draw the plots of each sweep's config. With options, draw those that have
    these settings, with the new values. The kinds forest and ranking have one figure for several sweeps.
    """
    folders, where = divided(results)
    given: dict[str, Any] = {"rows": rows, "columns": columns, "lines": lines, "x": x, "y": y, "minus": minus}
    given |= {"arm": partial_arm(arm or (), "--arm") or None, "seed": seed}
    given |= {"log_x": log_x or None, "log_y": log_y or None}
    given |= {"title": title, "subtitle": subtitle, "x_label": x_label, "y_label": y_label}
    given |= {"x_limits": _pair(x_limits, "--x-limits"), "y_limits": _pair(y_limits, "--y-limits")}
    given |= {"size": _pair(size, "--size"), "dpi": dpi, "font_size": font_size}
    changes = {name: value for name, value in given.items() if value is not None}
    _draw(folders, where, kind, changes, suffixes(formats), output, (lambda paths: None) if quiet else print_paths)


def _draw(
    folders: list[str],
    where: dict[str, Any],
    kind: str | None,
    changes: dict[str, Any],
    formats: list[str],
    output: Path | None,
    tell: Callable[[list[Path]], None],
) -> None:
    """Draw figures of each sweep; of a kind that shows several sweeps, one figure. tell: gets the paths of each."""
    from dlsweep.cli.choosing import choices
    from dlsweep.plots import plots
    from dlsweep.plots.chart import ACROSS
    from dlsweep.plots.figures import default, draw, draw_across
    from dlsweep.registry import Choice

    def draw_all(sweep: Sweep) -> None:
        asked = choices(sweep.record.plots, kind, changes, default(sweep))
        tell(draw(sweep, asked, where=where, formats=formats, output=output))

    if kind is not None and kind in plots and plots[kind].table in ACROSS and not where:
        sweeps: list[Sweep] = []
        each(folders, "plot", sweeps.append)
        if len(sweeps) > 1:
            tell(draw_across(sweeps, Choice(kind, changes), formats=formats, output=output))
            return
    each(folders, "plot", draw_all)


def _pair(text: str | None, option: str) -> list[float | None] | None:
    """Return the two numbers of an option, None for one that is left empty: "0.5," is 0.5 and None."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(not part or NUMBER.fullmatch(part) for part in parts):
        raise UsageError(f"{option} must be two numbers with a comma, such as 0,1, got {text!r}")
    return [float(part) if part else None for part in parts]
