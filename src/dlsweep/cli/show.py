"""`dlsweep show`: the leaderboard of finished sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge
from typer import Option

from dlsweep.cli.each import divided, each, partial_arm, print_each
from dlsweep.cli.options import FORMS, AtLeast1, ResultsAndLevels, checked, one_of
from dlsweep.cli.terminal import print_json

if TYPE_CHECKING:
    from dlsweep.storage.results import Results as Sweep

Y = "Metric, such as test_loss, best_test_accuracy or auc_test_accuracy. Repeatable."
REFERENCE = "Arm that others are compared with: activation=relu,init=he; by default the best."
SORT = "Column to sort by; by default the first metric, best first."
ROWS = "arms, factors (a row for each level, averaged over the others), or runs."
AT = "Iteration of final metrics, gaps and measurements of layers."

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
    as_csv: Annotated[bool, Option("--csv", help="Print all numbers as CSV.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
    as_markdown: Annotated[bool, Option("--md", help="Print Markdown.")] = False,
    as_latex: Annotated[bool, Option("--latex", help="Print LaTeX, for the package booktabs.")] = False,
) -> None:
    """Show the leaderboard of finished sweeps.

    It has the mean of each arm, and its difference to the best arm, paired by seed. An arm marked with ≈ cannot be
    distinguished from the best.
    """
    from dlsweep.analysis.closing import closing_data, csv, text
    from dlsweep.analysis.shown import Asked, Shown

    folders, where = divided(results)
    asked = Asked(metrics or (), partial_arm([reference or ""], "--reference"), where, at, rows, sort_by, top)
    wanted = one_of(csv=as_csv, json=as_json, md=as_markdown, latex=as_latex)
    told: list[tuple[Sweep, Any]] = []
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
