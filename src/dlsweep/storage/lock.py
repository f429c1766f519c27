"""One runner on a results folder at a time.

That holds on one machine, and for several that see the folder where their file system shares locks between them (NFS 4
does; others keep `flock` to each machine, or have none).
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from dlsweep.errors import ResultsInUse, Unreadable
from dlsweep.files import created, read, writing


@contextmanager
def sole_runner(folder: Path) -> Iterator[None]:
    """Hold the folder, or raise `ResultsInUse` at once, with who holds it.

    The system frees the lock when its process ends, however it ends; the note beside it only says who that was.
    """
    lock, note = FileLock(folder / ".lock"), folder / ".runner.json"
    with writing(folder):
        if (folder / ".lock").is_symlink():
            (folder / ".lock").unlink()  # ours is a file; the lock of a link would be made where it leads
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise ResultsInUse(f"{folder} is in use: {_holder(note)}") from None
    try:
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        with writing(note), created(note) as file:
            file.write(json.dumps({"host": platform.node(), "pid": os.getpid(), "since": now}).encode())
        yield
    finally:
        with suppress(OSError):
            note.unlink()
        lock.release()


def _holder(note: Path) -> str:
    try:
        holder = json.loads(read(note))
        return f"process {holder['pid']} on {holder['host']} has worked on it since {holder['since']}"
    except (OSError, Unreadable, ValueError, KeyError, TypeError):
        return "another process works on it"
