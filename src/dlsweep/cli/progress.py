"""Progress of a sweep, on stderr."""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from dlsweep.cli.terminal import say
from dlsweep.execution.worker import Receipt
from dlsweep.sweep import Reporter
from dlsweep.text import plural

if TYPE_CHECKING:
    from tqdm import tqdm

BAR = "{desc} |{bar}| {n_fmt}/{total_fmt} iterations [{elapsed} < {remaining}, {rate_fmt}]"


class Progress(Reporter):
    """Report the progress of a sweep on stderr: a bar on a terminal, sentences elsewhere, nothing if `quiet`.

    verbose: a line for every finished chunk. total: the number of runs. done: the number of finished runs, including
    earlier ones.
    """

    def __init__(self, name: str, *, quiet: bool = False, verbose: bool = False):
        self.name, self.quiet, self.verbose = name, quiet, verbose
        self.total = self.done = 0
        self._bar: tqdm[Any] | None = None

    def start(self, total: int, done: int, iterations: int) -> None:
        """Report that training starts."""
        self.total, self.done = total, done
        if done == total:
            self.note(f"{self.name}: nothing to do")
        elif sys.stderr.isatty() and not self.quiet:
            from tqdm import tqdm

            width = os.get_terminal_size(sys.stderr.fileno()).columns  # 0 if it is unknown
            size: Any = {"ncols": width or 80, "dynamic_ncols": width > 0}
            self._bar = tqdm(total=iterations, unit=" it", unit_scale=True, bar_format=BAR, **size)
            self._describe()
        else:
            self.note(f"{self.name}: training {plural(total - done, 'run')}, {plural(iterations, 'iteration')}")

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
            self.note(f"{self.done}/{self.total} runs: {ended}")

    def note(self, sentence: str) -> None:
        """Report a sentence for a person."""
        if not self.quiet:
            self._say(sentence)

    def close(self) -> None:
        """Leave the bar, and move the cursor to the next line."""
        if self._bar is not None:
            self._bar.close()

    def _say(self, sentence: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        say(sentence)

    def _describe(self) -> None:
        if self._bar is not None:
            self._bar.set_description_str(f"{self.name}: {self.done}/{plural(self.total, 'run')}")
