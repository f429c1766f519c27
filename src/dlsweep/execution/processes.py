"""Worker processes as the parent sees them: each is connected by a pipe.

The pools of the standard library lose other tasks, or the whole call, when one of their processes is killed. Here every
worker has its own pipe, so its death reveals its chunk and disturbs no other worker.
"""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import wait

from dlsweep.errors import DlsweepError, Interrupted
from dlsweep.execution.startup import CONTEXT, UNGUARDED, worker_environment
from dlsweep.execution.worker import Progress, Receipt, Receipts, Task, serve
from dlsweep.training.plan import Chunk

# Seconds between two checks of the clock and of a request to stop; after a stop, seconds for workers to finish a chunk.
TICK = 0.1
GRACE = 2.0

# Seconds that a worker may take to start: for imports and, in a script, for the code above its main guard.
START = 600.0

# If this number of workers died before they were ready, none can start.
MAX_FAILED_STARTS = 5

# Attempts to fork a worker: the server that forks may be killed in the middle, and another one follows a moment later.
FORKS = 3


class Worker:
    """The handle of a worker process and of its chunk.

    left: runs of the chunk without a receipt. unsettled: run-iterations reported since the last receipt. ready: it has
    started, and imported its modules. silence: seconds since its last message; time in which this process was stopped
    does not count. alive, death: it is running, or the reason why not.
    """

    def __init__(self, task: Task, chunk: Chunk):
        self.left = chunk
        self.unsettled = 0
        self.alive = True
        self.death = ""
        self.ready = False
        self.silence = 0.0
        with worker_environment(task.modules):
            for attempt in range(1, FORKS + 1):
                self.connection, theirs = CONTEXT.Pipe()
                self._process = CONTEXT.Process(target=serve, args=(theirs, task), daemon=True)
                with theirs:
                    try:
                        self._process.start()
                        break
                    except (EOFError, ConnectionError):
                        self.connection.close()
                        if attempt == FORKS:
                            raise
                        time.sleep(TICK)

    def give(self, chunk: Chunk) -> None:
        """Give the worker a chunk."""
        self.left = chunk
        self.silence = 0.0
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
        self.silence = 0.0
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
    if code == UNGUARDED:
        return 'each imports the script, which starts the sweep again; call run under `if __name__ == "__main__":`'
    if code is None or code >= 0:
        return f"the worker process ended with exit code {code}"
    limit = resource.getrlimit(resource.RLIMIT_CPU)[0]
    reasons = {signal.SIGXCPU: ", because of a limit of CPU time", signal.SIGKILL: ", perhaps because memory ran out"}
    if limit != resource.RLIM_INFINITY:
        reasons[signal.SIGKILL] += f" or the limit of CPU time ({limit} s, see ulimit -t) was reached"
    return f"the worker process was killed by {signal.Signals(-code).name}{reasons.get(signal.Signals(-code), '')}"


def train_in_processes(
    jobs: int, timeout: float | None, task: Task, chunks: Iterable[Chunk], progress: Progress
) -> Receipts:
    """Train chunks in worker processes, and yield their receipts."""
    todo, again = iter(chunks), list[Chunk]()
    workers: list[Worker] = []
    failed_starts = 0

    def take() -> Chunk | None:
        return again.pop() if again else next(todo, None)

    try:
        while True:
            workers = [worker for worker in workers if worker.alive]
            for worker in workers:
                if not worker.left and (chunk := take()):
                    worker.give(chunk)
            while len(workers) < jobs and (chunk := take()):
                workers.append(Worker(task, chunk))
            busy = [worker for worker in workers if worker.left]
            if not busy:
                return
            progress(0)  # raises if the sweep is to stop
            started = time.monotonic()
            for worker in _heard(busy, TICK):
                yield from worker.hear(progress)
            passed = min(time.monotonic() - started, 2 * TICK)  # more, if this process was stopped meanwhile
            for worker in busy:
                worker.silence += passed
                limit = timeout if worker.ready else START
                if limit and worker.silence > limit:
                    worker.end(f"no progress for {limit:g} s")
                if not worker.alive and worker.ready:
                    progress(-worker.unsettled)
                    again += yield from task.salvage(worker.left, worker.death)
                elif not worker.alive:
                    again.append(worker.left)
                    failed_starts += 1
                    if failed_starts == MAX_FAILED_STARTS or worker.death == exit_reason(UNGUARDED):
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
