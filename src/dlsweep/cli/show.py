"""`dlsweep show`: the closing table of finished sweeps."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from dlsweep.cli.options import Json, Results, begun
from dlsweep.cli.terminal import print_json


def show(
    results: Results,
    metric: Annotated[
        str | None, Option("-y", "--metric", metavar="NAME", help="Metric, such as test_loss or best_test_accuracy.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the closing table of finished sweeps again."""
    from dlsweep.analysis.leaderboard import closing_data, closing_table
    from dlsweep.storage.results import open_all

    opened = open_all(results)
    if as_json:
        print_json([closing_data(sweep) for sweep in opened])
    else:
        print("\n\n".join(closing_table(sweep, metric) for sweep in begun(opened, "show")))
