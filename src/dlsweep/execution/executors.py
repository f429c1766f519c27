"""Executors, and the choice of one. A registered function takes its options, which are keyword-only.

@executors.register
def threads(*, jobs: Count = 2) -> Executor:
    '''Train in threads of this process.'''
    return Executor(partial(_train_in_threads, jobs), workers=jobs)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from threadpoolctl import threadpool_limits

from dlsweep import machine
from dlsweep.config import Config
from dlsweep.datasets import data_of
from dlsweep.errors import UsageError
from dlsweep.execution.dask import require, train_with_dask, workers_of
from dlsweep.execution.processes import train_in_processes
from dlsweep.execution.worker import Progress, Receipts, Task
from dlsweep.factors import foreign
from dlsweep.registry import Count, Positive, Registry
from dlsweep.signatures import Contract
from dlsweep.text import size
from dlsweep.training.plan import Chunk, Plan, plan
from dlsweep.training.shards import Shard

executors = Registry("executor", "dlsweep.executors", Contract())

# The options that belong to an executor, with their flags on the command line.
FLAGS = {"jobs": "-j", "timeout": "--timeout", "scheduler": "--scheduler"}

ALONE = (
    "training in one process, because this script or notebook registers functions, which workers cannot import; "
    "to use all cores, move these functions to a module and import it"
)


@dataclass(frozen=True)
class Executor:
    """A map from chunks to receipts, which it yields as they become ready, and its description.

    workers: the number of chunks that train at once. memory: bytes that each worker may use; if None, the workers
    share half of this machine's. hint: a note for the user on the choice of this executor.
    """

    map: Callable[[Task, Iterable[Chunk], Progress], Receipts]
    workers: int = 1
    memory: int | None = None
    hint: str = ""

    @property
    def stack_memory(self) -> int:
        """Bytes for the stack of a worker, without the buffer of BLAS."""
        share = machine.memory() // 2 // self.workers if self.memory is None else self.memory
        return max(0, share - machine.BLAS_BUFFER)

    def notes(self, plan: Plan) -> list[str]:
        """Return notes for the user: on this executor, on the data of a plan, and on memory."""
        notes = [self.hint] if self.hint else []
        notes += dict.fromkeys(note for cohort in plan.cohorts for note in data_of(cohort.arm).notes)
        large = max(plan.cohorts, key=lambda cohort: cohort.memory * cohort.together)
        if (memory := large.memory * large.together) > self.stack_memory:
            unit = "an ensemble" if large.together > 1 else "a run"
            needed = f"{unit} of {large.arm.name} takes {size(memory)}"
            notes.append(f"{needed}, more than max_memory leaves to a worker; it trains alone, with this memory")
        return notes


@executors.register
def inline() -> Executor:
    """Train in this process, one chunk after the other.

    >>> import dlsweep
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 2}
    >>> dlsweep.run(config, executor="inline").runs["status"].tolist()
    ['done', 'done']
    """
    return Executor(_train_here)


def _train_here(task: Task, chunks: Iterable[Chunk], progress: Progress) -> Receipts:
    machine.keep_freed_memory()
    with threadpool_limits(1):
        for chunk in chunks:
            yield from task.work(chunk, progress)


@executors.register
def processes(*, jobs: Count | None = None, timeout: Positive | None = None) -> Executor:
    """Train in worker processes on this machine, with one BLAS thread each.

    jobs: workers, by default one for every core. timeout: seconds without progress after which a worker is killed; its
    start does not count. The runs of a dead worker are tried again in halves, down to the single run, which
    then has failed.

    >>> import dlsweep
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 2}
    >>> dlsweep.run(config, executor="processes", jobs=2).runs["status"].tolist()
    ['done', 'done']
    """
    jobs = jobs or machine.cores()
    return Executor(partial(train_in_processes, jobs, timeout), workers=jobs)


@executors.register
def dask(*, jobs: Count | None = None, scheduler: str | None = None) -> Executor:
    """Train on workers of Dask, of this machine or of a cluster. It needs the package distributed: `dlsweep[dask]`.

    jobs: workers on this machine, by default one for every core. scheduler: address of a running scheduler instead,
    such as `tcp://node7:8786`; its workers must have one thread each, the same versions, and the folder of the results
    at the same path. Their memory bounds the stacks. The runs of chunks whose workers die are tried again in halves, as
    in `processes`.

    >>> list(executors["dask"].settings)
    ['jobs', 'scheduler']
    """
    require()
    if scheduler is not None:
        if not scheduler.strip():
            raise UsageError("a scheduler of Dask needs an address, such as tcp://node7:8786; got none")
        if jobs:
            raise UsageError("a scheduler of Dask has workers of its own: remove -j, or --scheduler")
        workers, memory, mixed = workers_of(scheduler)
        return Executor(partial(train_with_dask, scheduler, 0), workers, memory // 2, mixed)
    jobs = jobs or machine.cores()
    return Executor(partial(train_with_dask, None, jobs), workers=jobs)


@dataclass(frozen=True)
class Options:
    """The options of `dlsweep.run`, which explains them, and of `dlsweep.dry_run`.

    max_failures: consecutive failed runs after which the sweep ends.
    """

    output: Path
    jobs: int | None = None
    executor: str | None = None
    force: bool = False
    retry: bool = False
    timeout: float | None = None
    max_memory: int | None = None
    max_failures: int | None = None
    shard: Shard | None = None
    scheduler: str | None = None

    def folder(self, name: str) -> str:
        """Return the name of the folder in `output` for a sweep of this name."""
        return name + (self.shard.suffix if self.shard else "")

    def plan(self, config: Config) -> Plan:
        """Return the work of a sweep, or of its shard."""
        whole = plan(config)
        return self.shard.of(whole) if self.shard else whole


def choose(options: Options) -> Executor:
    """Return the executor for some options.

    By default it is this process if one worker is enough, or if the main module registered functions: workers cannot
    import a notebook, nor every script.
    """
    name, hint = options.executor or ("dask" if options.scheduler is not None else None), ""
    if name is None:
        alone = (options.jobs or machine.cores()) == 1 and options.timeout is None
        hint = ALONE if not alone and "__main__" in registering_modules() else ""
        name = "inline" if alone or hint else "processes"
    entry = executors[name]
    given = {option: value for option in FLAGS if (value := getattr(options, option)) is not None}
    if "jobs" not in entry.settings and (given.get("jobs") == 1 or hint):
        given.pop("jobs", None)
    for option in given:
        if option not in entry.settings:
            raise UsageError(f"executor.{name} has no setting {option!r}; remove {FLAGS[option]}")
    if faults := entry.check(given, f"executor.{name}")[1]:
        raise UsageError("\n".join(fault.sentence for fault in faults))
    if options.max_memory is not None and options.max_memory <= 0:
        raise UsageError(f"max_memory must be above 0 bytes, got {options.max_memory}")
    executor = entry(**given)
    if not isinstance(executor, Executor):
        raise entry.broken("an Executor", type(executor).__name__)
    memory = options.max_memory // executor.workers if options.max_memory else executor.memory
    return replace(executor, memory=memory, hint=hint or executor.hint)


def registering_modules() -> tuple[str, ...]:
    """Return the modules outside this package that registered something: a worker has to import them."""
    return tuple(sorted({entry.function.__module__ for entry in foreign()}))
