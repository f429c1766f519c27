"""The modules that every worker has from its start. Only the server of worker processes imports this module."""

from __future__ import annotations

import atexit
import errno
import os
import shutil
import sys
from types import TracebackType

LIMITS = {errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


def _hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print an uncaught exception, unless it is about a limit of this machine, which the parent reports."""
    atexit.unregister(shutil.rmtree)  # the parent is alive, and removes the folder itself
    limited = isinstance(error, EOFError | MemoryError) or getattr(error, "errno", None) in LIMITS
    if not limited and "new thread" not in str(error):
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = _hook

import pyarrow as pa  # noqa: E402

from dlsweep.execution import worker  # noqa: E402

__all__ = ["worker"]

# The server ends when its parent does. After a kill, the parent could not remove the folder of their socket.
if folder := os.environ.pop("DLSWEEP_SOCKETS", ""):
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


class _NoPandas:
    """An importer that refuses pandas. `None` in `sys.modules` would be refused by Python only, not by Cython."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ImportError(name)


# Arrow looks for pandas when it makes its first array, and never again; a worker's Arrow then reads a Series as a list.
# A worker needs no more, and importing pandas would take as long as all other imports together.
sys.meta_path.insert(0, _NoPandas)
try:
    pa.array([])
finally:
    sys.meta_path.remove(_NoPandas)
