"""The process that works on a folder."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dlsweep.text import printable


@dataclass(frozen=True)
class Holder:
    """The process `pid` on the machine `host` that has worked on a folder since a time in ISO 8601."""

    host: str
    pid: int
    since: str

    @classmethod
    def here(cls) -> Holder:
        """Return this process, which begins to work on a folder now."""
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        return cls(platform.node(), os.getpid(), now)

    @classmethod
    def of(cls, content: Any) -> Holder:
        """Return the process in the content of a note or a lease. Raise a `ValueError` for any other content.

        >>> print(Holder.of({"host": "node7", "pid": 12, "since": "2026-01-01 12:00:00+00:00"}))
        process 12 on node7 has worked on it since 2026-01-01 12:00:00+00:00
        """
        try:
            since = datetime.fromisoformat(content["since"])
            since = since if since.tzinfo else since.astimezone()
            return cls(printable(content["host"]), int(content["pid"]), since.isoformat(sep=" ", timespec="seconds"))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError("it names no process") from error

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} has worked on it since {self.since}"

    @property
    def has_died(self) -> bool:
        """Tell if the process has ended; False for one on another machine, of which this is not known."""
        if self.host != platform.node():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):  # it belongs to another user
            return False
        return _is_zombie(self.pid)


def _is_zombie(pid: int) -> bool:
    """Tell if a process has ended, and its parent has not yet read its exit code: Linux keeps its number until then."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False
