"""`plots:`, the figures of a sweep; their settings may name its factors, splits and numeric settings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import get_args

from dlsweep.config.levels import read_level
from dlsweep.config.nodes import Mistakes, Node
from dlsweep.config.runs import Evaluate
from dlsweep.config.settings import complete
from dlsweep.config.words import entry, factor, registry
from dlsweep.registry import Choice
from dlsweep.text import nearest
from dlsweep.types import Split, name_of


def read_plots(
    node: Node | None, factors: Collection[str], on: Collection[Split], mistakes: Mistakes
) -> tuple[Choice, ...]:
    """Return the plots with their settings. factors: of the sweep; on: the splits that it evaluates."""
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
        _check_names(one, factors, on, mistakes)
        if template is not None:
            plot, given = template.choices[0]
            choices.append(Choice(plot.name, complete(plot, {name: values[0].value for name, values in given.items()})))
    return tuple(choices)


def check_weights(node: Node | None, plots: Sequence[Choice], evaluate: Evaluate, mistakes: Mistakes) -> None:
    """Report plots of networks in a sweep that keeps no weights. node: of the list of plots."""
    for one, plot in zip(node.value, plots) if node is not None and node.is_list else ():
        if looks_into_networks(plot) and evaluate.keep is None:
            mistakes.add(one.place, f"{plot.name} needs the weights; add evaluate: {{keep: final}}, or best")


def looks_into_networks(plot: Choice) -> bool:
    """True if a plot needs trained networks, not only tables."""
    return getattr(entry("plots", plot.name), "table", "") == "networks"


def _check_names(plot: Node, factors: Collection[str], on: Collection[Split], mistakes: Mistakes) -> None:
    """Report settings that name an unknown factor, split or numeric setting."""
    for name, settings in plot.value.items() if plot.is_mapping else ():
        known = entry("plots", name).settings if name in registry("plots") else {}
        placed: dict[str, str] = {}
        for key, node in settings.value.items() if settings.is_mapping else ():
            mark = name_of(known[key].annotation) if key in known else None
            where = f"plots.{name}.{key}"
            if mark and mark.kind == "split":
                for split in node.items():
                    if split.value in get_args(Split) and split.value not in on:
                        mistakes.add(
                            split.place, f"{where} has {split.value}, but evaluate.on has {', '.join(on)} only"
                        )
            elif mark and mark.kind == "setting" and isinstance(node.value, str) and "." in node.value:
                factor(node.value, node.place, mistakes)  # of any sweep
            elif mark and node.is_mapping:
                for chosen in node.value:
                    if chosen not in factors:
                        found = f"got {str(chosen)!r}{nearest(chosen, factors)}"
                        mistakes.add(chosen.place, f"{where} must name factors of this sweep, {found}")
            elif mark and mark.also and isinstance(node.value, str):
                if node.value not in (valid := [*factors, *mark.also]):
                    found = f"got {node}{nearest(node.value, valid)}"
                    mistakes.add(node.place, f"{where} must name a factor of this sweep, {found}")
                elif node.value in placed:
                    other = placed[node.value]
                    mistakes.add(node.place, f"{where} must be another factor than {other}, got {node} for both")
                placed.setdefault(node.value, str(key))
