"""Verify results: train a random sample of their runs again, and compare every number.

A checksum finds accidental changes only. If a person changed a number, and its checksum with it, only training the run
again finds the change.
"""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from dlsweep import machine
from dlsweep.config.runs import Run
from dlsweep.errors import ResultsDamaged, UsageError
from dlsweep.execution.executors import Executor, Options, choose, registering_modules
from dlsweep.execution.interruption import interruptible
from dlsweep.execution.worker import Task, indivisible
from dlsweep.progress import Progress, Reporter
from dlsweep.storage import compatibility, contents, made_by, record, recovery
from dlsweep.storage.duplicates import difference
from dlsweep.storage.folder import open_folder
from dlsweep.storage.opening import open_results
from dlsweep.storage.results import Results
from dlsweep.storage.store import Committed, Store, statuses
from dlsweep.storage.tables import Tables
from dlsweep.sweep import train_chunks
from dlsweep.text import number, plural
from dlsweep.training.plan import plan

Outcome = Literal["same bits", "near", "different"]

# Differences of final metrics that rounding may cause on another processor: absolute for accuracy, relative for others.
# Chaotic runs have larger ones, see docs/rounding.md.
NEAR = {"accuracy": 0.02, "loss": 0.1, "distance": 0.1}


@dataclass(frozen=True)
class Verified:
    """A run that was trained again.

    outcome: "same bits"; "near": trained on another machine, and its final metrics differ by no more than `NEAR`;
    "different". where: the first number that differs, in a sentence; "" if none does. exact: the processor and
    the versions that trained the run are those of this process, so every bit counts.
    """

    run: str
    arm: str
    seed: str
    outcome: Outcome
    where: str
    exact: bool


@dataclass(frozen=True)
class Verification:
    """The runs of a sample that were trained again, out of all `total` runs that ended well.

    sample: the number that chose them. changed: number of runs that cannot be trained again, because their data has
    changed since.
    """

    folder: str
    total: int
    sample: int
    changed: int
    runs: list[Verified]

    @property
    def exit_code(self) -> int:
        """0 if no run differs, else 1."""
        return int(any(run.outcome == "different" for run in self.runs))


def verify(
    results: Results | str | Path,
    *,
    runs: int = 3,
    sample: int | None = None,
    jobs: int | None = None,
    report: Reporter | None = None,
) -> Verification:
    """Train a random sample of runs again, in a temporary folder, and compare all their numbers with the results.

    runs: how many; those that diverged count, those that failed do not. An ensemble is trained whole. sample: a
    number that chooses the same runs again; by default a new one each time. jobs: worker processes. Raise
    `ResultsDamaged` if any part of the results, also of other runs, is not as it was written; `UsageError` if there is
    nothing to verify, or if the data or a function has changed.

    >>> import dlsweep
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 2}
    >>> results = dlsweep.run(config, executor="inline")
    >>> [run.outcome for run in verify(results, runs=2, jobs=1).runs]
    ['same bits', 'same bits']
    """
    if runs < 1:
        raise UsageError(f"a sample must have at least one run, got {runs}")
    results = results if isinstance(results, Results) else open_results(results)
    there = Store(results.files, results.record.tables, results.record.beside)
    committed, bad, _ = recovery.scan(there)
    if bad:
        advice = f"`dlsweep run` sets damaged parts of {results.folder} aside and trains their runs again"
        raise ResultsDamaged("\n".join([*bad.values(), advice]))
    found = {run for run, status in statuses(committed).items() if status != "failed"} - set(results.record.hidden)
    sample = int(np.random.SeedSequence().generate_state(1)[0]) if sample is None else sample
    asked = [run for run in results.expanded.runs() if run.id in found]
    chosen = _sample(results, asked, bool(found), runs, sample)
    compatibility.check_sources([run.arm for run in chosen], results.record, results.files)
    with TemporaryDirectory(prefix="dlsweep-verify-") as scratch:
        options = Options(Path(scratch), jobs)
        again = Store(open_folder(Path(scratch)), results.record.tables)
        _train(results, chosen, again, choose(options), report or Progress(results.name))
        compared = [
            _compared(run, old, new, results.record)
            for run, old, new in zip(
                chosen, _rows(there, committed, chosen), _rows(again, recovery.scan(again)[0], chosen), strict=True
            )
        ]
    return Verification(str(results.folder), len(found), sample, len(found) - len(asked), compared)


def _sample(results: Results, runs: Sequence[Run], found: bool, count: int, sample: int) -> list[Run]:
    """Return some of the runs at random, in the order of the config; of ensembles all members."""
    if not runs:
        reason = "its data has changed since they were trained" if found else "no run is done yet"
        raise UsageError(f"there is nothing to verify in {results.folder}: {reason}")
    units = [unit for _, arm in groupby(runs, key=lambda run: run.arm.name) for unit in indivisible([*arm])]
    order = np.random.default_rng(sample).permutation(len(units))
    taken: list[int] = []
    for i in order:
        if sum(len(units[j]) for j in taken) >= count:
            break
        taken.append(int(i))
    return [run for i in sorted(taken) for run in units[i]]


def _train(results: Results, chosen: Sequence[Run], again: Store, executor: Executor, report: Reporter) -> None:
    """Train the chosen runs into another store."""
    whole, ids = plan(results.expanded), {run.id for run in chosen}
    others = {run.id for run in results.expanded.runs()} - ids
    report.start(len(chosen), 0, whole.iterations(others))
    task = Task(again, registering_modules())
    chunks = whole.chunks(others, executor.workers, executor.stack_memory)
    with interruptible(report.note) as check, closing(report):
        list(train_chunks(executor, task, chunks, report, check))


def _rows(store: Store, committed: Committed, runs: Sequence[Run]) -> Iterator[dict[str, pa.Table]]:
    """Yield the rows of each run in every table; in ensembles/ those of its arm."""
    stems = {run: stem for stem, rows in committed.items() for run in rows["run_id"].to_pylist()}
    listed = store.listed()
    for run in runs:
        stem = stems[run.id]
        names = {table: listed[table][stem] for table in store.tables.schemas}
        yield contents.of_some(store.folder, names, store.tables.schemas, committed[stem], [run.id])


def _compared(run: Run, old: Mapping[str, pa.Table], new: Mapping[str, pa.Table], recorded: record.Record) -> Verified:
    """Compare the rows of a run with those of the same run, trained again."""
    aside = {"arm", *recorded.tables.factors} if run.id in recorded.relabelled else set()
    aside |= {"seed"} if recorded.tables.sources else set()  # the position of its seeds in the config of that time
    exact = _is_made_here(old["runs"], recorded.sessions)
    outcome = _outcome(old, new, recorded.tables, aside, exact)
    return Verified(run.id, run.arm.name, str(run.seeds), *outcome, exact)


def _outcome(
    old: Mapping[str, pa.Table], new: Mapping[str, pa.Table], tables: Tables, aside: Collection[str], exact: bool
) -> tuple[Outcome, str]:
    """Return the outcome, and the first number that differs. aside: columns that may differ; exact: all bits count."""
    where = next(_differences(old, new, aside), "")
    if not where:
        return "same bits", ""
    if exact:
        return "different", where
    a, b = (one["runs"].to_pylist()[0] for one in (old, new))
    far = [
        f"{column} is {number(a[column])}, and {number(b[column])} when trained again"
        for column in (f"final_{split}_{metric}" for split in tables.splits for metric in tables.metrics)
        if not _is_near(a[column], b[column], column.rpartition("_")[2])
    ]
    if a["status"] != b["status"]:
        far.insert(0, f"status is {a['status']}, and {b['status']} when trained again")
    return ("different", far[0]) if far else ("near", where)


def _is_near(a: float | None, b: float | None, metric: str) -> bool:
    if a is None or b is None:
        return a is b
    return abs(a - b) <= NEAR[metric] * (1 if metric == "accuracy" else max(abs(a), abs(b)))


def _differences(old: Mapping[str, pa.Table], new: Mapping[str, pa.Table], aside: Collection[str]) -> Iterator[str]:
    """Yield a sentence on the first number of each row of a run that differs after the run is trained again."""
    for table in old:
        rows = [sorted(own[table].to_pylist(), key=_position) for own in (old, new)]
        if len(rows[0]) != len(rows[1]):
            yield f"{table}/ has {plural(len(rows[0]), 'row')}, and {len(rows[1])} when trained again"
        for a, b in zip(*rows):
            if column := difference(a, b, aside):
                at = ", ".join(f"{name} {a[name]}" for name in ("iteration", "split", "layer") if name in a)
                here = f"{column} in {table}/{f' ({at})' * bool(at)}"
                yield f"{here} is {_shown(a[column])}, and {_shown(b[column])} when trained again"


def _position(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row.get("iteration", 0), row.get("split", ""), row.get("layer", "")


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, (int, float, str)) or value is None else "another value"


def _is_made_here(rows: pa.Table, sessions: Sequence[Mapping[str, Any]]) -> bool:
    """Tell if rows of runs/ come from a machine like this one. Of an older dlsweep, all sessions must."""
    if made := made_by.machine_of(rows):
        return made == made_by.here()

    def of(session: Mapping[str, Any]) -> tuple[Any, ...]:
        versions = session.get("versions", {})
        return versions.get("numpy"), versions.get("blas"), session.get("machine", {}).get("processor")

    numpy, blas, _ = of(record.session(None))
    names = {
        machine.processor(),
        platform.processor() or platform.machine(),
    }  # now, and in sessions of an older dlsweep
    return all(of(session)[:2] == (numpy, blas) and of(session)[2] in names for session in sessions)
