"""Atomic writing, so that a file is complete or absent even after a power failure; and careful reading.

Nothing is written through a link: a file is created under a temporary name, which must not exist, and then renamed.
Only regular files are read: a FIFO or a device, in a folder from somebody else, would block for ever.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from dlsweep.errors import DlsweepError, Unreadable, UsageError

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_OLD = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the error of a failed write (no space, read-only, an input/output error) into a `DlsweepError`."""
    try:
        yield
    except OSError as error:
        raise DlsweepError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the error of a failed read into `Unreadable`, except `FileNotFoundError`."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "not enough memory"
        raise Unreadable(f"cannot read {path}: {reason}; nothing was changed, try again when it can be read") from error


def read(path: Path) -> bytes:
    """Return the content of a regular file. Raise `FileNotFoundError`, or `Unreadable` if it cannot be read now."""
    with reading(path):
        handle = os.open(path, _OLD)
        with open(handle, "rb") as file:  # noqa: PTH123  it opens a handle
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            return file.read()


def names(folder: Path) -> list[str]:
    """Return the sorted names in a folder; none if there is no folder. Raise `Unreadable` if it cannot be read."""
    try:
        with reading(folder):
            return sorted(os.listdir(folder))  # noqa: PTH208  names are wanted, not paths
    except FileNotFoundError:
        return []


@contextmanager
def created(path: Path) -> Iterator[BinaryIO]:
    """Open a new file for writing. An existing file or link of this name is removed first."""
    with suppress(FileNotFoundError):
        path.unlink()
    with open(os.open(path, _NEW, 0o666), "wb") as file:  # noqa: PTH123
        yield file


def write(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one step: write a temporary file, sync, read back, rename, and sync the folder."""
    new = path.with_name(f".{path.name}.tmp")  # the dot hides it from readers of Parquet folders
    with writing(path):
        try:
            with created(new) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if new.read_bytes() != content:
                raise OSError(errno.EIO, "the content read back differs from the content written")
            new.replace(path)
            sync(path.parent)
        finally:
            with suppress(OSError):
                new.unlink()


def make_folder(path: Path) -> None:
    """Make a folder and its parents, if they do not exist."""
    with writing(path):
        if not path.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            sync(path.parent)


def sync(folder: Path) -> None:
    """Make the names in a folder durable. Windows has no such call, and does not need it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def refuse_links(root: Path, *inside: str) -> None:
    """Raise a `UsageError` if a folder below `root` is a link that leads out of it.

    inside: the folders, relative to `root`; each is checked together with its parents.
    """
    for path in (root / name for name in inside):
        for folder in (*reversed(path.relative_to(root).parents), path.relative_to(root)):
            here = root / folder
            if folder != Path() and here.is_symlink() and not _leads_to(here, root):
                raise UsageError(f"{here} is a link that leads out of {root}; nothing is written through it")


def _leads_to(link: Path, root: Path) -> bool:
    try:
        return link.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # a link to itself
        return False
