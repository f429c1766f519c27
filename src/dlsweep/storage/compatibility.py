"""Check that a results folder was made by a compatible config."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dlsweep import sources
from dlsweep.config import Config, load
from dlsweep.config.runs import Arm, Run
from dlsweep.errors import DlsweepError, ResultsDamaged, Unreadable, UsageError
from dlsweep.factors import BY_NAME, foreign
from dlsweep.randomness import RANDOMNESS_VERSION
from dlsweep.registry import Choice, Entry
from dlsweep.sources import place
from dlsweep.storage import changes, parts, record, recovery
from dlsweep.storage.folder import Folder
from dlsweep.storage.store import Committed, Store, statuses
from dlsweep.storage.tables import KEPT, OPTIONAL, Tables
from dlsweep.text import identifier, plural


def tables(config: Config, old: record.Record | None = None) -> Tables:
    """Return the tables of a sweep: of the one that `old` describes, or of a new one.

    A folder keeps predictions for all of its runs, or for none, whatever the config says.
    """
    predicts = "predictions" in old.tables.optional if old else config.evaluate.predicts
    asked = {"ensembles": config.evaluate.ensemble, "layers": config.evaluate.layers, "predictions": predicts}
    optional = tuple(table for table in OPTIONAL if asked[table])
    kept = KEPT if config.evaluate.keep else ()
    sweep = old.tables.sweep if old else identifier(json.dumps(_question(canonical(config))))
    sources = tuple(config.replicates.crossed)
    of_task = (config.factors, config.settings, config.evaluate.on, config.task.name)
    overlap = config.divided and (not sources or "split" in sources)  # else all runs have the split of seed 0
    return Tables(*of_task, optional, kept, sources, overlap, sweep)


def open_record(folder: Folder, config: Config | None = None) -> tuple[record.Record | None, str]:
    """Return the record of a results folder, if there is one, and a note if it had to be remade.

    A damaged record, or one of another sweep, is remade from `config`, by default the one in `sweep.yaml`, if the
    folder's runs are proved to be those of this config; else raise `ResultsDamaged`. Nothing is written.
    """
    try:
        found = _own_record(folder)
    except record.OtherVersion:
        raise
    except ResultsDamaged as damage:
        several = len({*_sweeps(folder)}) > 1  # a longer training has begun, and sweep.yaml belongs to the results
        proofs: dict[str, Config | None] = {"this config": config} if config and not several else {}
        proofs[f"{folder}/sweep.yaml"] = None
        for source, own in proofs.items():
            if remade := _remade(folder, own):
                hidden = f", except for {plural(len(remade.hidden), 'run')} that are not shown" if remade.hidden else ""
                proof = f"its runs are those of {source}{hidden}" if _has_runs(folder) else "the folder has no runs yet"
                return remade, f"{damage}; {proof}"
        raise ResultsDamaged(
            f"{damage}; it cannot be remade from {' or '.join(proofs)}: nothing proves that the folder's runs belong "
            "to it; run the folder's config with all overrides, or give the sweep another name"
        ) from damage
    if config and found is None and any(True for _ in _sweeps(folder)):
        raise without_record(folder, record.ANEW)
    return found, ""


def without_record(folder: Folder, advice: str) -> ResultsDamaged:
    """Return the error of a folder that has lost its record."""
    return ResultsDamaged(f"{folder} holds runs but no {record.FILE}, without which their config is unknown; {advice}")


def _own_record(folder: Folder) -> record.Record | None:
    """Return the record of a folder. Raise `ResultsDamaged` if all runs there belong to other sweeps."""
    found = record.read(folder)
    named = {"", found.tables.sweep, found.beside} if found and found.tables.sweep else set()
    if named and next(_sweeps(folder), "") not in named and not named.intersection(_sweeps(folder)):
        raise ResultsDamaged(
            f"{folder}/{record.FILE} belongs to another sweep than the runs there, and may have been copied there"
        )
    return found


def _has_runs(folder: Folder) -> bool:
    """Return True if there are parts of runs/, also damaged ones."""
    return bool(parts.listing(folder, "runs"))


def _sweeps(folder: Folder) -> Iterator[str]:
    """Yield the id of the sweep of each part of runs/ that is there and not damaged; "" if the part has none."""
    for name in parts.listing(folder, "runs").values():
        with suppress(parts.Damaged, parts.Gone):
            yield parts.sweep(folder, name)


def _remade(folder: Folder, config: Config | None) -> record.Record | None:
    """Return a new record for a folder, if its runs are proved to be those of the config; by default of `sweep.yaml`.

    That is, all of them are; or some are, and every part names the same sweep, or a longer training of it; or there are
    no runs.
    """
    try:
        if config is None:
            with TemporaryDirectory() as scratch:
                path = Path(scratch, "sweep.yaml")
                path.write_bytes(folder.get(path.name))
                config = load(path, max_runs=sys.maxsize)
        sweeps = sorted(set(_sweeps(folder))) or [""]
        made = (_described(folder, config, sweep, [*({*sweeps} - {sweep})]) for sweep in sweeps if len(sweeps) < 3)
        return next(filter(None, made), None)
    except Unreadable:
        raise
    except (parts.Damaged, DlsweepError, FileNotFoundError):
        return None


def _described(folder: Folder, config: Config, sweep: str, beside: list[str]) -> record.Record | None:
    """Return the record of a sweep in a folder, if its runs are those of the config. beside: the id of another one."""
    found = replace(tables(config), sweep=sweep)
    if _has_runs(folder):  # predictions are there for all runs or for none, whatever the config says
        there = ["predictions"] * bool(folder.list("predictions"))
        found = replace(found, optional=(*(t for t in found.optional if t != "predictions"), *there))
    committed, *_ = recovery.scan(Store(folder, found, *beside))
    left = others(config, committed)
    if (_has_runs(folder) and len(left) == _count(committed)) or (left and not sweep):
        return None
    made = describe(config, None, committed)
    return replace(made, tables=found, sessions=[], sources=None, further="".join(beside))


def describe(
    config: Config,
    old: record.Record | None,
    committed: Committed | None = None,
    own: Iterable[Run] | None = None,
) -> record.Record:
    """Return the record of a folder that this process trains `config` into.

    committed: the runs that are there; None for the record of a training that has gone further, and has results.
    own: the runs that the folder is for; by default all of the config.
    """
    trained = committed is None or any(status != "failed" for status in statuses(committed).values())
    kept = {name: getattr(old, name) for name in ("shard", "runs", "further", "earlier") if old}
    relabelled, hidden = changes.differing(config, (committed or {}).values(), config.runs() if own is None else own)
    return record.Record(
        name=config.name,
        config=canonical(config),
        tables=tables(config, old),
        levels={factor: list(config.levels(factor)) for factor in config.factors},
        plots=config.plots,
        sessions=[*(old.sessions if old else ()), record.session(config.file)],
        sources={f"{one.kind} {one.name}": sources.digest(one.function) for one in _foreign(_words(config.resolved()))},
        relabelled=relabelled,
        hidden=hidden,
        tuning=config.tuning,
        **changes.claims(config, old, trained),
        looks=config.looks,
        **kept,
    )


def check(
    config: Config, old: record.Record | None, committed: Committed, folder: Folder, *, growing: bool = False
) -> list[str]:
    """Refuse a config that is not compatible with the folder's runs; return notes on the runs that they share.

    A config that differs from the recorded one is compatible if they have runs in common: then they differ in arms and
    seeds only. Runs that it does not ask for are kept, and not shown. growing: True if no note is needed on
    more runs than before, as in a further round of tuning.
    """
    if not committed:
        return []
    assert old is not None
    if old.schema_version == 1 and "layers" in old.tables.optional:
        raise UsageError(
            f"an older dlsweep measured the layers of {folder} in another way: its results can be shown and plotted, "
            f"but not trained further; {record.ANEW}"
        )
    finished = {run for run, status in statuses(committed).items() if status != "failed"}
    arms = (run.arm for run in config.runs() if run.id in finished)
    notes = [
        f"it is not known if {function} has changed since the folder's runs were trained, because its source {reason}"
        for function, reason in check_sources(arms, old, folder)
    ]
    if _question(old.config) == _question(canonical(config)) and old.randomness_version == RANDOMNESS_VERSION:
        return notes
    count, left = _count(committed), others(config, committed)
    # A column that is added or gone belongs to an arm that is added or gone.
    then, now = (replace(one, settings=(), factors=()) for one in (old.tables, tables(config, old)))
    if then != now or old.randomness_version != RANDOMNESS_VERSION or len(left) == count:
        raise UsageError(_refusal(folder, old, config))
    if left:
        kept = f"{plural(len(left), 'run')} in {folder} that this config does not ask for"
        notes.append(f"{config.name}: the config has changed; {kept} stay there, and are not shown")
    elif not growing:
        runs = plural(count, "run")
        notes.append(f"{config.name}: the config has changed, and still includes the folder's {runs}")
    return notes


def _count(committed: Committed) -> int:
    return sum(map(len, committed.values()))


def others(config: Config, committed: Committed) -> set[str]:
    """Return the ids of the committed runs that a config does not ask for."""
    there = {run for rows in committed.values() for run in rows["run_id"].to_pylist()}
    return there - {run.id for run in config.runs()}


def asked(runs: Iterable[Run], found: Mapping[str, str]) -> dict[str, str]:
    """Return the status of those of some runs that are committed."""
    return {run.id: found[run.id] for run in runs if run.id in found} if found else {}


def check_sources(arms: Iterable[Arm], old: record.Record, folder: Folder) -> list[tuple[str, str]]:
    """Refuse functions of other packages that have changed since these arms were trained.

    Return those that may have changed: each as a message names it, with the reason.
    """
    changed, unknown = [], []
    for entry in _foreign(word for arm in arms for word in _words(arm.choices)):
        function = f"the {entry.kind} {entry.name!r} ({place(entry.function)})"
        then, now = (old.sources or {}).get(f"{entry.kind} {entry.name}"), sources.digest(entry.function)
        if then and now and then != now:
            changed.append(f"  {function} has another source now, not only other comments and docstrings")
        elif old.sources is None or then == "":
            unknown.append((function, "was not recorded"))
        elif not now:
            unknown.append((function, "cannot be read"))
    if changed:
        lines = [f"{folder} was trained with other functions:", *changed]
        raise UsageError("\n".join([*lines, record.ANEW]))
    return unknown


def _foreign(words: Iterable[str]) -> list[Entry]:
    """Return what other packages registered and these words name. Data sets count by their content instead."""
    outside = [entry for entry in foreign() if entry.kind != BY_NAME["data"].registry.kind]
    named = set(words) if outside else set()
    return [entry for entry in outside if entry.name in named]


def _words(value: Any) -> Iterator[str]:
    """Yield all texts in choices, lists and mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Choice):
        yield from (value.name, *_words(value.settings))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from (key, *_words(inner))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _words(inner)


def canonical(config: Config) -> Any:
    """Return the resolved config as JSON preserves it."""
    return json.loads(json.dumps(config.resolved()))


def _question(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved config without its title and its choice to keep predictions, which do not change results."""
    evaluate = {name: value for name, value in config["evaluate"].items() if name != "predictions"}
    return {key: value for key, value in config.items() if key != "title"} | {"evaluate": evaluate}


def _refusal(folder: Folder, old: record.Record, config: Config) -> str:
    differences = [line for line in config.difference(dict(old.config)) if not line.startswith("evaluate.planned: new")]
    if old.randomness_version != RANDOMNESS_VERSION:
        differences.append(f"randomness version: {old.randomness_version} there, {RANDOMNESS_VERSION} now")
    if config.evaluate.ensemble and sorted(config.seeds) != sorted(old.config["seeds"]):
        differences.append("evaluate.ensemble: the members of an ensemble train together, so their seeds cannot change")
    lines = [f"{folder} belongs to a different config:", *(f"  {line}" for line in differences)]
    return "\n".join([*lines, record.ANEW])
