"""Work on a chunk: train it, commit it, return a receipt; and the worker process that does this."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import threading
import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing.connection import Connection, wait

from threadpoolctl import threadpool_limits

from dlsweep.config.runs import Run
from dlsweep.datasets import data_of
from dlsweep.errors import DataChanged, DlsweepError, Interrupted
from dlsweep.execution.startup import STOPS
from dlsweep.machine import keep_freed_memory
from dlsweep.storage import parts
from dlsweep.storage.earlier import Earlier
from dlsweep.storage.store import Store
from dlsweep.storage.tables import nothing_learned
from dlsweep.training.plan import Chunk, train

Progress = Callable[[int], None]

READY = "ready"


@dataclass(frozen=True)
class Receipt:
    """A message that runs are on disk.

    runs: their ids. statuses: one for each. error: for a run that failed, its name and the reason, in a line.
    """

    runs: tuple[str, ...]
    statuses: tuple[str, ...]
    error: str | None = None


Receipts = Generator[Receipt, None, None]


@dataclass(frozen=True)
class Task:
    """The work of a sweep, from chunks to receipts. It is sent once to every worker.

    modules: those that a worker must import to register every name of the config. earlier: the runs that go on.
    """

    store: Store
    modules: tuple[str, ...] = ()
    earlier: Earlier | None = None

    def work(self, chunk: Chunk, progress: Progress) -> Receipts:
        """Train and commit a chunk.

        After an exception in training, the chunk is tried again in halves, down to the run that raises it, or its
        ensemble, which is stored as failed. Only a stop (`Interrupted`), changed data and a failed write end the sweep.
        """
        reported = 0

        def count(iterations: int) -> None:
            nonlocal reported
            reported += iterations
            progress(iterations)

        try:
            begun = self.earlier.begun(chunk) if self.earlier else None
            result = train(chunk, data_of(chunk[0].arm), progress=count, begun=begun)
            files = self.store.encode(chunk, result)
        except (Interrupted, DataChanged):
            raise
        except BaseException as error:  # also SystemExit and KeyboardInterrupt: Ctrl-C arrives as `Interrupted`
            # As text, since a traceback would keep the arrays of the stack alive.
            report, line = _told(error)
        else:
            self.store.commit(files)
            yield Receipt(tuple(run.id for run in chunk), tuple(result.status))
            return

        progress(-reported)
        if len(indivisible(chunk)) == 1:
            yield self.fail(chunk, report, line)
        else:
            for half in bisect(chunk):
                yield from self.work(half, progress)

    def only(self, chunk: Chunk) -> Task:
        """Return the task without the earlier runs of other chunks, to be sent with this chunk: a sweep may have many.

        chunk: none, for a task that trains nothing.
        """
        return replace(self, earlier=self.earlier.only(chunk)) if self.earlier else self

    def fail(self, unit: Chunk, error: str, line: str) -> Receipt:
        """Store a run or an ensemble as failed. It has a part of its own, so that `retry` can remove it.

        line: the error in one line.
        """
        self.store.remove([parts.stem(unit)])  # a killed attempt may have left some
        self.store.commit(self.store.encode(unit, nothing_learned(unit), error))
        who = f"{unit[0].arm.name}, seed{'s' * (len(unit) > 1)} {', '.join(str(run.seeds) for run in unit)}"
        return Receipt(tuple(run.id for run in unit), ("failed",) * len(unit), f"{who}: {line}")

    def salvage(self, chunk: Chunk, death: str) -> Generator[Receipt, None, Sequence[Chunk]]:
        """Account for a chunk whose worker died: yield receipts, and return the chunks that are to be tried again."""
        receipts, left = self.on_disk(chunk)
        yield from receipts
        if left and len(indivisible(left)) == 1:
            yield self.fail(left, death, death)
            return ()
        return bisect(left)[::-1] if left else ()  # the last one is tried first

    def on_disk(self, chunk: Chunk) -> tuple[list[Receipt], Chunk]:
        """Return receipts of the runs of a chunk that a worker has committed before it died, and the other runs."""
        receipts = list[Receipt]()
        while chunk and (rows := self.store.committed(chunk)):
            receipts.append(Receipt(tuple(rows["run_id"].to_pylist()), tuple(rows["status"].to_pylist())))
            chunk = chunk[len(rows) :]
        return receipts, chunk


def _told(error: BaseException) -> tuple[str, str]:
    """Return an exception as text, with its traceback, and in a line: its type and the first line of its message."""
    if isinstance(error, DlsweepError):
        return str(error), str(error).partition("\n")[0]
    lines = "".join(traceback.format_exception_only(error)).splitlines()
    # Only a syntax error has lines before the type: the file, and the code in it.
    return "".join(traceback.format_exception(error)), next(line for line in lines if not line.startswith(" "))


def indivisible(runs: Sequence[Run]) -> list[Chunk]:
    """Return the smallest parts into which a chunk may be cut: single runs, or whole ensembles."""
    together = max(1, len(runs[0].arm.members))
    return [tuple(runs[i : i + together]) for i in range(0, len(runs), together)]


def bisect(chunk: Chunk) -> tuple[Chunk, Chunk]:
    """Cut a chunk of two or more indivisible parts into halves."""
    parted = indivisible(chunk)
    middle = len(parted[0]) * (len(parted) // 2)
    return chunk[:middle], chunk[middle:]


def serve(connection: Connection, task: Task) -> None:
    """Run a worker process: receive chunks, send progress and receipts."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)

    def tell(message: object) -> None:
        try:
            connection.send(message)
        except OSError:  # the parent has gone; an exception would count as a failure of the run
            os._exit(1)

    with threadpool_limits(1):
        try:
            threading.Thread(target=_die_with_parent, daemon=True).start()
        except RuntimeError as error:
            tell(DlsweepError(f"worker processes cannot start: {error}"))
            return
        try:
            for module in task.modules:
                import_module(module)
            keep_freed_memory()
            tell(READY)
            while chunk := _next(connection):
                for receipt in task.work(chunk, tell):
                    tell(receipt)
        except DlsweepError as error:
            tell(error)


def _next(connection: Connection) -> Chunk | None:
    """Return the next chunk that the parent sends; None if it has gone, perhaps in the middle of a message."""
    try:
        chunk: Chunk = connection.recv()
        return chunk
    except (EOFError, ConnectionError):
        return None


def _die_with_parent() -> None:
    parent = mp.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
