"""Ctrl-C and SIGTERM: the first signal requests a stop, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from dlsweep.errors import Interrupted


@contextmanager
def interruptible(tell: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Yield a function that raises `Interrupted` after a request to stop; `tell` the user of the request at once.

    So the program stops only where it calls this function. Outside the main thread Python delivers no signals.
    """
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        if len(asked) > 1:
            raise Interrupted(number)
        with suppress(RuntimeError):  # the signal arrived during a write to the same stream
            tell("stopping: finished runs are kept; Ctrl-C again stops at once")

    def check() -> None:
        if asked:
            raise Interrupted(asked[0])

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
