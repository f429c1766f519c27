"""Atomic writing, so that a file is complete or absent even after a power failure; and careful reading.

Nothing is written through a link: a file is created under a temporary name, which must not exist, and then renamed.
Only regular files are read: a FIFO or a device, in a folder from somebody else, would block for ever.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from dlsweep.errors import DlsweepError, Unreadable, UsageError

_UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS)


@contextmanager
def writing(path: Path, hint: str = "") -> Iterator[None]:
    """Turn the error of a failed write (no space, read-only, an input/output error) into a `DlsweepError`.

    hint: the end of its message.
    """
    try:
        yield
    except OSError as error:
        raise DlsweepError(f"cannot write {path}: {error.strerror or error}{hint}") from error


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


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading. Raise `FileNotFoundError`, or `Unreadable` if it cannot be read now.

    An `OSError` or `MemoryError` while the file is open becomes `Unreadable` too.
    """
    with reading(path), open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Unreadable(f"cannot read {path}: it is not a regular file; nothing was changed, move it elsewhere")
        yield file


def read(path: Path) -> bytes:
    """Return the content of a regular file; raise what `opened` raises."""
    with opened(path) as file:
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
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        yield file


def write(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one step: write a temporary file, sync, read back, rename, and sync the folder.

    Another process may write the same file: a worker of Dask whose runner was killed, while the next one trains.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")  # the dot hides it from readers of Parquet folders
    with writing(path):
        try:
            with new.open("xb") as file:
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


def sync(folder: Path) -> str:
    """Make the names in a folder durable; return the reason if its file system cannot do so, else "".

    Windows has no such call, and does not need it.
    """
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in (errno.EINVAL, *_UNSUPPORTED):
                raise
            return str(error.strerror)
        finally:
            os.close(handle)
    return ""


@contextmanager
def held(path: Path) -> Iterator[str]:
    """Hold a lock on a file; yield the reason if its file system has no locks, else "".

    Raise `BlockingIOError` at once if another process holds it. The system releases the lock when its process ends in
    any way. A link is replaced: else the file would be created where the link leads.
    """
    if path.is_symlink():
        path.unlink()
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)
    lacking = ""
    try:
        try:
            _lock(handle)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, *_UNSUPPORTED):
                raise
            lacking = str(error.strerror)
        yield lacking
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(errno.EAGAIN, "another process holds it") from error
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def refuse_links(root: Path, *inside: str) -> None:
    """Raise a `UsageError` if a folder below `root` is a link that leads out of it, or nowhere.

    inside: the folders, relative to `root`; each is checked together with its parents.
    """
    for name in map(Path, inside):
        for here in (root / folder for folder in (*reversed(name.parents[:-1]), name)):
            if here.is_symlink() and not (here.is_dir() and here.resolve().is_relative_to(root.resolve())):
                raise UsageError(f"{here} is a link that leads out of {root} or nowhere; nothing is written through it")
