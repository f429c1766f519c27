"""From a YAML file to a checked config: every mistake is collected on the way, and all are told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from dlsweep.config import landscapes
from dlsweep.config.basics import read_evaluate, read_name, read_seeds, unknown_key
from dlsweep.config.checks import (
    Datasets,
    check_batches,
    check_ensemble,
    check_monitors,
    check_networks,
    check_regularizers,
    check_splits,
)
from dlsweep.config.config import Config
from dlsweep.config.grid import Grid, read_grids
from dlsweep.config.idle import idle_settings, refuse_idle, refuse_impatient, refuse_unasked, stops_early
from dlsweep.config.levels import Level, Template, default_level, label_levels, read_level
from dlsweep.config.nodes import Mistakes, Node, Place
from dlsweep.config.overrides import override
from dlsweep.config.plots import check_weights, read_plots
from dlsweep.config.points import Expander, Part
from dlsweep.config.resolved import level_form, resolve_grid
from dlsweep.config.rules import Rules, read_partial_arms
from dlsweep.config.runs import Evaluate
from dlsweep.config.settings import read_settings
from dlsweep.config.source import read
from dlsweep.config.words import FIELDS, KEYS, STANDARD, STOPPING, TRAIN, Factor
from dlsweep.tasks import DESCENT
from dlsweep.text import plural

MAX_RUNS = 100_000


def load(
    source: str | PathLike[str] | Mapping[str, Any], overrides: Iterable[str] = (), *, max_runs: int = MAX_RUNS
) -> Config:
    """The checked config of a sweep.

    source: path of a YAML file, or the same as a mapping; overrides: "key=value", as on the command line; max_runs: a
    grid of more runs is refused. Raises a `ConfigError` with every mistake, each with its place in the file. The data
    is opened, to check sizes and labels; nothing is trained.

    >>> config = load({"name": "x", "grid": {"activation": ["relu", "tanh"]}}, ["train.iterations=200"])
    >>> [(arm.name, arm.train.iterations) for arm in config.arms()]
    [('relu', 200), ('tanh', 200)]
    """
    mistakes = Mistakes()
    document, file, text = read(source, mistakes)
    if document is None:
        mistakes.stop()
        raise AssertionError("what cannot be read is a mistake")
    return _check(override(document, overrides, mistakes), file, text, max_runs, mistakes)


def _check(document: Node, file: Path | None, text: bytes, max_runs: int, mistakes: Mistakes) -> Config:
    top: dict[Any, Node] = {key: node for key, node in document.value.items() if node.value is not None}
    for key in document.value:
        if key not in KEYS:
            mistakes.add(key.place, unknown_key(key))
    name = read_name(top.get("name"), file, document.place, mistakes)
    seeds = read_seeds(top.get("seeds"), mistakes)
    evaluate, splits, ensemble = read_evaluate(top.get("evaluate"), mistakes)
    base, faulty = _read_base(top, document.place, mistakes)
    grids = [replace(grid, faulty=grid.faulty | faulty) for grid in read_grids(top.get("grid"), base, mistakes)]
    refuse_idle(base, grids, mistakes)
    refuse_impatient(base["train"], grids, mistakes)
    descends = landscapes.all_landscapes(base, grids, mistakes)
    if descends:
        base["data"] = default_level("data", document.place, "none")
        evaluate, splits = landscapes.when_evaluated(evaluate, top.get("evaluate")), {}
        ensemble = None
        seeds = landscapes.replicates(seeds, top.get("seeds"), base, grids, mistakes)
    factors = _factors(grids, DESCENT.factors if descends else STANDARD)
    plots = read_plots(top.get("plots"), [f.name for f in factors], evaluate.on, mistakes)
    if descends:
        landscapes.refuse_needless(top, base["train"], grids, mistakes)
    if not any("model" in grid.faulty for grid in grids):
        landscapes.check_plots(top.get("plots"), plots, descends, mistakes)
    if not descends:
        check_weights(top.get("plots"), plots, evaluate, mistakes)

    count = sum(grid.count for grid in grids) * len(seeds)
    if count > max_runs:
        place = next((key.place for key in top if key in ("grid", "seeds")), document.place)
        arms = f"{plural(count // len(seeds), 'arm')} × {plural(len(seeds), 'seed')}"
        limit = f"the limit is {max_runs:,}; make it smaller, or raise the limit (--max-runs)"
        mistakes.add(place, f"the grid has {plural(count, 'run')} ({arms}), {limit}")
        mistakes.stop()

    unlabelled = len(mistakes)
    labels = _labels(grids, base, factors, mistakes)
    if len(mistakes) == unlabelled:
        _refuse_twice(grids, labels, mistakes)
    datasets = Datasets(mistakes)
    expander = Expander(factors, base, labels, datasets.open)
    expanded = tuple(tuple(expander.parts(grid)) for grid in grids)
    refuse_unasked(grids, expanded, mistakes)
    names = _names(factors, labels, expanded)
    faulty = faulty.union(*(grid.faulty for grid in grids))
    rules = Rules(
        exclude=read_partial_arms("exclude", top.get("exclude"), names, expanded, faulty, mistakes),
        only=read_partial_arms("only", top.get("only"), names, expanded, faulty, mistakes),
    )
    for parts in expanded:
        check_splits(splits, parts, datasets, mistakes)
        check_batches(parts, datasets, rules, mistakes)
        check_networks(parts, datasets, rules, mistakes)
        check_regularizers(parts, datasets, rules, mistakes)
        check_monitors(evaluate.on, parts, rules, mistakes)
        if ensemble is not None:
            check_ensemble(ensemble, evaluate.on, parts, mistakes)
    mistakes.stop()

    levels = {field: _base_form(base[field], grids) for field in ("data", "model", "train")}
    resolved = {
        "name": name,
        "data": levels["data"],
        "fingerprints": datasets.fingerprints(),
        "model": levels["model"],
        "train": {k: v for k, v in levels["train"]["train"].items() if v is not None},
        "evaluate": {k: v for k, v in vars(evaluate).items() if v is not None and (k, v) != ("every", 0)}
        | {"on": list(evaluate.on)},
        "seeds": list(seeds),
        "grid": [resolve_grid(grid, base, labels) for grid in grids],
        "exclude": [{factor: sorted(fitting) for factor, fitting in rule.items()} for rule in rules.exclude],
        "only": [{factor: sorted(fitting) for factor, fitting in rule.items()} for rule in rules.only],
    }
    config = Config(
        name=name,
        file=file,
        text=text,
        seeds=tuple(seeds),
        factors=tuple(f.name for f in factors),
        plots=plots,
        evaluate=evaluate,
        count=count,
        _grids=expanded,
        _rules=rules,
        _resolved=landscapes.without_needless(resolved) if descends else resolved,
    )
    if rules and next(config.arms(), None) is None:
        mistakes.add(
            next(key.place for key in top if key in ("exclude", "only")), "exclude and only leave no arm at all"
        )
        mistakes.stop()
    return config


def _evaluated(evaluate: Evaluate) -> dict[str, Any]:
    """Return when and on what metrics are taken, as a config says it."""
    return vars(evaluate) | {"every": evaluate.every or None, "on": list(evaluate.on)}


def _read_base(top: Mapping[Any, Node], place: Place, mistakes: Mistakes) -> tuple[dict[str, Level], frozenset[str]]:
    """What an arm has in the fields that no factor varies; and the fields that have a mistake. place: of the config."""
    base = {field: default_level(field, place) for field in FIELDS}
    faulty = set()
    for field in ("data", "model", "train"):
        node = top.get(field)
        if node is None:
            continue
        template = None
        if field == "train":
            given = read_settings(TRAIN, node, field, node.place, mistakes, expand=False)
            template = Template(field, node.place, ((TRAIN, given),)) if given is not None else None
        elif node.is_list:
            mistakes.add(
                node.place, f"{field} is one level here, got {node}; to compare several, write grid: {{{field}: …}}"
            )
        else:
            template = read_level(field, node, mistakes, expand=False)
        if template is None:
            faulty.add(field)
        else:
            base[field] = template.levels[0]
    return base, frozenset(faulty)


def _base_form(level: Level, grids: Sequence[Grid]) -> dict[str, Any]:
    """A level outside the grid as `level_form` has it, but for the settings that no arm takes from it."""
    field = level.template.field
    idle = [*idle_settings(level, grids)]
    if field == "train" and not any(stops_early(level, grid) for grid in grids):
        idle += STOPPING
    return level_form(level, [Factor(f"{field}.{name}", field, setting=name) for name in idle])


def _factors(grids: Iterable[Grid], standard: Iterable[str]) -> tuple[Factor, ...]:
    """The factors of the sweep: those of the grids in their order, then the standard ones that are in none."""
    given = {f.name: f for grid in grids for f in grid.factors}
    return tuple((given | {name: Factor(name, name) for name in standard if name not in given}).values())


def _labels(
    grids: Sequence[Grid], base: Mapping[str, Level], factors: Iterable[Factor], mistakes: Mistakes
) -> dict[Level, str]:
    """The labels of all levels of all factors."""
    labels: dict[Level, str] = {}
    dotted = [f for f in factors if f.setting]
    for f in factors:
        if not f.setting:
            levels = {
                one: None
                for grid in grids
                for axis in grid.axes
                for point in axis
                for one in point
                if isinstance(one, Level) and one.template.field == f.field
            }
            if any(f.name not in {g.name for g in grid.factors} for grid in grids):
                levels[base[f.field]] = None
            labels |= label_levels(list(levels), [d for d in dotted if d.field == f.field], mistakes)
    return labels


def _refuse_twice(grids: Iterable[Grid], labels: Mapping[Level, str], mistakes: Mistakes) -> None:
    """The same point twice on one axis."""
    for axis in (axis for grid in grids for axis in grid.axes):
        seen: set[tuple[str, ...]] = set()
        for point in axis:
            texts = tuple(labels[one] if isinstance(one, Level) else one.text for one in point)
            if texts in seen:
                what = ", ".join(f.name for f in axis.factors)
                mistakes.add(point[0].place, f"{what} has {', '.join(texts)} twice")
            seen.add(texts)


def _names(
    factors: Iterable[Factor], labels: Mapping[Level, str], expanded: Iterable[Iterable[Part]]
) -> dict[str, dict[str, str]]:
    """For each factor its labels, with the name of each label's level."""
    names: dict[str, dict[str, str]] = {f.name: {} for f in factors}
    for point in (point for parts in expanded for part in parts for point in part):
        for factor, label in point.labels.items():
            names[factor][label] = label
    for level, label in labels.items():
        if label in names.get(level.template.field, ()):
            names[level.template.field][label] = level.template.name
    return names
