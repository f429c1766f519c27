"""Output of commands: data to stdout, messages to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dlsweep.progress import Steady, say
from dlsweep.tabular import json_value
from dlsweep.text import printable

__all__ = ["output", "print_json", "print_paths", "say"]


@contextmanager
def output() -> Iterator[None]:
    """Let a command write to its streams as if they could not fail; raise an error of stdout at its end.

    Data in a file or a pipe is UTF-8. A terminal may lack some characters: others replace them.
    """
    for number in range(3):  # a file would take the number of a closed stream, and then the messages
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    before = sys.stdout, sys.stderr
    streams: Any = [stream or open(os.devnull, "w", encoding="utf-8") for stream in before]  # noqa: PTH123, SIM115
    out, err = streams
    err.reconfigure(errors="replace")
    out.reconfigure(**({"errors": "replace"} if out.isatty() else {"encoding": "utf-8", "errors": "surrogateescape"}))
    data, messages = sys.stdout, sys.stderr = Steady(out), Steady(err)
    try:
        yield
    except SystemExit as end:
        if end.code:
            raise
    finally:
        for stream in (data, messages):
            stream.flush()
            if stream.error:  # the rest of its buffer is discarded, without an error message at exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        sys.stdout, sys.stderr = before
    if data.error:
        raise type(data.error)(data.error.errno, data.error.strerror, "standard output")


def print_json(value: Any) -> None:
    """Print a value as JSON, in ASCII."""
    print(json.dumps(json_value(value), indent=2, default=str))


def print_paths(paths: Iterable[Path]) -> None:
    """Print paths, one on each line: to a file or a pipe with their exact bytes, to a terminal as in messages."""
    shown = printable if sys.stdout.isatty() else str
    print("".join(f"{shown(str(path))}\n" for path in paths), end="")
