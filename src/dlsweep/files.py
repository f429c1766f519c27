"""Files that are there whole or not at all, also when the machine stops in between; and careful reading of others'.

Nothing is written through a link: a file is created under a name of its own, which must not exist, and then renamed.
Only regular files are read: a FIFO or a device, in a folder that somebody sent, would block for ever.
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
    """Turn what the system says about a failed write (no space, read-only, an input/output error) into a sentence."""
    try:
        yield
    except OSError as error:
        raise DlsweepError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system says about a failed read into `Unreadable`; a file that is not there stays that."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "not enough memory"
        raise Unreadable(f"cannot read {path}: {reason}; nothing was changed, try again when it can be read") from error


def read(path: Path) -> bytes:
    """Return the content of a regular file. Raise `FileNotFoundError`, or `Unreadable` where it cannot be read now."""
    with reading(path):
        handle = os.open(path, _OLD)
        with open(handle, "rb") as file:  # noqa: PTH123  what is opened is a handle
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            return file.read()


def names(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none where there is no folder. Raise `Unreadable` if it cannot be read."""
    try:
        with reading(folder):
            return sorted(os.listdir(folder))  # noqa: PTH208  names are wanted, not paths
    except FileNotFoundError:
        return []


@contextmanager
def created(path: Path) -> Iterator[BinaryIO]:
    """Open a new file for writing. What lies there under its name, a link for instance, is removed first."""
    with suppress(FileNotFoundError):
        path.unlink()
    with open(os.open(path, _NEW, 0o666), "wb") as file:  # noqa: PTH123
        yield file


def write(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step: written beside, synced, read back, renamed, and the folder synced."""
    beside = temporary(path)
    with writing(path):
        try:
            with created(beside) as file:
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
    """Return where a file is written before it gets its name. The dot hides it from readers of Parquet folders."""
    return path.with_name(f".{path.name}.tmp")


def remove_temporaries(folder: Path) -> None:
    """Remove what writers that were killed have left behind."""
    for name in names(folder):
        if name.startswith(".") and name.endswith(".tmp"):
            remove(folder / name)


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


def move(path: Path, target: Path) -> None:
    """Give a file another name on the same disk. A missing folder of the new name is made."""
    make_folder(target.parent)
    with writing(target):
        path.replace(target)
        sync(target.parent)
        sync(path.parent)


def sync(folder: Path) -> None:
    """Make the names in a folder durable. Windows has no such call, and no need of it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def refuse_links(root: Path, *inside: str) -> None:
    """Raise a `UsageError` if a folder below `root` is a link that leads out of it.

    inside: the folders, relative to `root`; each with the folders on the way to it.
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
