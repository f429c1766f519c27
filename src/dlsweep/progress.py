"""Messages to a person, on stderr: sentences, and the progress of a sweep."""

from __future__ import annotations

import os
import re
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from dlsweep.text import duration, plural, printable

if TYPE_CHECKING:
    from tqdm import tqdm

    from dlsweep.execution.worker import Receipt

BAR = "{desc} |{bar}| {n_fmt}/{total_fmt} iterations [{elapsed} < {remaining}, {rate_fmt}]"


class Steady:
    """A stream that never raises: a message is never as fatal as a result. It keeps its first error."""

    def __init__(self, stream: TextIO):
        self.stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text, unless the stream has failed before."""
        try:
            return len(text) if self.error else self.stream.write(text)
        except OSError as error:
            self.error = error
            return len(text)

    def flush(self) -> None:
        """Flush the stream, unless it has failed before."""
        try:
            if not self.error:
                self.stream.flush()
        except OSError as error:
            self.error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def say(text: str) -> None:
    """Print a message to stderr. A path of the command line stays on one line."""
    if sys.stderr is not None:
        for part in (part for word in sys.argv for part in re.split("[/=]", word) if len(part.splitlines()) > 1):
            text = text.replace(part, printable(part))
        with suppress(OSError, ValueError):  # the terminal has gone, or the stream is closed
            print("\n".join(map(printable, text.splitlines())), file=sys.stderr, flush=True)


class Reporter:
    """Listener to the progress of a sweep, for `dlsweep.run(..., report=...)`. This base class ignores every message.

    >>> import dlsweep
    >>> class Notes(dlsweep.Reporter):
    ...     def start(self, total, done, iterations):
    ...         print(f"{total} runs, {done} done, {iterations} iterations to train")
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 2}
    >>> results = dlsweep.run(config, executor="inline", report=Notes())
    2 runs, 0 done, 4 iterations to train
    """

    def start(self, total: int, done: int, iterations: int) -> None:
        """Training starts: `done` of `total` runs are on disk, the others take `iterations` run-iterations."""

    def progress(self, iterations: int) -> None:
        """More run-iterations are trained; a negative number takes back those of runs that are tried again."""

    def receipt(self, receipt: Receipt) -> None:
        """More runs are on disk."""

    def note(self, sentence: str) -> None:
        """A note for the user."""

    def close(self) -> None:
        """Training ends, also by an error or a stop."""


class Progress(Reporter):
    """Report the progress of a sweep on stderr: a bar on a terminal and in a notebook, sentences elsewhere.

    quiet: report failed runs only. verbose: a line for every finished chunk. total: the number of runs. done: the
    number of finished runs, including earlier ones.
    """

    def __init__(self, name: str, *, quiet: bool = False, verbose: bool = False):
        self.name, self.quiet, self.verbose = name, quiet, verbose
        self.total = self.done = 0
        self._started = 0.0  # 0: it trains nothing
        self._bar: tqdm[Any] | None = None

    def start(self, total: int, done: int, iterations: int) -> None:
        """Report that training starts."""
        self.total, self.done = total, done
        if done == total:
            self.note(f"{self.name}: nothing to do")
            return
        self._started = time.monotonic()
        self._bar = None if self.quiet else _bar(iterations)
        if self._bar is None:
            self.note(f"{self.name}: training {plural(total - done, 'run')}, {plural(iterations, 'iteration')}")
        self._describe()

    def progress(self, iterations: int) -> None:
        """Report trained iterations, over all runs; a negative number if they are repeated."""
        if self._bar is not None:
            self._bar.update(iterations)

    def receipt(self, receipt: Receipt) -> None:
        """Report that runs are on disk."""
        self.done += len(receipt.runs)
        self._describe()
        if receipt.error:
            self._say(f"failed: {receipt.error}")
        elif self.verbose:
            ended = ", ".join(f"{n} {status}" for status, n in Counter(receipt.statuses).items())
            self.note(f"{self._so_far()}: {ended}")

    def note(self, sentence: str) -> None:
        """Report a sentence for a person."""
        if not self.quiet:
            self._say(sentence)

    def close(self) -> None:
        """Leave the bar and move the cursor to the next line; without a bar, report the time."""
        if self._bar is not None:
            self._bar.close()
        elif self._started:
            self.note(f"{self.name}: {self._so_far()}")
        self._started = 0.0

    def _so_far(self) -> str:
        return f"{self.done}/{plural(self.total, 'run')} after {duration(time.monotonic() - self._started)}"

    def _say(self, sentence: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        say(sentence)

    def _describe(self) -> None:
        if self._bar is not None:
            self._bar.set_description_str(f"{self.name}: {self.done}/{plural(self.total, 'run')}")


def _bar(iterations: int) -> tqdm[Any] | None:
    """Return a progress bar for a notebook or a terminal; None if stderr is neither."""
    options: dict[str, Any] = {"total": iterations, "unit": " it", "unit_scale": True, "bar_format": BAR}
    if "ipykernel" in sys.modules:
        from tqdm import auto

        return auto.tqdm(**options)
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    from tqdm import tqdm

    width = os.get_terminal_size(sys.stderr.fileno()).columns  # 0 if it is unknown
    return tqdm(**options, file=Steady(sys.stderr), ncols=width or 80, dynamic_ncols=width > 0)
