"""A sweep, from a config to its results: what is missing is trained, what is there is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from dlsweep import files
from dlsweep.config import Config, load
from dlsweep.datasets import data_of
from dlsweep.datasets.fetching import fetch
from dlsweep.errors import DlsweepError, ResultsDamaged
from dlsweep.execution.choice import Crew, crew, registering_modules
from dlsweep.execution.interruption import interruptible
from dlsweep.execution.worker import Receipt, Task
from dlsweep.storage import compatibility, record
from dlsweep.storage.lock import sole_runner
from dlsweep.storage.results import Results, open_results
from dlsweep.storage.store import Held, Store, statuses
from dlsweep.training.minibatches import iterations
from dlsweep.training.plan import Plan, code, plan


class Reporter:
    """Who is told how a sweep goes: this one keeps quiet, and is there to be derived from."""

    def start(self, total: int, done: int, iterations: int) -> None:
        """Training starts: `done` of `total` runs are on disk, the others take so many run-iterations."""

    def progress(self, iterations: int) -> None:
        """So many run-iterations were trained since the last call; fewer than none where something is tried again."""

    def receipt(self, receipt: Receipt) -> None:
        """More runs are on disk."""

    def note(self, sentence: str) -> None:
        """Something that a person should know."""


def run(
    config: Config | str | Path | Mapping[str, Any],
    *,
    output: str | Path = "results",
    jobs: int | None = None,
    executor: str | None = None,
    force: bool = False,
    retry: bool = False,
    fail_fast: bool = False,
    timeout: float | None = None,
    max_memory: int | None = None,
    report: Reporter | None = None,
) -> Results:
    """Train what is missing of a sweep, and return its results, which lie in `<output>/<name>/`.

    jobs: worker processes, by default one for every core. executor: "processes" or "inline", by default what suits.
    force: replace the results. retry: train failed runs again. fail_fast: end at the first run that fails.
    timeout: seconds without progress after which a worker is ended. max_memory: bytes for the stacks of all workers
    together, by default half of the machine's.

    A run that fails is a row of the results with status "failed"; the others go on. Raises `ConfigError` for mistakes
    in the config, `UsageError` where the folder answers another config, `ResultsInUse` while another process works on
    it, `Interrupted` after Ctrl-C or SIGTERM, `FetchError` where the data cannot be fetched, and `DlsweepError` when
    nothing can be written.

    >>> config = {
    ...     "name": "tiny",
    ...     "data": {"mnist": {"train": 100, "test": 100}},
    ...     "train": {"iterations": 2},
    ...     "grid": {"activation": ["relu", "tanh"]},
    ...     "seeds": 2,
    ... }
    >>> results = run(config, executor="inline")
    >>> results.runs[["arm", "seed", "status"]].values.tolist()
    [['relu', 0, 'done'], ['relu', 1, 'done'], ['tanh', 0, 'done'], ['tanh', 1, 'done']]
    """
    config = config if isinstance(config, Config) else load(config)
    report = report or Reporter()
    team = crew(executor, jobs, timeout, max_memory)
    whole = plan(config)
    folder = compatibility.place(Path(output), config.name)
    with interruptible(report.note) as check, sole_runner(folder):
        if force:
            Store(folder, compatibility.tables(config)).clear()
            files.remove(folder / record.FILE)
        old = _record(folder, config, report.note)
        store = Store(folder, compatibility.tables(config, old))
        held, notes = (Store(folder, old.tables) if old else store).recover()
        for note in notes + compatibility.check(config, old, held, folder):
            report.note(note)
        done = statuses(_without_failed(store, held) if retry else held)
        try:
            if len(done) < whole.runs or old is None or not compatibility.describes(old, config):
                files.write(folder / "sweep.yaml", config.text)
                compatibility.describe(config, old).write(folder)
            _train(Task(store, registering_modules()), whole, team, done, fail_fast, report, check)
        finally:
            store.tidy()
    return open_results(folder)


def _record(folder: Path, config: Config, note: Callable[[str], None]) -> record.Record | None:
    """Return the record of a folder; a damaged one is written anew if its runs are those of the config."""
    try:
        return record.read(folder)
    except record.OtherVersion:
        raise
    except ResultsDamaged as damage:
        found = compatibility.repaired(folder, config)
        if found is None:
            raise
        note(f"{damage}; its runs are those of this config, so it is written again")
        found.write(folder)
        return found


def _without_failed(store: Store, held: Held) -> Held:
    """What is left when the failed runs are taken back; each, or each ensemble, has a part of its own."""
    failed = [stem for stem, rows in held.items() if set(rows["status"].to_pylist()) == {"failed"}]
    store.remove(failed)
    return {stem: rows for stem, rows in held.items() if stem not in failed}


def _train(
    task: Task,
    whole: Plan,
    team: Crew,
    done: Mapping[str, str],
    fail_fast: bool,
    report: Reporter,
    check: Callable[[], None],
) -> None:
    if done:
        report.note(f"{len(done)} of {whole.runs} runs are done already")
    if len(done) < whole.runs:
        for note in team.notes(whole):
            report.note(note)
        _fetch(whole, report.note, check)
    report.start(whole.runs, len(done), _iterations(whole, done))

    def progress(iterations: int) -> None:
        report.progress(iterations)
        check()

    with closing(team.map(task, whole.chunks(done, team.workers, team.memory), progress)) as receipts:
        for receipt in receipts:
            report.receipt(receipt)
            if fail_fast and receipt.error:
                raise DlsweepError(f"{receipt.error}; the sweep ends at the first failure, as asked")


def _fetch(whole: Plan, note: Callable[[str], None], check: Callable[[], None]) -> None:
    """Fetch the data that is published elsewhere, before any worker wants to read it."""
    for source in {source.name: source for c in whole.cohorts if (source := data_of(c.arm).source)}.values():
        fetch(source, note, lambda count: check())


def _iterations(whole: Plan, done: Mapping[str, str]) -> int:
    """The run-iterations that are to be trained."""
    steps = {code(c.arm): iterations(c.arm.train, data_of(c.arm).sizes["train"]) for c in whole.cohorts}
    if not done:
        return sum(c.runs * steps[code(c.arm)] for c in whole.cohorts)
    return sum(steps[code(run.arm)] for run in whole.missing(done))
