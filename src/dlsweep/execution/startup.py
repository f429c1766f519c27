"""Start of worker processes. This imports nothing heavy, so that the server can start before anything else."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.util import get_temp_dir
from types import ModuleType

# To fork a server that has imported everything takes milliseconds, and copies no thread and no lock.
if sys.platform == "linux":
    CONTEXT = mp.get_context("forkserver")
    CONTEXT.set_forkserver_preload(["dlsweep.execution.preloaded"])
else:
    CONTEXT = mp.get_context("spawn")


def warm_up() -> None:
    """Start the server, which imports the modules of the workers while this process does something else."""
    if sys.platform == "linux":
        from multiprocessing.forkserver import ensure_running

        with worker_environment():
            ensure_running()


@contextmanager
def worker_environment(modules: tuple[str, ...] = ()) -> Iterator[None]:
    """Give processes that start meanwhile one thread for every BLAS, a blocked Ctrl-C, and no main module.

    A worker imports the main module again only if that module registers something: a script without the usual
    `if __name__ == "__main__"` would start its sweep a second time in the worker.
    """
    given = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    given["DLSWEEP_SOCKETS"] = get_temp_dir()  # of the server's socket; the server removes it if this process is killed
    before = {name: os.environ[name] for name in given if name in os.environ}
    main = sys.modules["__main__"]
    os.environ.update(given)
    if "__main__" not in modules:
        sys.modules["__main__"] = ModuleType("__main__")
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name in given:
            del os.environ[name]
        os.environ.update(before)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
