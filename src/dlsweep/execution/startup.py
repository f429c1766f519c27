"""How worker processes come into being. Imports nothing heavy, so that the server can be started first of all."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

# A fork of a server that has imported everything takes milliseconds, and inherits no thread and no lock.
if sys.platform == "linux":
    CONTEXT = mp.get_context("forkserver")
    CONTEXT.set_forkserver_preload(["dlsweep.execution.preloaded"])
else:
    CONTEXT = mp.get_context("spawn")


def warm_up() -> None:
    """Let the server import what the workers need, while this process goes on with something else."""
    if sys.platform == "linux":
        from multiprocessing.forkserver import ensure_running

        with surroundings():
            ensure_running()


@contextmanager
def surroundings(modules: tuple[str, ...] = ()) -> Iterator[None]:
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
