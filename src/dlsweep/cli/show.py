"""`dlsweep show`: the leaderboard of finished sweeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge
from typer import Option

from dlsweep.cli.each import HEADINGS, divided, each, partial_arm, print_each
from dlsweep.cli.options import FORMS, AtLeast1, Csv, Json, Latex, Markdown, ResultsAndLevels, checked, one_of
from dlsweep.cli.terminal import print_json
from dlsweep.errors import UsageError
from dlsweep.tabular import Form, with_notes

if TYPE_CHECKING:
    from dlsweep.analysis.board import Asked
    from dlsweep.storage.results import Results as Sweep

Y = "Metric, such as test_loss, best_test_accuracy or auc_test_accuracy. Repeatable."
REFERENCE = "Arm that others are compared with: activation=relu,init=he; by default the best."
SORT = "Column to sort by; by default the first metric, best first."
ROWS = "arms, factors (a row for each level, averaged over the others), or runs."
AT = "Iteration of final metrics, gaps and measurements of layers."

JOINT = "Show only the joint table of several sweeps: their common arms, with a metric in each sweep."
RANK = "Rank the arms over five or more sweeps, one for each task, and test each pair."

TOP = Option(parser=checked("--top", AtLeast1), metavar="N", help="Show the first N rows.")
ITERATION = Option(parser=checked("--at", Annotated[int, Ge(0)]), metavar="ITERATION", help=AT)


def show(
    results: ResultsAndLevels,
    metrics: Annotated[list[str] | None, Option("-y", "--metric", metavar="NAME", help=Y)] = None,
    reference: Annotated[str | None, Option(metavar="FACTOR=LEVEL,…", help=REFERENCE)] = None,
    sort_by: Annotated[str | None, Option("--sort-by", metavar="COLUMN", help=SORT)] = None,
    top: Annotated[int | None, TOP] = None,
    rows: Annotated[str, Option(metavar="KIND", help=ROWS)] = "arms",
    at: Annotated[int | None, ITERATION] = None,
    as_csv: Csv = False,
    as_json: Json = False,
    as_markdown: Markdown = False,
    as_latex: Latex = False,
    joint: Annotated[bool, Option("--joint", help=JOINT)] = False,
    rank: Annotated[bool, Option("--rank", help=RANK)] = False,
) -> None:
    """Show the leaderboard of finished sweeps.

    It has the mean of each arm, and its difference to the best arm, paired by seed. An arm marked with ≈ cannot be
    distinguished from the best. For several sweeps, a joint table of their common arms follows.
    """
    from dlsweep.analysis.board import Asked
    from dlsweep.analysis.closing import Shown, closing_data, csv, text

    folders, where = divided(results)
    asked = Asked(metrics or (), partial_arm([reference or ""], "--reference"), where, at, rows, sort_by, top)
    wanted = one_of(csv=as_csv, json=as_json, md=as_markdown, latex=as_latex)
    told: list[tuple[Sweep, Any]] = []
    if joint or rank:
        _together(folders, asked, wanted, rank)
        return
    try:
        if as_json:
            each(folders, "show", lambda sweep: told.append((sweep, closing_data(sweep, asked))), begun=False)
        else:
            each(folders, "show", lambda sweep: told.append((sweep, Shown.of(sweep, asked))))
    finally:
        if told and as_json:
            print_json([data for _, data in told])
        elif told and as_csv:
            print(csv([shown for _, shown in told]))
        elif told:
            form = FORMS.get(wanted, "plain")
            print_each([(sweep, text(shown, form)) for sweep, shown in told], form)
            _print_shared([sweep for sweep, _ in told], asked, form)


def _together(folders: Sequence[str], asked: Asked, form: str, rank: bool) -> None:
    """Print the joint table of some sweeps, or the ranks of their arms."""
    from dlsweep.analysis.joint import Joint, Ranking

    sweeps: list[Sweep] = []
    each(folders, "show", sweeps.append)
    found = Ranking.of(sweeps, asked) if rank else Joint.of(sweeps, asked)
    if form == "json":
        print_json(found.data())
    elif form == "csv":
        print(found.frame().to_csv(index=False), end="")
    else:
        print(with_notes(found.table(FORMS.get(form, "plain")), found.notes(), FORMS.get(form, "plain")))


def _print_shared(sweeps: Sequence[Sweep], asked: Asked, form: Form) -> None:
    """Print the joint table of several sweeps below their own ones, if they share arms."""
    from dlsweep.analysis.joint import Joint

    if len(sweeps) < 2 or asked.rows != "arms":
        return
    try:
        found = Joint.of(sweeps, asked)
        told = with_notes(found.table(form), found.notes(), form)
    except UsageError:  # they share no arms, or not the metric
        return
    print("\n" + HEADINGS[form].format("all sweeps") + told)
