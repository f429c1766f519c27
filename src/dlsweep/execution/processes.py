"""A worker process and its handle in the parent, connected by a pipe.

The pools of the standard library lose other tasks, or the whole call, when one of their processes is killed. Here every
worker has its own pipe, so its death reveals its chunk and disturbs no other worker.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection, wait

from threadpoolctl import threadpool_limits

from dlsweep.errors import DlsweepError
from dlsweep.execution.machine import keep_freed_memory
from dlsweep.execution.startup import CONTEXT, worker_environment
from dlsweep.execution.worker import Progress, Receipt, Task
from dlsweep.training.plan import Chunk

READY = "ready"


class Worker:
    """The handle of a worker process and of its chunk.

    left: runs of the chunk without a receipt. unsettled: run-iterations reported since the last receipt. ready: it has
    started, and imported its modules. alive, death: it is running, or the reason why not.
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
        with worker_environment(task.modules):
            self._process.start()
        theirs.close()

    @property
    def silence(self) -> float:
        """Seconds since the last message of the worker."""
        return time.monotonic() - self._heard

    def give(self, chunk: Chunk) -> None:
        """Give the worker a chunk."""
        self.left = chunk
        self._heard = time.monotonic()
        if self.ready:
            with suppress(OSError):  # if it has died, `hear` finds out
                self.connection.send(chunk)

    def hear(self, progress: Progress) -> Iterator[Receipt]:
        """Receive one message: a receipt, progress, an error, or the end of the process."""
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            self.end(None)
            return
        self._heard = time.monotonic()
        match message:
            case int():  # 0 is a sign of life
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
        """Kill the process, if it is alive, and keep the reason; None if the process has ended by itself."""
        if self.alive:
            self.alive = False
            if not reason:
                self._process.join(1)  # its exit code gives the reason
            self._process.kill()
            self._process.join()
            self.connection.close()
            self.death = f"the worker process was killed: {reason}" if reason else exit_reason(self._process.exitcode)


def exit_reason(code: int | None) -> str:
    """Return a sentence on the exit code of a worker process."""
    if code is not None and code < 0:
        memory = ", perhaps because memory ran out" if -code == signal.SIGKILL else ""
        return f"the worker process was killed by {signal.Signals(-code).name}{memory}"
    return f"the worker process ended with exit code {code}"


def serve(connection: Connection, task: Task) -> None:
    """Run a worker process: receive chunks, send progress and receipts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all processes; the parent decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    keep_freed_memory()

    def tell(message: object) -> None:
        try:
            connection.send(message)
        except OSError:  # the parent has gone; an exception would count as a failure of the run
            os._exit(1)

    with threadpool_limits(1), suppress(EOFError):
        try:
            for module in task.modules:
                import_module(module)
            tell(READY)
            while True:
                for receipt in task.work(connection.recv(), tell):
                    tell(receipt)
        except DlsweepError as error:
            tell(error)


def _die_with_parent() -> None:
    parent = mp.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
