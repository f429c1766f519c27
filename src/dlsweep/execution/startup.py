"""Start of worker processes. This imports nothing heavy, so that the server can start before anything else."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.util import get_temp_dir
from pathlib import Path
from types import ModuleType

from dlsweep.errors import DlsweepError

# To fork a server that has imported everything takes milliseconds, and copies no thread and no lock.
if sys.platform == "linux":
    CONTEXT = mp.get_context("forkserver")
    CONTEXT.set_forkserver_preload(["dlsweep.execution.preloaded"])
else:
    CONTEXT = mp.get_context("spawn")

# One thread for every BLAS; and no module of the current folder is imported: it may be named random.py.
ENVIRONMENT = {
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1"),
    "PYTHONSAFEPATH": "1",
}

# Variable for the folder of the server's socket, which the server removes if this process is killed.
SOCKETS = "DLSWEEP_SOCKETS"

# Characters in the path of the folder for the server's socket. With the 32 that follow, a system allows 104 or 108.
LONGEST = 70

# Signals that ask a sweep to stop. Terminals and batch systems send them to all processes; the parent decides.
STOPS = (signal.SIGINT, signal.SIGTERM)

# Exit code of a worker whose script starts a sweep as soon as a worker imports it.
UNGUARDED = 97

ALONE = "to train without workers, use -j 1 (in Python: jobs=1)"


def warm_up() -> None:
    """Start the server, which imports the modules of the workers while this process does something else."""
    if sys.platform == "linux":
        from multiprocessing.forkserver import ensure_running

        with worker_environment():
            ensure_running()


@contextmanager
def worker_environment(modules: tuple[str, ...] = ()) -> Iterator[None]:
    """Give the processes that the block starts `ENVIRONMENT`, blocked `STOPS`, a folder for sockets, no main module.

    A worker imports the main module again only if that module registers something: a script without the usual
    `if __name__ == "__main__"` would start its sweep a second time in the worker. Raise a `DlsweepError` if the
    processes cannot start.
    """
    try:
        Path.cwd()
    except OSError as error:
        raise DlsweepError("worker processes cannot start: the current folder has been removed") from error
    before = {name: os.environ[name] for name in (*ENVIRONMENT, SOCKETS) if name in os.environ}
    main, folder = sys.modules["__main__"], tempfile.tempdir
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        tempfile.tempdir = _short_folder()
        os.environ.update({**ENVIRONMENT, SOCKETS: get_temp_dir()})
        if "__main__" not in modules:
            sys.modules["__main__"] = ModuleType("__main__")
        resource_tracker.ensure_running()  # it unblocks the signals
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        yield
    except EOFError as error:
        reason = "a limit on processes, open files or memory may be too low (ulimit -a shows them)"
        raise DlsweepError(f"worker processes cannot start: {reason}; {ALONE}") from error
    except OSError as error:
        raise DlsweepError(f"worker processes cannot start: {error.strerror or error}; {ALONE}") from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        sys.modules["__main__"], tempfile.tempdir = main, folder
        for name in (*ENVIRONMENT, SOCKETS):
            os.environ.pop(name, None)
        os.environ.update(before)


def _short_folder() -> str:
    """Return the folder for temporary files; if its path is too long for a socket, another one."""
    try:
        folders = [tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"]
    except OSError:
        folders = []
    for folder in folders:
        if len(os.fsencode(folder)) <= LONGEST and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise DlsweepError(
        f"worker processes cannot start: they need a folder for temporary files, with a path of at most {LONGEST} "
        f"characters; set TMPDIR to one; {ALONE}"
    )


def end_unguarded_worker() -> None:
    """End a worker that is still importing its script, because the script starts a sweep there."""
    if getattr(mp.current_process(), "_inheriting", False):
        os._exit(UNGUARDED)
