"""Training on the workers of Dask: a cluster of this machine, or one whose scheduler runs already.

A worker commits its chunk itself, and returns receipts. Dask runs a task again if its worker dies, even after the task
was done; so a task first looks for the runs that are on disk.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import version
from typing import Any
from warnings import catch_warnings
from zlib import crc32

from threadpoolctl import threadpool_limits

from dlsweep import machine
from dlsweep.errors import DlsweepError, Interrupted, UsageError
from dlsweep.execution.processes import GRACE, TICK
from dlsweep.execution.startup import worker_environment
from dlsweep.execution.worker import Progress, Receipt, Receipts, Task
from dlsweep.storage.folder import LocalFolder
from dlsweep.storage.made_by import Machine, here
from dlsweep.storage.store import Store
from dlsweep.training.plan import Chunk

AHEAD = 2  # tasks that wait at a worker, so that it never idles
ATTEMPTS = 3  # to ask workers that all die meanwhile
PATIENCE = "distributed.comm.timeouts.connect"  # setting: how long a scheduler may take to answer, and to have workers

# By default Dask samples the stack of a worker 100 times in a second, and looks at the clock 50 times: this takes most
# of its processor time.
CALM = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "500ms"}

LOGGERS = ("distributed", "distributed.client", "tornado", "tornado.application")  # each has a level of its own

INSTALL = "the executor dask needs the package distributed; install it: pip install 'dlsweep[dask]'"


@dataclass(frozen=True)
class About:
    """Facts about a worker, or those that it must share with the runner.

    machine: on which the bits of its runs depend. record: a checksum of the record that it sees. lacks: the reason why
    it cannot import a module that registers functions.
    """

    dlsweep: str
    python: str
    numpy: str
    threads: int
    memory: int
    machine: Machine
    record: int | None = None
    lacks: str = ""


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
        found = _described(client, None).values()
    several = sorted({about.machine for about in found})
    mixed = f"workers differ, and may round differently: {'; '.join(map(str, several))}" if len(several) > 1 else ""
    return len(found), min(about.memory for about in found), mixed


def _described(client: Any, task: Task | None) -> dict[str, About]:
    """Return the facts about each worker, by address, except for those that die meanwhile.

    Raise a `UsageError` if a worker cannot report them, or if all die, also the ones that follow them.
    """
    from distributed.comm import CommClosedError

    for _ in range(ATTEMPTS):
        answers = client.run(_about, task, on_error="return")
        found = {address: answer for address, answer in answers.items() if isinstance(answer, About)}
        there = client.nthreads() if len(found) < len(answers) else {}
        for address in there.keys() & answers.keys() - found.keys():
            if not isinstance(error := answers[address], CommClosedError):  # no dlsweep, or another version of it
                what = f"{address}: {type(error).__name__}: {error}"
                raise UsageError(
                    f"the workers of Dask cannot run this dlsweep ({what}); install dlsweep {version('dlsweep')} there"
                ) from error
        if found:
            return found
        _await_worker(client)
    raise UsageError("the workers of Dask end when they are asked for their versions; their messages may say why")


def _await_worker(client: Any) -> None:
    """Wait for a first worker; raise a `UsageError` if none comes."""
    from dask import config
    from dask.utils import parse_timedelta

    try:
        client.wait_for_workers(1, timeout=parse_timedelta(config.get(PATIENCE)))
    except TimeoutError:
        address = client.scheduler.address
        advice = f"start some: dask worker {address} --nthreads 1"
        raise UsageError(f"the scheduler at {address} has no workers; {advice}") from None


def train_with_dask(
    scheduler: str | None, jobs: int, task: Task, chunks: Iterable[Chunk], progress: Progress
) -> Receipts:
    """Train chunks on the workers of Dask, and yield their receipts."""
    from distributed import wait

    todo, again = iter(chunks), list[Chunk]()
    task = _from_anywhere(task)
    pending: dict[Any, Chunk] = {}
    with _client(scheduler, jobs) as client:
        needed = _needed(task)
        width = AHEAD * _checked(client, task.only(()), needed)
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


def _work(task: Task, chunk: Chunk, needed: About) -> tuple[list[Receipt], int]:
    """Train a chunk on a worker. Return its receipts, and the run-iterations that they took.

    A worker may have come after the others were checked, so it is checked again: in another folder, all would be lost.
    """
    from distributed import get_worker

    worker = get_worker()
    _refuse(_faults(worker.address, _about(task, worker), needed, task))
    machine.keep_freed_memory()
    iterations = 0

    def count(more: int) -> None:
        nonlocal iterations
        iterations += more

    receipts, left = task.on_disk(chunk)
    with threadpool_limits(1):
        receipts += task.work(left, count) if left else ()
    return receipts, iterations


def _about(task: Task | None, dask_worker: Any = None) -> About:
    """Describe the worker that this runs on, which Dask passes."""
    record, lacks = None, ""
    if task:
        try:
            for module in task.modules:
                import_module(module)
        except ImportError as error:
            lacks = str(error)
        try:
            record = crc32(task.store.folder.get("sweep.json"))
        except (OSError, DlsweepError):
            record = -1
    memory = dask_worker.memory_manager.memory_limit or machine.memory()
    threads = dask_worker.state.nthreads
    return About(
        version("dlsweep"), platform.python_version(), version("numpy"), threads, memory, here(), record, lacks
    )


def _needed(task: Task) -> About:
    """Return the facts that a worker must share to work on this task."""
    record = crc32(task.store.folder.get("sweep.json"))
    return About(version("dlsweep"), platform.python_version(), version("numpy"), 1, 0, here(), record)


def _checked(client: Any, task: Task, needed: About) -> int:
    """Return the number of workers. Raise a `UsageError` for those that cannot work on this task."""
    found = _described(client, task)
    _refuse([fault for address, about in found.items() for fault in _faults(address, about, needed, task)])
    return len(found)


def _faults(address: str, about: About, needed: About, task: Task) -> list[str]:
    """Return sentences on a worker that cannot work on a task."""
    faults = [
        f"{address} has {package} {there}, and this process has {own}"
        for package in ("dlsweep", "python", "numpy")
        if (there := getattr(about, package)) != (own := getattr(needed, package))
    ]
    if about.lacks:
        faults.append(f"{address} cannot import your functions: {about.lacks}; put their module on its PYTHONPATH")
    if about.threads > needed.threads:
        faults.append(f"{address} has {about.threads} threads; start a worker for each core, with --nthreads 1")
    if about.record != needed.record:
        faults.append(f"{address} does not see {task.store.folder}; workers need the same folder at the same path")
    return faults


def _refuse(faults: Sequence[str]) -> None:
    """Raise a `UsageError` if there are faults."""
    if faults:
        raise UsageError("\n".join(["workers of Dask cannot train this sweep:", *(f"  {one}" for one in faults)]))


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
    patience = parse_timedelta(config.get(PATIENCE))
    try:
        client = Client(scheduler, timeout=patience)
    except Exception as error:  # also a MemoryError, if another program answers with the length of a message
        reason = "another program answers there" if isinstance(error, MemoryError) else str(error)
        raise UsageError(f"no scheduler of Dask answers at {scheduler}: {reason}") from error
    with client:
        _await_worker(client)
        yield client
