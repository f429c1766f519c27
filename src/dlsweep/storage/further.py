"""Train a finished sweep further: its runs go on from the states that they kept.

If a config differs from a folder's only in the length of training, its runs are other runs, with ids of their own. They
are another sweep in the same folder: their parts carry its id, which `sweep.json` names as `further`. Until the last
longer run is there, the results are the earlier runs. Then one write of `sweep.json` makes the longer runs the results
and names the others as `earlier`, and these are deleted. A crash at any moment leaves one of the two, and the next
start goes on from there.

A run that goes on has the bits of a run that was trained in one go. Its evaluations stay at the same iterations: if the
config does not set `evaluate.every`, its default is computed from the first length, which `evaluate.planned` holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import Any

from dlsweep.config import Config, load_resolved
from dlsweep.config.runs import Run
from dlsweep.datasets import data_of
from dlsweep.errors import ResultsDamaged, Unreadable, UsageError
from dlsweep.nn.optimizers import optimizers
from dlsweep.nn.schedules import schedules
from dlsweep.storage import compatibility, parts, record
from dlsweep.storage.earlier import Before
from dlsweep.storage.folder import Folder
from dlsweep.storage.store import Committed, Store
from dlsweep.text import plural
from dlsweep.training.result import named

UNITS = ("iterations", "epochs")
_NAMED = 4  # arms in a message
EVERY = 10  # the default of evaluate.every in results of schema version 1, whose configs hold it as if it was given


def adopted(config: Config, folder: Folder) -> Config:
    """Return a config with the planned looks of a folder, and with the evaluations of its runs.

    The evaluations stay at the same iterations if the config does not set them and trains longer. More runs of the same
    length have predictions if the folder's runs have.
    """
    try:
        old, _ = compatibility.open_record(folder, config)
    except (ResultsDamaged, Unreadable):  # the repair reports it
        return config
    if old is None:
        return config
    config = config if config.looks else replace(config, looks=old.looks)
    config, (_, then, now) = _evaluated(config, old), _lengths(config, old)
    predictions = "predictions" in old.tables.optional
    return replace(config, evaluate=replace(config.evaluate, predictions=predictions)) if then == now else config


def _evaluated(config: Config, old: record.Record) -> Config:
    """Return a config with the evaluations of a record, if it does not set them and may train longer."""
    asked = config.resolved()["evaluate"]
    if "every" in asked or "planned" in asked:
        return config
    given, (unit, then, now) = old.config["evaluate"], _lengths(config, old)
    if "every" in given:
        unset = (old.schema_version, given["every"]) == (1, EVERY)
        return _changed(config, evaluate={"every": EVERY}) if unset else config
    planned = given.get("planned", then if now > then else None)
    return _changed(config, evaluate={"planned": planned}) if unit and planned else config


def before(config: Config, old: record.Record) -> Config | None:
    """Return a config with the length of training of a record; None if it has this length."""
    unit, then, now = _lengths(config, old)
    if then == now:
        return None
    planned = {} if "planned" in old.config["evaluate"] else {"planned": None}
    return _changed(config, train={unit: then}, evaluate=planned)


def _lengths(config: Config, old: record.Record) -> tuple[str, int, int]:
    """Return the unit and lengths of the record's training and the config's; equal if they cannot be compared."""
    then, now = old.config["train"], config.resolved()["train"]
    return next(((unit, then[unit], now[unit]) for unit in UNITS if unit in then and unit in now), ("", 0, 0))


def _changed(config: Config, **changes: Mapping[str, Any]) -> Config:
    """Return a config with other settings in its parts; None for a default."""
    resolved = {key: value for key, value in config.resolved().items() if key != "fingerprints"}
    for part, settings in changes.items():
        resolved[part] = {name: v for name, v in (resolved[part] | settings).items() if v is not None}
    made = load_resolved(resolved)
    kept = {name: getattr(config, name) for name in ("file", "text", "plots", "claims", "alpha", "looks")}
    return replace(made, **kept)


def goes_on(
    config: Config, old: record.Record, committed: Committed, folder: Folder
) -> tuple[dict[str, Before], list[str]]:
    """Return the runs of a folder that go on in a longer training, by the ids that they will have; and notes.

    committed: the folder's runs. Raise `UsageError` if they are not those of the same config with a shorter training,
    or cannot go on.
    """
    shorter, notes = _shorter(config, old, committed, folder)
    found: dict[str, Before] = {}
    rows = {row["run_id"]: (stem, row) for stem, own in committed.items() for row in own.to_pylist()}
    same = cache(_same_factors)
    for longer, run in zip(config.runs(), shorter.runs(), strict=True):
        stem, row = rows.get(run.id, ("", {"status": "failed"}))
        samples = data_of(run.arm).sizes["train"]
        steps = run.arm.train.steps(samples)
        # Divergence may be found at the last evaluation, which a longer training does not have.
        irregular = row["status"] == "diverged" and row["iterations"] == steps and steps % run.arm.evaluate.every
        if row["status"] == "failed" or irregular:  # it starts from the beginning
            continue
        if not same(run.arm.schedule, steps, longer.arm.train.steps(samples)):
            reason = f"the schedule {run.arm.schedule.name} depends on the length of training"
            raise _refusal(config, old, folder, reason)
        if row["status"] == "done" and not _has_state(folder, row, run, steps):
            reason = "an older dlsweep kept their weights without the state of training"
            raise _refusal(config, old, folder, reason)
        found[longer.id] = Before(run.id, stem, steps)
    return _whole_arms(config, found), notes


def _shorter(config: Config, old: record.Record, committed: Committed, folder: Folder) -> tuple[Config, list[str]]:
    """Return the config with the length of the folder's runs, and notes. Raise `UsageError` if none of them goes on."""
    shorter = before(config, old)
    assert shorter is not None
    try:
        notes = compatibility.check(shorter, old, committed, folder)
    except UsageError:
        compatibility.check(config, old, committed, folder)  # names every difference
        raise
    unit, then, now = _lengths(config, old)
    if now < then:
        raise UsageError(
            f"{folder} holds runs of {then} {unit}, and this config asks for {now}; trained runs cannot be made "
            f"shorter: {record.ANEW}"
        )
    if config.evaluate.keep != "final":
        keep = "; with evaluate.keep=final the runs keep it, for the next time" if config.task.concerns("init") else ""
        raise _refusal(config, old, folder, "they kept no state of training", keep)
    if not old.tables.sweep:
        raise _refusal(config, old, folder, "an older dlsweep has trained them")
    if left := compatibility.others(shorter, committed):
        raise UsageError(
            f"{folder} holds {plural(len(left), 'run')} that this config does not ask for ({_where(left, committed)}), "
            f"and a longer training replaces all runs of a folder; add these to the config, {record.ANEW}"
        )
    return shorter, notes


def _where(runs: Collection[str], committed: Committed) -> str:
    """Return the arms and the seeds of some runs, with the names that the arms had when they were trained."""
    rows = [row for part in committed.values() for row in part.to_pylist() if row["run_id"] in runs]
    arms, seeds = sorted({row["arm"] for row in rows}), sorted({row["seed"] for row in rows})
    names = ", ".join(map(repr, arms[:_NAMED])) + (", …" if len(arms) > _NAMED else "")
    seed = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"
    return f"{'arm' if len(arms) == 1 else 'arms'} {names}; {seed}"


def _refusal(config: Config, old: record.Record, folder: Folder, reason: str, hint: str = "") -> UsageError:
    unit, then, now = _lengths(config, old)
    return UsageError(
        f"{folder} holds runs of {then} {unit} that cannot go on to {now}, because {reason}; train from the start: "
        f"{record.ANEW}{hint}"
    )


def _whole_arms(config: Config, found: dict[str, Before]) -> dict[str, Before]:
    """Leave out the members of an ensemble if one of them starts from the beginning: they train together."""
    if not config.evaluate.ensemble:
        return found
    arms = [[run.id for run in own] for _, own in groupby(config.runs(), key=lambda run: run.arm.identity)]
    return {run: found[run] for own in arms if found.keys() >= set(own) for run in own}


def _same_factors(choice: Any, then: int, now: int) -> bool:
    """Tell if a schedule has the same factors in a training of `then` updates and in the beginning of one of `now`."""
    schedule = schedules[choice.name]
    return all(schedule(t, then, **choice.settings) == schedule(t, now, **choice.settings) for t in range(1, then + 1))


def _has_state(folder: Folder, row: Mapping[str, Any], run: Run, steps: int) -> bool:
    """Tell if a run has kept all arrays that it needs to go on."""
    _, state = parts.read_weights(folder, parts.weights_name(row["run_id"]), row["kept_checksum"])
    needed = {
        "slots": bool(optimizers[run.arm.optimizer.name].rest),
        "last": row["kept_iteration"] != steps,
        "probes": run.arm.evaluate.layers,
    }
    return all(named(group, state) for group, needs in needed.items() if needs)


def begin(config: Config, old: record.Record, there: Store, runs: int) -> Store:
    """Return the store of the longer training, which its folder's record names from now on.

    there: the store of the folder's runs. runs: the number of the longer ones. Parts of another
    longer training that was never finished are deleted.
    """
    tables = compatibility.tables(config)
    if old.further != tables.sweep:
        if old.beside:
            there.discard()
        replace(old, further=tables.sweep, earlier="", runs=runs).write(there.folder)
    return Store(there.folder, tables, old.tables.sweep)


def finish(config: Config, store: Store) -> None:
    """Replace the results of a folder with those of the longer training, which are complete, and delete the others."""
    folder = store.folder
    old = record.read(folder)
    assert old is not None
    described = compatibility.describe(config, replace(old, tables=store.tables))
    folder.put("sweep.yaml", config.text)
    replace(described, further="", earlier=old.tables.sweep).write(folder)
    store.discard()
