"""Train the missing runs of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlsweep.config import Config, load
from dlsweep.datasets import data_of
from dlsweep.datasets.fetching import fetch
from dlsweep.errors import DlsweepError, UsageError
from dlsweep.execution.executors import Executor, Options, choose, registering_modules
from dlsweep.execution.interruption import interruptible
from dlsweep.execution.startup import end_unguarded_worker
from dlsweep.execution.worker import Receipt, Receipts, Task
from dlsweep.progress import Progress, Reporter
from dlsweep.storage import compaction, compatibility, further, parts, record, recovery
from dlsweep.storage.duplicates import has_failed
from dlsweep.storage.earlier import Before, Earlier
from dlsweep.storage.folder import Folder, LocalFolder, make_folder, open_folder
from dlsweep.storage.location import located
from dlsweep.storage.opening import open_results
from dlsweep.storage.results import Results
from dlsweep.storage.store import WRITTEN, Store, statuses
from dlsweep.text import plural
from dlsweep.training.plan import Chunk, Plan
from dlsweep.training.shards import Shard


def run(
    config: Config | str | Path | Mapping[str, Any],
    *,
    output: str | Path = "results",
    jobs: int | None = None,
    executor: str | None = None,
    force: bool = False,
    retry: bool = False,
    fail_fast: bool = False,
    max_consecutive_failures: int | None = None,
    timeout: float | None = None,
    max_memory: int | None = None,
    shard: tuple[int, int] | None = None,
    scheduler: str | None = None,
    quiet: bool = False,
    report: Reporter | None = None,
) -> Results:
    """Train the missing runs of a sweep, and return its results, which are in the folder `<output>/<name>/`.

    jobs: worker processes, by default one for every core. executor: "processes", "inline" or "dask", by default chosen
    by the number of workers. force: replace the results. retry: train failed runs again. fail_fast: end at the first
    run that fails. max_consecutive_failures: end when this number of runs in a row failed. timeout: seconds without
    progress after which a worker is killed. max_memory: bytes for all workers together, by default half of the
    machine's. shard: `(i, n)`, to train part i of n, counted from 0, into the folder `<output>/<name>.shard-i-of-n/`;
    `dlsweep.merge` unites them. scheduler: address of a scheduler of Dask that runs already. quiet: report failed runs
    only. report: a `dlsweep.Reporter` that replaces the progress bar on stderr.

    A run that fails is a row of the results with status "failed"; the others go on. Raises `ConfigError` for mistakes
    in the config, `UsageError` if the folder belongs to a different config, `ResultsInUse` while another process works
    on it, `Interrupted` after Ctrl-C or SIGTERM, `FetchError` if the data cannot be fetched, and `DlsweepError` if the
    results cannot be written.

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
    most = 1 if fail_fast else max_consecutive_failures
    own = Shard(*shard) if shard else None
    options = Options(located(output), jobs, executor, force, retry, timeout, max_memory, most, own, scheduler)
    config = config if isinstance(config, Config) else load(config)
    return train_missing(config, options, report or Progress(config.name, quiet=quiet))


def train_missing(config: Config, options: Options, report: Reporter, *, growing: bool = False) -> Results:
    """Do what `run` does, with its options in one record. growing: as in `compatibility.check`."""
    end_unguarded_worker()
    if config.is_open:
        raise UsageError(
            "the config has `tune`, so its settings are chosen first: write dlsweep.run(dlsweep.tune(config))"
        )
    executor = choose(options)
    name = options.folder(config.name)
    if not options.force:
        config = further.adopted(config, open_folder(options.output / name))
    whole = options.plan(config)
    for note in config.notes:
        report.note(note)
    folder = make_folder(options.output, name, (*WRITTEN, "figures"))
    with interruptible(report.note) as check, folder.lock():
        store, done, earlier = _open(folder, whole, options, report.note, growing)
        goes_on = earlier.runs if earlier else {}
        try:
            _start(whole, executor, done, goes_on, report, check)
            chunks = whole.chunks(done, executor.workers, executor.stack_memory, apart=goes_on)
            task = Task(store, registering_modules(), earlier)
            with closing(train_chunks(executor, task, chunks, report, check)) as receipts:
                failed = 0
                for receipt in _uniting(store, receipts):
                    failed = failed + len(receipt.runs) if receipt.error else 0
                    if options.max_failures and failed >= options.max_failures:
                        raise DlsweepError(_too_many(failed, receipt))
            if earlier:
                further.finish(config, store)
            compaction.compact(store, check)
        finally:
            report.close()
            recovery.clean(store)
    return open_results(str(folder))


def train_chunks(
    executor: Executor, task: Task, chunks: Iterable[Chunk], report: Reporter, check: Callable[[], None]
) -> Receipts:
    """Train chunks, report their progress, and yield their receipts. check: raises to stop."""

    def progress(iterations: int) -> None:
        report.progress(iterations)
        check()

    with closing(executor.map(task, chunks, progress)) as receipts:
        for receipt in receipts:
            report.receipt(receipt)
            yield receipt


def _uniting(store: Store, receipts: Iterable[Receipt]) -> Iterator[Receipt]:
    """Yield receipts. Whenever `compaction.MOST` new parts are there, unite them: a long sweep has many.

    In a remote folder, they are united at the end: requests take longer there, and workers would wait for them.
    """
    stems: list[str] = []
    for receipt in receipts:
        yield receipt
        if isinstance(store.folder, LocalFolder) and not receipt.error:
            stems.append(parts.joint_name(receipt.runs))
        if len(stems) >= compaction.MOST:
            compaction.unite(store, stems)
            stems.clear()


def _too_many(failed: int, last: Receipt) -> str:
    """Return a sentence on the end of a sweep whose last runs failed."""
    if failed == 1:
        return f"{last.error}; the sweep ends at the first failure, as asked"
    return f"{last.error}; with it, {failed} runs in a row have failed, so the sweep ends, as asked"


def _open(
    folder: Folder, whole: Plan, options: Options, note: Callable[[str], None], growing: bool
) -> tuple[Store, dict[str, str], Earlier | None]:
    """Repair a folder and its record, or refuse the config.

    Return the store, the status of the runs to keep, and the runs that go on.
    """
    config = whole.config
    if options.force:
        Store(folder, compatibility.tables(config)).clear()
        folder.delete(record.FILE)
    old, damage = compatibility.open_record(folder, config)
    if old and damage:
        note(f"{damage}; it is written again")
        old.write(folder)
    store = Store(folder, compatibility.tables(config, old), old.beside if old else "")
    there = Store(folder, old.tables, old.beside) if old else store
    committed, notes = recovery.repair(there)
    earlier = None
    if old and further.before(config, old):
        goes_on, known = further.goes_on(config, old, committed, folder)
        earlier, store = Earlier(there, goes_on), further.begin(config, old, there, whole.runs)
        committed, repaired = recovery.repair(store)
        notes += known + repaired
    else:
        notes += compatibility.check(config, old, committed, folder, growing=growing)
        if old and old.earlier:
            there.discard()
    for sentence in notes:
        note(sentence)
    if options.retry:  # a failed run, or ensemble, has a part of its own
        failed = [stem for stem, rows in committed.items() if has_failed(rows)]
        store.remove(failed)
        committed = {stem: rows for stem, rows in committed.items() if stem not in failed}
    done = compatibility.asked(whole.missing(()), statuses(committed))
    if earlier:
        return store, done, earlier
    stated = (compatibility.canonical(config), config.plots, config.claims, config.alpha, config.looks, config.tuning)
    recorded = old is not None and (old.config, old.plots, old.claims, old.alpha, old.looks, old.tuning) == stated
    shard = str(options.shard or "")
    if len(done) < whole.runs or not recorded or (old and old.shard != shard):
        folder.put("sweep.yaml", config.text)
        described = compatibility.describe(config, old, committed, whole.missing(()))
        described.sessions[-1].update(done=len(done))
        replace(described, shard=shard, runs=whole.runs).write(folder)
    return store, done, None


def _start(
    plan: Plan,
    executor: Executor,
    done: Mapping[str, str],
    goes_on: Mapping[str, Before],
    report: Reporter,
    check: Callable[[], None],
) -> None:
    """Report the start of training, and fetch published data before a worker reads it."""
    if done:
        report.note(f"{len(done)} of {plan.runs} runs are done already")
    if begun := [before.steps for run, before in goes_on.items() if run not in done]:
        spread = " to ".join(dict.fromkeys(map(str, (min(begun), max(begun)))))
        report.note(f"{plural(len(begun), 'run')} to train further, from the state after {spread} iterations")
    if len(done) < plan.runs:
        for note in executor.notes(plan):
            report.note(note)
        for source in {source.name: source for c in plan.cohorts if (source := data_of(c.arm).source)}.values():
            fetch(source, report.note, lambda count: check())
    report.start(plan.runs, len(done), plan.iterations(done) - sum(begun))
