"""Whether a results folder may hold the answer to a config, and what of the answer it holds already."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from dlsweep import files
from dlsweep.config import Config, load
from dlsweep.errors import DlsweepError, ResultsDamaged, UsageError
from dlsweep.randomness import RANDOMNESS_VERSION
from dlsweep.storage import parts, record, weights
from dlsweep.storage.store import FOLDERS, QUARANTINE, Held, Store
from dlsweep.storage.tables import OPTIONAL, Tables
from dlsweep.tasks import DESCENT
from dlsweep.text import plural


def place(output: Path, name: str) -> Path:
    """The results folder of a sweep, made if it is not there. No link may lead out of `output` from there."""
    folder = output / name
    if folder.parent != output or folder.name != name:
        raise UsageError(f"the name {name!r} is not that of a folder in {output}")
    inside = [*FOLDERS, *(f"{QUARANTINE}/{name}" for name in FOLDERS), "figures"]
    files.refuse_links(output, *(f"{name}/{path}" for path in inside))
    files.make_folder(folder)
    return folder


def tables(config: Config, old: record.Record | None = None) -> Tables:
    """The tables of a sweep, which is the one that `old` describes, or else a new one."""
    coordinates = ("x", "y") if config.task is DESCENT else ()
    asked = {"ensembles": config.evaluate.ensemble, "layers": config.evaluate.layers}
    optional = tuple(table for table in OPTIONAL if asked[table])
    kept = weights.COLUMNS if config.evaluate.keep else ()
    sweep = old.tables.sweep if old else blake2b(json.dumps(canonical(config)).encode(), digest_size=8).hexdigest()
    return Tables(config.factors, config.settings, config.evaluate.on, coordinates, optional, kept, sweep)


def repaired(folder: Path, config: Config) -> record.Record | None:
    """Make the record of a folder anew whose `sweep.json` is damaged: if all of its runs are those of `config`.

    None where that cannot be proved: a run of another config, under other labels, or none at all.
    """
    try:
        for part in parts.listing(folder / "runs").values():
            found = replace(tables(config), sweep=parts.sweep(part))
            held, _ = Store(folder, found).survey()
            proved = bool(held) and _asks_for_all(config, held, found)
            return replace(describe(config, None), tables=found, sessions=[]) if proved else None
    except (parts.Damaged, ResultsDamaged):
        pass
    return None


def opened(folder: Path) -> record.Record | None:
    """Return the record of a results folder; None if there is none.

    A damaged one is made anew from `sweep.yaml` where that can be proved to be the question of the folder's runs.
    """
    try:
        return record.read(folder)
    except record.OtherVersion:
        raise
    except ResultsDamaged as damage:
        try:
            found = repaired(folder, load(folder / "sweep.yaml", max_runs=sys.maxsize))
        except (DlsweepError, OSError):
            found = None
        if found is None:
            raise ResultsDamaged(
                f"{damage}; it cannot be made anew from {folder / 'sweep.yaml'}, whose runs are not proved to be those "
                "of the folder; run its config with all overrides, or give the sweep another name"
            ) from damage
        return found


def describes(old: record.Record, config: Config) -> bool:
    """Whether a record says of a config all that there is to say."""
    return old.config == canonical(config) and old.plots == config.plots


def check(config: Config, old: record.Record | None, held: Held, folder: Path) -> list[str]:
    """Refuse a config that the folder does not answer; give notes on one that it answers in part.

    The folder belongs to the config of its runs, which `old` tells: another config is refused, unless it asks for all
    of these runs, under the same labels, and for more.
    """
    if not held:
        return []
    if old is None:
        raise ResultsDamaged(f"{folder} holds runs but no {record.FILE}, so nobody knows what they answer")
    if old.schema_version == 1 and "layers" in old.tables.optional:
        raise UsageError(
            f"{folder} has measurements of layers by an older dlsweep, which took others: its results can be shown and "
            "drawn, but not trained further; give the sweep another name, or replace its results with --force"
        )
    if old.config == canonical(config) and old.randomness_version == RANDOMNESS_VERSION:
        return []
    if old.tables != tables(config) or not _asks_for_all(config, held, old.tables):
        raise UsageError(_refusal(folder, old, config))
    runs = plural(sum(map(len, held.values())), "run")
    return [f"{config.name}: the config has changed, and still asks for all that is there, {runs}"]


def canonical(config: Config) -> Any:
    """The resolved config as JSON gives it back."""
    return json.loads(json.dumps(config.resolved()))


def _asks_for_all(config: Config, held: Held, tables: Tables) -> bool:
    """Whether every run that is there is one of the config's, under the same labels."""
    labels: dict[str, tuple[str, ...]] = {}
    for rows in held.values():
        names = zip(*(rows[column].to_pylist() for column in ("arm", *tables.factors)), strict=True)
        labels.update(zip(rows["run_id"].to_pylist(), names, strict=True))
    for run in config.runs():
        if run.id in labels and labels.pop(run.id) != (run.arm.name, *(run.arm.levels[f] for f in tables.factors)):
            return False
    return not labels


def _refusal(folder: Path, old: record.Record, config: Config) -> str:
    differences = _renamed(old.config, canonical(config)) or config.difference(dict(old.config))
    if old.randomness_version != RANDOMNESS_VERSION:
        differences.append(f"randomness version: {old.randomness_version} there, {RANDOMNESS_VERSION} now")
    lines = [f"{folder} answers another config:", *(f"  {line}" for line in differences)]
    return "\n".join([*lines, "give the sweep another name, or replace its results with --force"])


def _renamed(old: Any, new: Any) -> list[str]:
    """A sentence for every label that is another now; none where more than labels has changed."""
    then: list[str] = []
    now: list[str] = []
    if _unlabelled(old, then) != _unlabelled(new, now):
        return []
    return [f"only the label {a!r} has become {b!r}" for a, b in zip(then, now, strict=True) if a != b]


def _unlabelled(value: Any, labels: list[str]) -> Any:
    """A resolved config without its labels, which are added to a list."""
    if isinstance(value, dict):
        labels += [value["label"]] if "label" in value else []
        return {key: _unlabelled(inner, labels) for key, inner in value.items() if key != "label"}
    return [_unlabelled(item, labels) for item in value] if isinstance(value, list) else value


def describe(config: Config, old: record.Record | None) -> record.Record:
    """The record of a folder that from now on answers `config`, trained by this process."""
    return record.Record(
        name=config.name,
        config=canonical(config),
        tables=tables(config, old),
        levels={factor: list(config.levels(factor)) for factor in config.factors},
        plots=config.plots,
        sessions=[*(old.sessions if old else ()), record.session(config.file)],
    )
