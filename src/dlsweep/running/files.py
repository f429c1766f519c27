"""Files that are there whole or not at all, also when the machine stops in between."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dlsweep.errors import DlsweepError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says about a failed write (no space, read-only, an input/output error) into a sentence."""
    try:
        yield
    except OSError as error:
        raise DlsweepError(f"cannot write {path}: {error.strerror or error}") from error


def write(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step: written beside, synced, read back, renamed, and the folder synced."""
    beside = temporary(path)
    with writing(path):
        try:
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if beside.read_bytes() != content:
                raise OSError(errno.EIO, "what was read back is not what was written")
            beside.replace(path)
            sync(path.parent)
        finally:
            with suppress(OSError):
                beside.unlink()


def temporary(path: Path) -> Path:
    """Where a file is written before it gets its name. The dot hides it from what reads a folder of Parquet parts."""
    return path.with_name(f".{path.name}.tmp")


def remove_temporaries(folder: Path) -> None:
    """Remove what writers that were killed have left behind."""
    for path in folder.glob(".*.tmp"):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file, if it is there; it stays removed."""
    with writing(path), suppress(FileNotFoundError):
        path.unlink()
        sync(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, if they are not there."""
    with writing(path):
        if not path.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            sync(path.parent)


def move(path: Path, folder: Path) -> None:
    """Move a file into another folder of the same disk."""
    make_folder(folder)
    with writing(folder / path.name):
        path.replace(folder / path.name)
        sync(folder)
        sync(path.parent)


def sync(folder: Path) -> None:
    """Make the names in a folder durable. Windows has no such call, and no need of it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
