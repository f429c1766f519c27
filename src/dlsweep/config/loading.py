"""From a YAML file to a checked config: every mistake is collected on the way, and all are told at once."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NamedTuple

from dlsweep.config.basics import read_evaluate, read_name, read_statistics, read_title, unknown_key
from dlsweep.config.checks import CHECKS, NOTES, Check, unused
from dlsweep.config.config import Config
from dlsweep.config.document import STANDARD_INPUT, STDIN, Node, Place, Reading, each, gather, read_list, whole
from dlsweep.config.expansion import expand
from dlsweep.config.grid import read_grids
from dlsweep.config.labels import label, read_rules
from dlsweep.config.left_out import notes_on, read_possible
from dlsweep.config.levels import Level, LevelSpec, default_level, read_level
from dlsweep.config.lookalikes import named
from dlsweep.config.overrides import override
from dlsweep.config.reader import MAX_BYTES, read_mapping, read_yaml
from dlsweep.config.resolved import resolve
from dlsweep.config.runs import Arm
from dlsweep.config.seeds import read_seeds
from dlsweep.config.settings import read_settings
from dlsweep.config.stating import draws_of, read_claims, read_tuning
from dlsweep.config.sweep import Design, Sweep, adapted
from dlsweep.config.words import FIELDS, KEYS, OUTSIDE, TRAIN, Factor
from dlsweep.errors import ConfigError, Mistake
from dlsweep.factors import STANDARD
from dlsweep.registry import Choice
from dlsweep.text import did_you_mean, plural, similar

MAX_RUNS = 100_000


class Source(NamedTuple):
    """A config as it was given. document: None if it cannot be read; file: None for a mapping; text: its bytes."""

    document: Node | None
    file: Path | None
    text: bytes


def load(
    source: str | PathLike[str] | Mapping[str, Any], overrides: Iterable[str] = (), *, max_runs: int = MAX_RUNS
) -> Config:
    """The checked config of a sweep.

    source: path of a YAML file, "-" for standard input, or the same as a mapping; overrides: "key=value", as on the
    command line; max_runs: a grid of more runs is refused. Raises a `ConfigError` with every mistake, each with its
    place in the file. The data is opened, to check sizes and labels; nothing is trained.

    >>> config = load({"name": "x", "grid": {"activation": ["relu", "tanh"]}}, ["train.iterations=200"])
    >>> [(arm.name, arm.train.iterations) for arm in config.arms()]
    [('relu', 200), ('tanh', 200)]
    """
    return _load(source, overrides, max_runs, CHECKS)


def load_resolved(resolved: Mapping[str, Any]) -> Config:
    """The config of some results, from its resolved form, which has every factor: one without effect is no mistake."""
    return _load(resolved, (), sys.maxsize, [check for check in CHECKS if check is not unused.factors])


def first_arm(config: Mapping[str, Any], overrides: Iterable[str]) -> Arm:
    """Return the first arm of a config, whose data and network need not fit together.

    >>> first_arm({"name": "x", "model": "mlp"}, ["grid.init=he"]).init
    Choice(name='he', settings={})
    """
    return next(_load(config, overrides, MAX_RUNS, ()).arms())


def _load(
    source: str | PathLike[str] | Mapping[str, Any], overrides: Iterable[str], max_runs: int, checks: Iterable[Check]
) -> Config:
    given, unread = gather(read(source))
    config, mistakes = gather(_config(given, overrides, max_runs, checks))
    if unread or mistakes or config is None:
        lines = given.text.decode("utf-8-sig", errors="replace").split("\n")
        raise ConfigError([named(mistake, lines) for mistake in (*unread, *mistakes)], given.text)
    return config


def _config(given: Source, overrides: Iterable[str], max_runs: int, checks: Iterable[Check]) -> Reading[Config | None]:
    if given.document is None:
        return None
    document = yield from override(given.document, overrides)
    reading = partial(_read, given=given, max_runs=max_runs, checks=checks)
    sweep, left_out = yield from read_possible(reading, document, given.document)
    if sweep is None:
        return None
    config = Config(
        **{shared.name: getattr(sweep, shared.name) for shared in fields(Design)},
        file=given.file,
        text=given.text,
        factors=tuple(sweep.columns),
        plots=tuple(choice for _, choice in sweep.plots),
        count=sweep.count,
        notes=(*notes_on(left_out), *dict.fromkeys(str(note) for notes in NOTES for note in notes(sweep))),
        _resolved=resolve(sweep),
        claims=tuple(stated.claim for stated in sweep.claims),
    )
    if sweep.rules and next(config.arms(), None) is None:
        yield sweep.place_of("exclude", "only").mistake("exclude and only leave no arm at all")
    return config


@whole
def _read(document: Node, given: Source, max_runs: int, checks: Iterable[Check]) -> Reading[Sweep | None]:
    sweep = yield from adapted((yield from _read_sweep(document, given)))
    sweep = replace(sweep, factors=_factors(sweep))
    if sweep.count > max_runs:
        yield _too_many(sweep, max_runs)
    else:
        sweep = replace(sweep, labels=(yield from label(sweep)))
        sweep = replace(sweep, blocks=expand(sweep))
        sweep = replace(sweep, rules=(yield from read_rules(sweep)))
        sweep = replace(sweep, tuning=(yield from read_tuning(sweep)))
        sweep = replace(sweep, claims=(yield from read_claims(sweep)))
    for check in checks:
        yield from check(sweep)
    return sweep


def _too_many(sweep: Sweep, max_runs: int) -> Mistake:
    arms = f"{plural(sweep.count // len(sweep.replicates), 'arm')} × {plural(len(sweep.replicates), 'seed')}"
    limit = f"the limit is {max_runs:,}; make it smaller, or raise the limit (--max-runs)"
    return sweep.place_of("grid", "seeds").mistake(f"the grid has {plural(sweep.count, 'run')} ({arms}), {limit}")


def _read_sweep(document: Node, given: Source) -> Reading[Sweep]:
    """Read a config as written."""
    top = {key: node for key, node in document.value.items() if node.value is not None}
    for key in document.value:
        if key not in KEYS:
            yield key.place.mistake(unknown_key(key))
    name = yield from read_name(top.get("name"), given.file, document.place)
    title = yield from read_title(document, given.text.decode(errors="replace") if given.file else "")
    seeds = yield from read_seeds(top.get("seeds"))
    evaluate, evaluate_nodes = yield from read_evaluate(top.get("evaluate"))
    base, faulty = yield from _read_base(top, document.place)
    grids = yield from read_grids(top.get("grid"), base, draws_of(top.get("tune")))
    return Sweep(
        top=top,
        place=document.place,
        name=name,
        title=title,
        replicates=seeds,
        evaluate=evaluate,
        evaluate_nodes=evaluate_nodes,
        base=base,
        grids=[replace(grid, faulty=grid.faulty | faulty) for grid in grids],
        plots=(yield from _read_plots(top.get("plots"))),
        faulty=faulty,
        blocks=[()] * len(grids),
        alpha=(yield from read_statistics(top.get("statistics"))),
    )


def _read_base(top: Mapping[Any, Node], place: Place) -> Reading[tuple[dict[str, Level], frozenset[str]]]:
    """Read the levels of what no factor varies, and the fields with a mistake. place: of the config."""
    given = [field for field in (*OUTSIDE, "train") if field in top]
    specs = dict(zip(given, (yield from each(_read_outside(field, top[field]) for field in given))))
    base = {field: default_level(field, place) for field in FIELDS}
    base |= {field: spec.levels[0] for field, spec in specs.items() if spec is not None}
    return base, frozenset(field for field, spec in specs.items() if spec is None)


def _read_outside(field: str, node: Node) -> Reading[LevelSpec | None]:
    if field == "train":
        given = yield from read_settings(TRAIN, node, field, node.place)
        return LevelSpec(field, node.place, ((TRAIN, given),)) if given is not None else None
    if node.is_list:
        told = f"{field} is one level here, got {node}; to compare several, write grid: {{{field}: …}}"
        yield node.place.mistake(told)
        return None
    return (yield from read_level(field, node))


def _read_plots(node: Node | None) -> Reading[list[tuple[Node, Choice]]]:
    """Read the plots, each with its node."""
    nodes = yield from read_list(node, "plots must be a list of plots such as [{curves: {rows: activation}}]")
    specs = yield from each(read_level("plots", one) for one in nodes)
    return [(one, spec.levels[0].choices[0]) for one, spec in zip(nodes, specs) if spec is not None]


def _factors(sweep: Sweep) -> tuple[Factor, ...]:
    """The factors of the sweep: those of the grids in their order, then the standard ones that are in none."""
    given = {f.name: f for grid in sweep.grids for f in grid.factors}
    standard = {name: Factor.of(name) for name in STANDARD if sweep.task.concerns(name)}
    return (*given.values(), *(factor for name, factor in standard.items() if name not in given))


def read(source: str | PathLike[str] | Mapping[str, Any]) -> Reading[Source]:
    """Read a config from a file, from standard input (`-`), or from a mapping."""
    if isinstance(source, Mapping):
        document = yield from read_mapping(source)
        text = json.dumps(document.plain(), indent=2, ensure_ascii=False) if document else ""
        return Source(document, None, text.encode(errors="replace"))
    path = Path(source)
    shown = STANDARD_INPUT if path == STDIN else fspath(source)
    data = yield from _bytes(path, Place(shown))
    if data is None:
        return Source(None, path, b"")
    document = yield from read_yaml(data, shown)
    if document is not None and not document.is_mapping:
        told = f"a config is a mapping with keys such as name, data, train and grid, got {document}"
        yield document.place.mistake(told)
        document = None
    return Source(document, path, data)


@whole
def _bytes(path: Path, place: Place) -> Reading[bytes]:
    try:
        if path == STDIN:
            if sys.stdin is not None:
                return sys.stdin.buffer.read(MAX_BYTES + 1)
            yield place.mistake("it is closed; give the config's file")
        elif path.exists() and not path.is_file():
            yield place.mistake("this is no file; a config is a YAML file, or - for standard input")
        else:
            with path.open("rb") as file:
                return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        yield place.mistake(f"there is no such file{_near_file(path)}")
    except (OSError, ValueError) as error:
        yield place.mistake(f"the file cannot be read: {getattr(error, 'strerror', None) or error}")
    return b""


def _near_file(path: Path) -> str:
    try:
        there = [other.name for other in path.parent.iterdir() if other.suffix in (".yaml", ".yml")]
    except OSError:
        there = []
    if len(path.parts) > 1 and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]+:", path.parts[0]):
        return "; a config is a file of this machine, and only results may be at a URL"
    near = similar(path.name, there)
    return did_you_mean(near and str(path.with_name(near)))
