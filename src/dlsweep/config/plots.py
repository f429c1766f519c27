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
    templates = [read_level("plots", one, mistakes, expand=False) for one in node.value]
    choices = []
    for template in templates:
        if template is None:
            continue
        (entry, given) = template.choices[0]
        for name in NAMING_A_COLUMN:
            known = [*factors, *COLUMNS]
            for value, where in given.get(name, ()):
                if value is not None and value not in known:
                    mistakes.add(
                        where.place,
                        f"plots.{entry.name}.{name} must name a factor here, got {where}{nearest(value, known)}",
                    )
        choices.append(Choice(entry.name, complete(entry, {name: values[0].value for name, values in given.items()})))
    return tuple(choices)
