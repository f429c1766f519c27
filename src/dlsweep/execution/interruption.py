"""Ctrl-C and SIGTERM: the first signal requests a stop, the second stops at once."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from dlsweep.errors import Interrupted
from dlsweep.execution.startup import STOPS
from dlsweep.storage import objects

# After a request to stop: seconds that a request to a server may take, and seconds between two looks at it.
PATIENCE, TICK = 1.0, 0.1


@contextmanager
def interruptible(tell: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Yield a function that raises `Interrupted` after a request to stop; `tell` the user of the request at once.

    So the program stops only where it calls this function, or where it waits for a server that does not answer: this is
    looked at by the clock. Once it has waited in vain, or at the second signal, it waits for no other answer. Outside
    the main thread Python delivers no signals.
    """
    asked: list[int] = []
    patience, given_up = PATIENCE, 0.0

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal patience
        asked.append(number)
        signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
        if len(asked) > 1:
            patience = 0.0
            raise Interrupted(number)
        with suppress(RuntimeError):  # the signal arrived during a write to the same stream
            tell("stopping: finished runs are kept; Ctrl-C again stops at once")

    def look(number: int, frame: FrameType | None) -> None:
        nonlocal patience, given_up
        since = objects.waiting_since()
        if since is not None and since != given_up and time.monotonic() - since > patience:
            patience, given_up = 0.0, since  # once for each wait, since its end must not be disturbed
            raise Interrupted(asked[0])

    def check() -> None:
        if asked:
            raise Interrupted(asked[0])

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    before = {number: signal.signal(number, ask) for number in STOPS}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, look)
    try:
        yield check
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
