"""Executors. A registered function takes its options, which are keyword-only, and returns an `Executor`.

@executors.register
def threads(*, jobs: Count = 2) -> Executor:
    '''Train in threads of this process.'''
    return Executor(partial(_train_in_threads, jobs), workers=jobs)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import wait

from threadpoolctl import threadpool_limits

from dlsweep.datasets import data_of
from dlsweep.errors import DlsweepError, Interrupted
from dlsweep.execution import machine
from dlsweep.execution.processes import Worker
from dlsweep.execution.worker import Progress, Receipt, Task, bisect, indivisible
from dlsweep.registry import Contract, Count, Positive, Registry
from dlsweep.text import size
from dlsweep.training.plan import Chunk, Plan

executors = Registry("executor", "dlsweep.executors", Contract())

Receipts = Generator[Receipt, None, None]

# Seconds between two checks of the clock and of a request to stop; seconds after a stop for workers to finish a chunk.
TICK = 0.1
GRACE = 2.0

# Seconds that a worker may take to start: for imports and, in a script, for the code above its main guard.
START = 600.0

# After this many workers that died before they were ready, the cause is not a single process.
MAX_FAILED_STARTS = 5


@dataclass(frozen=True)
class Executor:
    """A map from chunks to receipts, which it yields as they become ready, and its description.

    workers: the number of chunks that train at once. memory: bytes that each worker may use; if None, the workers
    share half of this machine's.
    """

    map: Callable[[Task, Iterable[Chunk], Progress], Receipts]
    workers: int = 1
    memory: int | None = None

    @property
    def stack_memory(self) -> int:
        """Bytes for the stack of a worker, without the buffer of BLAS."""
        share = machine.memory() // 2 // self.workers if self.memory is None else self.memory
        return max(0, share - machine.BLAS_BUFFER)

    def notes(self, plan: Plan) -> list[str]:
        """Return notes for the user on training a plan: on its data, and on memory."""
        notes = list(dict.fromkeys(note for cohort in plan.cohorts for note in data_of(cohort.arm).notes))
        large = max(plan.cohorts, key=lambda cohort: cohort.memory * cohort.together)
        if (memory := large.memory * large.together) > self.stack_memory:
            unit = "an ensemble" if large.together > 1 else "a run"
            needed = f"{unit} of {large.arm.name} takes {size(memory)}"
            notes.append(f"{needed}, more than max_memory leaves to a worker; it trains alone, and takes this much")
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


@executors.register
def processes(*, jobs: Count | None = None, timeout: Positive | None = None) -> Executor:
    """Train in worker processes on this machine, with one BLAS thread each.

    jobs: workers, by default one for every core. timeout: seconds without progress after which a worker is killed; they
    do not count while it starts. The runs of a dead worker are tried again in halves, down to the single run, which
    then has failed.

    >>> import dlsweep
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 2}
    >>> dlsweep.run(config, executor="processes", jobs=2).runs["status"].tolist()
    ['done', 'done']
    """
    jobs = jobs or machine.cores()
    return Executor(partial(_train_in_processes, jobs, timeout), workers=jobs)


def _train_here(task: Task, chunks: Iterable[Chunk], progress: Progress) -> Receipts:
    machine.keep_freed_memory()
    with threadpool_limits(1):
        for chunk in chunks:
            yield from task.work(chunk, progress)


def _train_in_processes(
    jobs: int, timeout: float | None, task: Task, chunks: Iterable[Chunk], progress: Progress
) -> Receipts:
    todo = _Chunks(chunks)
    workers: list[Worker] = []
    failed_starts = 0
    try:
        while True:
            workers = [worker for worker in workers if worker.alive]
            for worker in workers:
                if not worker.left and (chunk := todo.take()):
                    worker.give(chunk)
            while len(workers) < jobs and (chunk := todo.take()):
                workers.append(Worker(task, chunk))
            busy = [worker for worker in workers if worker.left]
            if not busy:
                return
            progress(0)  # raises if the sweep is to stop
            for worker in _heard(busy, TICK):
                yield from worker.hear(progress)
            for worker in busy:
                limit = timeout if worker.ready else START
                if limit and worker.silence > limit:
                    worker.end(f"no progress for {limit:g} s")
                if not worker.alive and worker.ready:
                    yield from _salvage(task, worker, todo, progress)
                elif not worker.alive:
                    todo.put_back(worker.left)
                    failed_starts += 1
                    if failed_starts == MAX_FAILED_STARTS:
                        raise DlsweepError(f"worker processes cannot start: {worker.death}")
    except Interrupted:
        # Chunks that end within a moment are kept; the others train again when the sweep is resumed.
        deadline = time.monotonic() + GRACE
        while (busy := [w for w in workers if w.alive and w.left]) and (rest := deadline - time.monotonic()) > 0:
            for worker in _heard(busy, rest):
                yield from worker.hear(lambda iterations: None)
        raise
    finally:
        for worker in workers:
            worker.end("the sweep is over")


def _heard(workers: list[Worker], seconds: float) -> list[Worker]:
    """Return the workers that have sent a message or died, as soon as there are any."""
    ready = wait([worker.connection for worker in workers], seconds)
    return [worker for worker in workers if worker.connection in ready]


def _salvage(task: Task, worker: Worker, todo: _Chunks, progress: Progress) -> Iterator[Receipt]:
    """Account for the chunk of a dead worker."""
    progress(-worker.unsettled)
    left = worker.left
    if receipt := task.receipt_of(left):
        left = left[len(receipt.runs) :]
        yield receipt
    if left and len(indivisible(left)) == 1:
        yield task.fail(left, worker.death)
    elif left:
        todo.put_back(*bisect(left))


class _Chunks:
    """The chunks that are still to be trained, taken one by one from the plan; those put back come first."""

    def __init__(self, chunks: Iterable[Chunk]):
        self._plan = iter(chunks)
        self._again: list[Chunk] = []

    def take(self) -> Chunk | None:
        return self._again.pop() if self._again else next(self._plan, None)

    def put_back(self, *chunks: Chunk) -> None:
        self._again += reversed(chunks)
