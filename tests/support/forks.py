"""Work in a process of its own, for the programs that tests start."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable

from dlsweep.errors import DlsweepError


def forked(work: Callable[[], object], mentions: str = "") -> int:
    """Do some work in a fork, and return its exit code.

    99: an exception that is no `DlsweepError`, whose traceback is printed. 98: a `DlsweepError` whose sentence lacks
    `mentions`.
    """
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        work()
    except DlsweepError as error:
        os._exit(error.exit_code if mentions in str(error) else 98)
    except BaseException:
        traceback.print_exc()
        os._exit(99)
    os._exit(0)
