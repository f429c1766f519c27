"""Errors and warnings that users see. Each message is a sentence; each class has its exit code."""

from __future__ import annotations

import re
import sys
import traceback
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dlsweep.text import excerpt

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # of YAML 1.1, by which its parsers count lines


def warn(sentence: str) -> None:
    """Warn of something, at the line outside of this package that led to it."""
    package = str(Path(__file__).parent)
    stack = enumerate(traceback.walk_stack(sys._getframe()), start=1)
    own = max(level for level, (frame, _) in stack if frame.f_code.co_filename.startswith(package))
    warnings.warn(sentence, stacklevel=own + 1)


class DlsweepError(Exception):
    """Error that is reported as a sentence, without a traceback."""

    exit_code = 1


@dataclass(frozen=True, order=True)
class Mistake:
    """Mistake in a config: its position, and a sentence with the mistake and the correction.

    `line` and `column` count from 1; a mistake on the command line has `file` "command line" and line 0.
    """

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        if not self.line and self.message.startswith(f"{self.file} "):  # the key of a mapping, which it names
            return self.message
        position = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{position}: {self.message}"


class ConfigError(DlsweepError):
    """Config with mistakes: all of them together, in the order of the lines.

    text: of the file in which mistakes have lines; such a line is shown under a mistake, with a caret at its column.
    """

    exit_code = 2

    def __init__(self, mistakes: Iterable[Mistake], text: bytes = b""):
        self.mistakes = sorted(set(mistakes))
        lines = _LINE_BREAK.split(text.decode("utf-8-sig", errors="replace")) if text else []
        told = []
        for mistake in self.mistakes:
            shown = 0 < mistake.line <= len(lines)
            told += [str(mistake), *([excerpt(lines[mistake.line - 1], mistake.column)] if shown else [])]
        super().__init__("\n".join(told))


class UsageError(DlsweepError):
    """Command or call that cannot be carried out as it was given."""

    exit_code = 2


class UnknownName(UsageError, KeyError):
    """Name that is not registered; the message gives the nearest name and the choices."""

    __str__ = Exception.__str__  # KeyError would print the sentence in quotation marks


class DataError(UsageError):
    """Data set that cannot be used: a file is missing, damaged, or in the wrong format."""


class DataChanged(DataError):
    """Data set that has changed since a sweep was planned with it: the sweep ends, because its runs would differ."""


class FetchError(DlsweepError):
    """Data set that could not be fetched. No part of it is kept; the message describes the download by hand."""


class Interrupted(DlsweepError):
    """Sweep that was stopped by Ctrl-C (SIGINT) or SIGTERM. Its finished runs are on disk."""

    def __init__(self, signal: int):
        self.exit_code = 128 + signal
        super().__init__("stopped; the finished runs are kept, and the same command goes on from there")


class ResultsInUse(DlsweepError):
    """Results folder in use by another process."""

    exit_code = 4


class Unreadable(DlsweepError):
    """File that exists and cannot be read now: an input/output error, no permission, no memory.

    It may be intact, so nothing is deleted, moved or trained again because of it.
    """

    exit_code = 4


class ResultsDamaged(DlsweepError):
    """Results folder with a file that this program did not write, or that was changed later."""

    exit_code = 4
