"""Training on the workers of Dask: a cluster of this machine, or one whose scheduler runs already.

A worker commits its chunk itself, and returns receipts. Dask runs a task again if its worker dies, even after the task
was done; so a task first looks for the runs that are on disk.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from warnings import catch_warnings

from threadpoolctl import threadpool_limits

from dlsweep import machine
from dlsweep.errors import DlsweepError, Interrupted, UsageError
from dlsweep.execution import dask_workers
from dlsweep.execution.processes import GRACE, TICK
from dlsweep.execution.startup import worker_environment
from dlsweep.execution.worker import Progress, Receipt, Receipts, Task
from dlsweep.storage.folder import LocalFolder
from dlsweep.storage.store import Store
from dlsweep.training.plan import Chunk

AHEAD = 2  # tasks that wait at a worker, so that it never idles

# By default Dask samples the stack of a worker 100 times in a second, and looks at the clock 50 times: this takes most
# of its processor time.
CALM = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "500ms"}

LOGGERS = ("distributed", "distributed.client", "tornado", "tornado.application")  # each has a level of its own

INSTALL = "the executor dask needs the package distributed; install it: pip install 'dlsweep[dask]'"


def require() -> None:
    """Raise a `UsageError` if the package distributed is not installed."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise UsageError(INSTALL) from error


def workers_of(scheduler: str) -> tuple[int, int, str]:
    """Return the number of workers of a scheduler, and the bytes of memory that the smallest of them may use.

    The third value is a sentence on workers that may round differently, or "".
    """
    with _client(scheduler, 1) as client:
        found = dask_workers.described(client, None).values()
    several = sorted({about.machine for about in found})
    mixed = f"workers differ, and may round differently: {'; '.join(map(str, several))}" if len(several) > 1 else ""
    return len(found), min(about.memory for about in found), mixed


def train_with_dask(
    scheduler: str | None, jobs: int, task: Task, chunks: Iterable[Chunk], progress: Progress
) -> Receipts:
    """Train chunks on the workers of Dask, and yield their receipts."""
    from distributed import wait

    todo, again = iter(chunks), list[Chunk]()
    task = _from_anywhere(task)
    pending: dict[Any, Chunk] = {}
    with _client(scheduler, jobs) as client:
        needed = dask_workers.needed(task)
        width = AHEAD * dask_workers.checked(client, task.only(()), needed)
        try:
            while True:
                while len(pending) < width and (chunk := again.pop() if again else next(todo, None)):
                    pending[client.submit(_work, task.only(chunk), chunk, needed, pure=False)] = chunk
                if not pending:
                    return
                progress(0)  # raises if the sweep is to stop
                for future in _finished(wait, pending, TICK):
                    again += yield from _settled(task, future, pending.pop(future), progress)
        except Interrupted:
            # Chunks that end within a moment are kept; the others train again when the sweep is resumed.
            for future in _finished(wait, pending, GRACE):
                yield from _settled(task, future, pending.pop(future), lambda iterations: None)
            raise
        finally:
            client.cancel(list(pending))


def _from_anywhere(task: Task) -> Task:
    """Return the task with an absolute path of its folder: a worker may have been started in another one."""

    def absolute(store: Store) -> Store:
        folder = store.folder
        return replace(store, folder=LocalFolder(folder.path.absolute())) if isinstance(folder, LocalFolder) else store

    earlier = replace(task.earlier, store=absolute(task.earlier.store)) if task.earlier else None
    return replace(task, store=absolute(task.store), earlier=earlier)


def _finished(wait: Any, pending: Iterable[Any], seconds: float) -> list[Any]:
    """Return the tasks that are done, as soon as there are any. Raise a `DlsweepError` if Dask gave up one of them."""
    from distributed import CancelledError

    try:
        return list(wait(list(pending), timeout=seconds, return_when="FIRST_COMPLETED").done)
    except TimeoutError:
        return []
    except CancelledError as error:
        raise _given_up(error) from error


def _given_up(error: BaseException) -> DlsweepError:
    """Return the error that ends a sweep whose scheduler has died, or gave up a task."""
    reason = "its scheduler has ended" if "scheduler-connection-lost" in str(error) else str(error)
    return DlsweepError(f"Dask gave up a task: {reason}; finished runs are kept, and the same command goes on")


def _settled(task: Task, future: Any, chunk: Chunk, progress: Progress) -> Generator[Receipt, None, Sequence[Chunk]]:
    """Yield the receipts of a task that is done, and return the chunks that are to be tried again."""
    from distributed import CancelledError
    from distributed.scheduler import KilledWorker

    try:
        receipts, iterations = future.result()
        future.release()  # else Dask runs it again if its worker dies, when its part may be united already
        progress(iterations)
        yield from receipts
        return ()
    except KilledWorker as death:
        return (yield from task.salvage(chunk, f"several workers died with it: {death.last_worker}"))
    except (DlsweepError, Interrupted):
        raise
    except CancelledError as error:
        raise _given_up(error) from error
    except Exception as error:
        raise DlsweepError(f"a task of Dask failed: {type(error).__name__}: {error}") from error


def _work(task: Task, chunk: Chunk, needed: dask_workers.About) -> tuple[list[Receipt], int]:
    """Train a chunk on a worker. Return its receipts, and the run-iterations that they took.

    A worker may have come after the others were checked, so it is checked again: in another folder, all would be lost.
    """
    from distributed import get_worker

    worker = get_worker()
    dask_workers.refuse(dask_workers.faults(worker.address, dask_workers.about(task, worker), needed, task))
    machine.keep_freed_memory()
    iterations = 0

    def count(more: int) -> None:
        nonlocal iterations
        iterations += more

    receipts, left = task.on_disk(chunk)
    with threadpool_limits(1):
        receipts += task.work(left, count) if left else ()
    return receipts, iterations


@contextmanager
def _client(scheduler: str | None, jobs: int) -> Iterator[Any]:
    """Yield a client of a scheduler, or of a cluster of this machine that ends with it."""
    from dask import config
    from dask.utils import parse_timedelta
    from distributed import Client, LocalCluster

    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    if not scheduler:
        options: dict[str, Any] = {"n_workers": jobs, "threads_per_worker": 1, "dashboard_address": None}
        # A second cluster on a machine warns of its port.
        with worker_environment(), config.set(CALM), catch_warnings(action="ignore"):
            cluster = LocalCluster(host="127.0.0.1", memory_limit=None, silence_logs=logging.CRITICAL, **options)
        with cluster, Client(cluster) as client:
            yield client
        return
    patience = parse_timedelta(config.get(dask_workers.PATIENCE))
    try:
        client = Client(scheduler, timeout=patience)
    except Exception as error:  # also a MemoryError, if another program answers with the length of a message
        reason = "another program answers there" if isinstance(error, MemoryError) else str(error)
        raise UsageError(f"no scheduler of Dask answers at {scheduler}: {reason}") from error
    with client:
        dask_workers.await_worker(client)
        yield client
