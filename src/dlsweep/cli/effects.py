"""`dlsweep effects`: the factor that matters, and where luck comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from dlsweep.cli.each import each
from dlsweep.cli.options import AtLeast1, Json, Results, checked
from dlsweep.cli.terminal import print_json
from dlsweep.errors import UsageError
from dlsweep.text import Form

if TYPE_CHECKING:
    from dlsweep.storage.results import Results as Sweep

Y = "Metric, such as test_loss, best_test_accuracy or auc_test_accuracy."
ORDER = "Factors of the largest interactions."


def effects(
    results: Results,
    metric: Annotated[str | None, Option("-y", "--metric", metavar="NAME", help=Y)] = None,
    order: Annotated[int, Option(parser=checked("--order", AtLeast1), metavar="N", help=ORDER)] = 2,
    as_csv: Annotated[bool, Option("--csv", help="Print all numbers as CSV.")] = False,
    as_json: Json = False,
    as_markdown: Annotated[bool, Option("--md", help="Print Markdown.")] = False,
    as_latex: Annotated[bool, Option("--latex", help="Print LaTeX, for the package booktabs.")] = False,
) -> None:
    """Show which factor matters: main effects and interactions, with their share of the variance.

    If the seeds of a sweep are crossed, show which source of chance matters instead.
    """
    from dlsweep.analysis.effect_tables import csv, data, text

    forms: dict[Form, bool] = {"csv": as_csv, "markdown": as_markdown, "latex": as_latex}
    wanted = [form for form, given in forms.items() if given]
    if len(wanted) + as_json > 1:
        raise UsageError("--csv, --json, --md and --latex are alternatives; give one of them")
    told: list[tuple[Sweep, Any]] = []
    try:
        each([results], "compare", lambda sweep: told.append((sweep, sweep.effects(metric, order=order))))
    finally:
        if told and as_json:
            print_json([{"name": s.name, "folder": str(s.folder), **data(found)} for s, found in told])
        elif told and as_csv:
            print(csv({sweep.name: found for sweep, found in told}))
        elif told:
            form = wanted[0] if wanted else "plain"
            print("\n\n".join(_title(sweep, form) * (len(told) > 1) + text(found, form) for sweep, found in told))


def _title(sweep: Sweep, form: Form) -> str:
    """Return the heading of a sweep among several."""
    marks = {"plain": "{}\n", "markdown": "## {}\n\n", "latex": "% {}\n"}
    return marks[form].format(f"{sweep.name} ({sweep.folder})")
