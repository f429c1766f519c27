"""`plots:`, the figures that a sweep asks for; their settings may name a column of the sweep's tables."""

from __future__ import annotations

from collections.abc import Collection

from dlsweep.config.levels import read_level
from dlsweep.config.nodes import Mistakes, Node
from dlsweep.config.runs import Choice
from dlsweep.config.settings import complete
from dlsweep.registry import nearest

# Settings of plots by which figures are split into panels or lines; their values are columns of the curves.
NAMING_A_COLUMN = ("rows", "columns", "lines")

COLUMNS = ("split", "seed", "arm")  # of the curves, besides the factors


def read_plots(node: Node | None, factors: Collection[str], mistakes: Mistakes) -> tuple[Choice, ...]:
    """The plots, with their settings. factors: of the sweep."""
    if node is None:
        return ()
    if not node.is_list:
        mistakes.add(
            node.place, f"plots must be a list of plots such as [{{curves: {{rows: activation}}}}], got {node}"
        )
        return ()
    choices = []
    for one in node.value:
        template = read_level("plots", one, mistakes, expand=False)
        _check_columns(one, [*factors, *COLUMNS], mistakes)
        if template is not None:
            entry, given = template.choices[0]
            choices.append(
                Choice(entry.name, complete(entry, {name: values[0].value for name, values in given.items()}))
            )
    return tuple(choices)


def _check_columns(plot: Node, known: Collection[str], mistakes: Mistakes) -> None:
    """The settings that name a column, whatever else is wrong with the plot."""
    for name, settings in plot.value.items() if plot.is_mapping else ():
        placed: dict[str, str] = {}
        for key, node in settings.value.items() if settings.is_mapping else ():
            where = f"plots.{name}.{key}"
            if key not in NAMING_A_COLUMN or not isinstance(node.value, str):
                continue
            if node.value not in known:
                mistakes.add(
                    node.place, f"{where} must name a factor of this sweep, got {node}{nearest(node.value, known)}"
                )
            elif node.value in placed:
                mistakes.add(
                    node.place, f"{where} must be another factor than {placed[node.value]}, got {node} for both"
                )
            placed.setdefault(node.value, str(key))
