"""Ctrl-C and SIGTERM: the first asks the sweep to stop, the second stops it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from dlsweep.errors import Interrupted


@contextmanager
def interruptible(tell: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Give a function that raises `Interrupted` once the user has asked to stop, and `tell` the user at once.

    So a stop comes where the program can bear it. Outside the main thread, where Python delivers no signals, it never
    comes.
    """
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        if len(asked) > 1:
            raise Interrupted(number)
        with suppress(RuntimeError):  # a stream that is being written to at this very moment takes nothing else
            tell("stopping: what is finished is kept; Ctrl-C again stops at once")

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
