"""`plots:`, the figures that a sweep asks for; their settings may name columns and splits of the sweep's curves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import get_args

from dlsweep.config.levels import read_level
from dlsweep.config.nodes import Mistakes, Node
from dlsweep.config.runs import Evaluate
from dlsweep.config.settings import named_settings
from dlsweep.config.words import entry, factor, registry
from dlsweep.registry import Choice
from dlsweep.text import nearest
from dlsweep.types import Split

# Settings of plots by which figures are split into panels or lines; their values are columns of the curves.
PLACES = ("rows", "columns", "lines")

COLUMNS = ("split", "seed", "arm")  # of the curves, besides the factors


def read_plots(
    node: Node | None, factors: Collection[str], on: Collection[Split], mistakes: Mistakes
) -> tuple[Choice, ...]:
    """The plots, with their settings. factors: of the sweep; on: the splits that it evaluates."""
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
            choices.append(Choice(plot.name, plot.complete({name: values[0].value for name, values in given.items()})))
    return tuple(choices)


def check_weights(node: Node | None, plots: Sequence[Choice], evaluate: Evaluate, mistakes: Mistakes) -> None:
    """What looks into networks needs their weights. node: of the list of plots."""
    for one, plot in zip(node.value, plots) if node is not None and node.is_list else ():
        if looks_into_networks(plot) and evaluate.keep is None:
            mistakes.add(one.place, f"{plot.name} needs the weights; add evaluate: {{keep: final}}, or best")


def looks_into_networks(plot: Choice) -> bool:
    """True if a plot shows networks, and not tables only."""
    return getattr(entry("plots", plot.name), "table", "") == "networks"


def _check_names(plot: Node, factors: Collection[str], on: Collection[Split], mistakes: Mistakes) -> None:
    """The settings that name columns and splits, whatever else is wrong with the plot."""
    known = [*factors, *COLUMNS]
    for name, settings in plot.value.items() if plot.is_mapping else ():
        placed: dict[str, str] = {}
        if name in registry("plots"):
            settings = named_settings(entry("plots", name), settings)
        for key, node in settings.value.items() if settings.is_mapping else ():
            where = f"plots.{name}.{key}"
            for split in node.items() if key in ("split", "splits") else ():
                if split.value in get_args(Split) and split.value not in on:
                    mistakes.add(split.place, f"{where} has {split.value}, but evaluate.on has {', '.join(on)} only")
            for chosen in node.value if key == "arm" and node.is_mapping else ():
                if chosen not in factors:
                    found = f"got {str(chosen)!r}{nearest(chosen, factors)}"
                    mistakes.add(chosen.place, f"{where} must name factors of this sweep, {found}")
            if key == "x" and isinstance(node.value, str) and "." in node.value:  # a numeric setting, of any sweep
                factor(node.value, node.place, mistakes)
            if key not in PLACES or not isinstance(node.value, str):
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
