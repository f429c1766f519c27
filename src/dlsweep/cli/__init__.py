"""Command line: the commands, and shared parts. It imports nothing before Ctrl-C is silent."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from types import FrameType

__all__ = ["main"]


def main() -> None:
    """Run the command line; Ctrl-C ends it with exit code 130, and without a traceback."""
    signal.signal(signal.SIGINT, _stop)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # more threads train nothing, and reserve 32 MiB each
    os.environ.pop("MPLBACKEND", None)  # figures are files, and a notebook's backend may not be here
    try:
        from dlsweep.cli import app

        app.main()
    except KeyboardInterrupt:
        sys.exit(130)


def _stop(number: int, frame: FrameType | None) -> None:
    """End the program, at once while it imports modules: an import may swallow the exception or print a traceback."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            atexit._run_exitfuncs()
            os._exit(130)
        frame = frame.f_back
    raise KeyboardInterrupt
