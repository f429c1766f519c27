"""`dlsweep effects`: the factor that matters, and where luck comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from dlsweep.cli.each import divided, each, print_each
from dlsweep.cli.options import FORMS, AtLeast1, Csv, Json, Latex, Markdown, ResultsAndLevels, checked, one_of
from dlsweep.cli.terminal import print_json

if TYPE_CHECKING:
    from dlsweep.storage.results import Results as Sweep

Y = "Metric, such as test_loss, best_test_accuracy or auc_test_accuracy."
ORDER = "Factors of the largest interactions."


def effects(
    results: ResultsAndLevels,
    metric: Annotated[str | None, Option("-y", "--metric", metavar="NAME", help=Y)] = None,
    order: Annotated[int, Option(parser=checked("--order", AtLeast1), metavar="N", help=ORDER)] = 2,
    as_csv: Csv = False,
    as_json: Json = False,
    as_markdown: Markdown = False,
    as_latex: Latex = False,
) -> None:
    """Show which factor matters: main effects and interactions, with their share of the variance.

    If the seeds of a sweep are crossed, show which source of chance matters instead.
    """
    from dlsweep.analysis.effect_tables import csv, data, text

    wanted = one_of(csv=as_csv, json=as_json, md=as_markdown, latex=as_latex)
    told: list[tuple[Sweep, Any]] = []
    folders, where = divided(results)
    try:
        each(folders, "compare", lambda sweep: told.append((sweep, sweep.effects(metric, order=order, where=where))))
    finally:
        if told and as_json:
            print_json([{"name": s.name, "folder": str(s.folder), **data(found)} for s, found in told])
        elif told and as_csv:
            print(csv({sweep.name: found for sweep, found in told}))
        elif told:
            form = FORMS.get(wanted, "plain")
            print_each([(sweep, text(found, form)) for sweep, found in told], form)
