"""Names for readers: of factors, settings and levels, instead of the words of YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from dlsweep.analysis.facets import all_levels, labels
from dlsweep.config.seeds import words as seeds_text
from dlsweep.plots import style
from dlsweep.types import DataFrame

_FACTORS = {
    "init": "initialization",
    "model": "network",
    "init.std": "standard deviation of the initial weights",
    "data.train": "training samples",
    "train.clip_norm": "norm at which gradients are clipped",
    "model.hidden": "units of the hidden layers",
}
_SETTINGS = {"lr": "learning rate", "std": "standard deviation", "pad": "padding"}
_NULL = {"train.patience": "no early stopping", "train.clip_norm": "no clipping", "data.train": "all"}

# A level whose label does not say this setting is shown with it, unless all levels have the same value.
_MAIN = {"optimizer": "lr", "init": "std"}


def factor_name(factor: str) -> str:
    """Return the name of a factor, a setting or a quantity.

    >>> [factor_name(name) for name in ("optimizer.lr", "init.normal.std", "regularizer.dropout.ratio", "iteration")]
    ['learning rate', 'standard deviation of the initial weights', 'dropout ratio', 'iteration']
    """
    field, *choice, setting = factor.split(".") if "." in factor else (factor, factor)
    general = _FACTORS.get(factor) or (_FACTORS.get(f"{field}.{setting}") if choice else None)
    words = general or _SETTINGS.get(setting, setting.replace("_", " "))
    return words if general or field in ("train", "model", "data", "init") else " ".join([*choice, words])


def factor_names(factors: str) -> str:
    """Return the name of a factor, or of several that move together, such as "init, optimizer.lr"."""
    return ", ".join(map(factor_name, factors.split(", ")))


def level_names(frame: DataFrame, factor: str | None) -> dict[str, str]:
    """Return the name of each level of a factor: with the main setting of the level, if its label leaves it out."""
    if factor is None or factor not in frame:
        return {}
    if factor == "split":
        return {level: style.SPLITS[level] for level in all_levels(frame, factor)}
    null = {"null": _NULL.get(factor, "none"), "-": "\N{EN DASH}"} if "." in factor else {}
    names = {level: null.get(level, level) for level in all_levels(frame, factor)}
    setting = _MAIN.get(factor, "")
    if (column := f"{factor}.{setting}") in frame:
        found = frame[[column, factor]].drop_duplicates()
        found = found.assign(value=labels(found, column), level=labels(found, factor))[["level", "value"]]
        pairs = [tuple(pair) for pair in found.drop_duplicates().itertuples(index=False)]
        values = {str(level): str(value) if value == value else "" for level, value in pairs}
        if len(values) == len(pairs) and len(set(values.values())) > 1:
            said = {level: value for level, value in values.items() if value and "=" not in level}
            names |= {level: f"{level} {setting}={value}" for level, value in said.items() if value not in level}
    return names


def named(frame: DataFrame, factor: str | None, levels: Iterable[str]) -> list[str]:
    """Return the names of some levels of a factor."""
    names = level_names(frame, factor)
    return [names.get(level, level) for level in levels]


def about(config: Mapping[str, Any], levels: Mapping[str, list[str]]) -> str:
    """Return data, network and number of seeds of a sweep, from its resolved config; levels: of its factors.

    What varies is left out: the figure has it elsewhere.

    >>> model = {"mlp": {"hidden": [100, 100, 50]}}
    >>> about({"data": {"mnist": {"train": 300}}, "model": model, "seeds": [0, 1]}, {"optimizer": ["sgd", "adam"]})
    'mnist, 300 training samples · mlp 2 × 100, 50 · 2 seeds'
    >>> about({"data": {"mnist": {"validation": 59700}}, "seeds": [0]}, {})
    'mnist, 59,700 samples for validation, the others for training · 1 seed'
    """
    words = []
    for field in ("data", "model"):
        if field not in levels and len(config.get(field, {})) == 1:
            ((name, settings),) = config[field].items()
            words.append(name)
            if settings.get("train") and "data.train" not in levels:
                words[-1] += f", {settings['train']:,} training samples"
            elif settings.get("validation") and levels.keys().isdisjoint(("data.train", "data.validation")):
                words[-1] += f", {settings['validation']:,} samples for validation, the others for training"
            hidden = settings.get("hidden")
            if isinstance(hidden, list) and not any(factor.endswith(".hidden") for factor in levels):
                words[-1] += f" {_units(hidden)}"
    if len(config["seeds"]) == 1 and "data" not in config:  # a descent without noise is the same for every seed
        return " · ".join(words)
    return " · ".join([*words, seeds_text(config["seeds"])])


def _units(hidden: list[int]) -> str:
    """Return the numbers of units of some layers."""
    runs = ((units, len([*same])) for units, same in groupby(hidden))
    return ", ".join(f"{count} × {units}" if count > 1 else f"{units}" for units, count in runs)
