"""The errors that a person can meet. Each message is a sentence; each class knows its exit code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dlsweep.text import excerpt

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # of YAML 1.1, by which its parsers count lines


class DlsweepError(Exception):
    """A mistake or a mishap that is told in a sentence, without a traceback."""

    exit_code = 1


@dataclass(frozen=True, order=True)
class Mistake:
    """One thing wrong in a config: where it stands, and a sentence on what is wrong and what would be right.

    `line` and `column` count from 1; a mistake on the command line has `file` "command line" and line 0.
    """

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}"


class ConfigError(DlsweepError):
    """Every mistake of a config at once, in the order of the lines.

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
    """A command or a call that cannot be carried out as it was given."""

    exit_code = 2


class UnknownName(UsageError, KeyError):
    """A name that a registry does not hold; the message gives the nearest name and the choices."""

    __str__ = Exception.__str__  # KeyError would print the sentence in quotation marks


class DataError(UsageError):
    """A data set that cannot be used: a file that is missing, damaged, or not of the promised form."""


class DataChanged(DataError):
    """A data set other than the one that a sweep was planned with: the question has changed, so the sweep ends."""


class FetchError(DlsweepError):
    """A data set that could not be fetched. Nothing of what came is kept; the message says how to get it by hand."""


class Interrupted(DlsweepError):
    """The sweep was asked to stop, by Ctrl-C (SIGINT) or SIGTERM. What was finished is on disk."""

    def __init__(self, signal: int):
        self.exit_code = 128 + signal
        super().__init__("stopped; the finished runs are kept, and the same command goes on from there")


class ResultsInUse(DlsweepError):
    """Another process works on the same results folder."""

    exit_code = 4


class Unreadable(DlsweepError):
    """A file that is there and cannot be read at the moment: an input/output error, no permission, no memory.

    It may be as healthy as ever, so nothing is deleted, moved or trained again because of it.
    """

    exit_code = 4


class ResultsDamaged(DlsweepError):
    """A results folder holds something that this program did not write, or that was changed since."""

    exit_code = 4
