"""Executors: each is a map from chunks to receipts, which come as they are ready."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from multiprocessing.connection import wait

from threadpoolctl import threadpool_limits

from dlsweep.errors import DlsweepError, Interrupted
from dlsweep.execution import machine
from dlsweep.execution.processes import Worker
from dlsweep.execution.worker import Progress, Receipt, Task, halves
from dlsweep.registry import Contract, Count, Positive, Registry
from dlsweep.training.plan import Chunk, units

executors = Registry("executor", "dlsweep.executors", Contract(("task", "chunks", "progress")))

# Seconds between two looks at the clock and at a wish to stop; and what a stop leaves the workers to finish a chunk.
TICK = 0.1
GRACE = 2.0

# Seconds that a worker may take to start: that is imports and, in a script, whatever stands above its main guard.
START = 600.0

# Worker processes that may end before they have started well; then something is wrong with more than a process.
STILLBORN = 5


@executors.register
def inline(task: Task, chunks: Iterable[Chunk], progress: Progress) -> Generator[Receipt, None, None]:
    """Train in this process, one chunk after the other.

    >>> import dlsweep
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 2}
    >>> dlsweep.run(config, executor="inline").runs["status"].tolist()
    ['done', 'done']
    """
    machine.keep_freed_memory()
    with threadpool_limits(1):
        for chunk in chunks:
            yield from task.work(chunk, progress)


@executors.register
def processes(
    task: Task,
    chunks: Iterable[Chunk],
    progress: Progress,
    *,
    jobs: Count | None = None,
    timeout: Positive | None = None,
) -> Generator[Receipt, None, None]:
    """Train in worker processes on this machine, with one BLAS thread each.

    jobs: workers, by default one for every core. timeout: seconds after which a worker without progress is ended, not
    counted while it starts. What a dead worker leaves is tried again in halves, down to the single run, which then has
    failed.

    >>> import dlsweep
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 2}
    >>> dlsweep.run(config, executor="processes", jobs=2).runs["status"].tolist()
    ['done', 'done']
    """
    todo = _Chunks(chunks)
    workers: list[Worker] = []
    stillborn = 0
    try:
        while True:
            workers = [worker for worker in workers if worker.alive]
            for worker in workers:
                if not worker.left and (chunk := todo.take()):
                    worker.give(chunk)
            while len(workers) < (jobs or machine.cores()) and (chunk := todo.take()):
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
                    stillborn += 1
                    if stillborn == STILLBORN:
                        raise DlsweepError(f"worker processes cannot start: {worker.death}")
    except Interrupted:
        # What takes just a moment is finished, the rest trains again when the sweep goes on.
        deadline = time.monotonic() + GRACE
        while (busy := [w for w in workers if w.alive and w.left]) and (rest := deadline - time.monotonic()) > 0:
            for worker in _heard(busy, rest):
                yield from worker.hear(lambda iterations: None)
        raise
    finally:
        for worker in workers:
            worker.end("the sweep is over")


def _heard(workers: list[Worker], seconds: float) -> list[Worker]:
    """The workers that have said something or died, as soon as there are any."""
    ready = wait([worker.connection for worker in workers], seconds)
    return [worker for worker in workers if worker.connection in ready]


def _salvage(task: Task, worker: Worker, todo: _Chunks, progress: Progress) -> Iterator[Receipt]:
    """Account for the chunk of a worker that has died."""
    progress(-worker.unsettled)
    left = worker.left
    if receipt := task.receipt_of(left):
        left = left[len(receipt.runs) :]
        yield receipt
    if left and len(units(left)) == 1:
        yield task.fail(left, worker.death)
    elif left:
        todo.put_back(*halves(left))


class _Chunks:
    """Chunks to do, taken one by one from the plan; those that are put back come first."""

    def __init__(self, chunks: Iterable[Chunk]):
        self._plan = iter(chunks)
        self._again: list[Chunk] = []

    def take(self) -> Chunk | None:
        return self._again.pop() if self._again else next(self._plan, None)

    def put_back(self, *chunks: Chunk) -> None:
        self._again += reversed(chunks)
