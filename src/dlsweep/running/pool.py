"""One worker process, seen from both ends of its pipe.

The pools of the standard library lose other tasks, or the whole call, when one of their processes is killed. Here every
worker has a pipe of its own, so that its death tells which chunk it had, and disturbs nobody else.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing.connection import Connection, wait
from types import ModuleType

from threadpoolctl import threadpool_limits

from dlsweep.errors import DlsweepError
from dlsweep.running.worker import Progress, Receipt, Task
from dlsweep.training.plan import Chunk

# A fork of a server that has imported everything takes milliseconds, and inherits no thread and no lock.
if sys.platform == "linux":
    CONTEXT = mp.get_context("forkserver")
    CONTEXT.set_forkserver_preload([__name__])
else:
    CONTEXT = mp.get_context("spawn")

READY = "ready"


class Worker:
    """A worker process with the chunk that it has.

    left: runs of the chunk without a receipt. unsettled: run-iterations it reported since its last receipt.
    ready: whether it has started well. alive, death: whether it is at work, and if not, why.
    """

    def __init__(self, task: Task, chunk: Chunk):
        self.left = chunk
        self.unsettled = 0
        self.alive = True
        self.death = ""
        self.ready = False
        self._heard = time.monotonic()
        self.connection, theirs = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=serve, args=(theirs, task), daemon=True)
        with _surroundings(task.modules):
            self._process.start()
        theirs.close()

    @property
    def silence(self) -> float:
        """Seconds since the worker was last heard of."""
        return time.monotonic() - self._heard

    def give(self, chunk: Chunk) -> None:
        """Hand the worker a chunk."""
        self.left = chunk
        self._heard = time.monotonic()
        if self.ready:
            with suppress(OSError):  # if it has died, listening to it will tell
                self.connection.send(chunk)

    def hear(self, progress: Progress) -> Iterator[Receipt]:
        """Take what the worker has to say: receipts, progress, or that it is no more."""
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            self.end(None)
            return
        self._heard = time.monotonic()
        match message:
            case int():
                self.unsettled += message
                progress(message)
            case Receipt():
                self.unsettled = 0
                self.left = tuple(run for run in self.left if run.id not in message.runs)
                yield message
            case DlsweepError():
                raise message
            case _:
                self.ready = True
                self.give(self.left)

    def end(self, reason: str | None) -> None:
        """End the process, if it is not at its end already, and keep the reason."""
        if self.alive:
            self.alive = False
            if reason:
                self._process.kill()
            self._process.join()
            self.connection.close()
            self.death = f"the worker process was ended: {reason}" if reason else _obituary(self._process.exitcode)


def _obituary(code: int | None) -> str:
    if code is not None and code < 0:
        memory = ", perhaps because memory ran out" if -code == signal.SIGKILL else ""
        return f"the worker process was killed by {signal.Signals(-code).name}{memory}"
    return f"the worker process ended with exit code {code}"


def serve(connection: Connection, task: Task) -> None:
    """The life of a worker process: chunks in, progress and receipts out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to everybody; the parent decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with threadpool_limits(1), suppress(EOFError):
        try:
            for module in task.modules:
                import_module(module)
            connection.send(READY)
            while True:
                for receipt in task.work(connection.recv(), connection.send):
                    connection.send(receipt)
        except DlsweepError as error:
            connection.send(error)


def _die_with_parent() -> None:
    parent = mp.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


@contextmanager
def _surroundings(modules: tuple[str, ...]) -> Iterator[None]:
    """What a process inherits when it starts: one thread for every BLAS, nothing of Ctrl-C, and no main module.

    The main module is imported again in a worker only where it registers something: a script without the usual
    `if __name__ == "__main__"` would start its sweep once more in there.
    """
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    environment = {name: os.environ.get(name) for name in threads}
    main = sys.modules["__main__"]
    os.environ.update(threads)
    if "__main__" not in modules:
        sys.modules["__main__"] = ModuleType("__main__")
    if hasattr(signal, "pthread_sigmask"):
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in environment.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
