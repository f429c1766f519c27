"""Objects of a remote file system below a URL, through `fsspec`: written whole, or created only if they are absent."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dlsweep.errors import DlsweepError, Unreadable

PAUSES = (0.2, 1.0, 3.0)  # seconds before a put is tried again
READ_TIMEOUT = 10.0  # seconds without an answer, if the options of the file system have no other limit
PASSING = (errno.EBUSY, getattr(errno, "EREMOTEIO", errno.EIO))  # as s3fs raises the answers 409, 500 and 503
SLOWEST = 50_000  # bytes in a second: no slower upload is waited for

_thread = threading.local()  # since: the time from which on this thread waits for a server


@contextmanager
def waiting() -> Iterator[None]:
    """Note that this thread waits for a server, for as long as the block runs."""
    before = getattr(_thread, "since", None)
    _thread.since = time.monotonic()
    try:
        yield
    finally:
        _thread.since = before


def waiting_since() -> float | None:
    """Return the time, by the monotonic clock, from which on this thread waits for a server; None if it does not.

    >>> waiting_since()
    """
    since: float | None = getattr(_thread, "since", None)
    return since


@dataclass(frozen=True)
class Objects:
    """Objects below a `UPath`. Names are relative to it; errors of every file system become sentences with the URL."""

    path: Any

    def __str__(self) -> str:
        return str(self.path).rstrip("/")

    @property
    def _files(self) -> Any:
        return self.path.fs

    def _key(self, name: str) -> str:
        return f"{self.path.path.rstrip('/')}/{name}".rstrip("/")

    def get(self, name: str) -> bytes:
        """Return the content of an object. Raise `FileNotFoundError`, or `Unreadable`."""
        with self._reading(name):
            return bytes(_patiently(self._files.cat_file, self._key(name)))

    def put(self, name: str, content: bytes) -> None:
        """Write an object in one request, in place of an older one."""
        with self._writing(name):
            _patiently(self._files.pipe_file, self._key(name), content, **self._limit(content))

    def create(self, name: str, content: bytes) -> bytes:
        """Write an object that must be absent. Return the content that is there afterwards: this, or another one.

        A put whose answer was lost is sent again, and then refused, since the first one has succeeded. So after every
        error the object is read. While it is absent (a conflict of two puts, a lost request), the put is tried again.
        """
        for pause in (*PAUSES, None):
            try:
                with self._writing(name):
                    self._files.pipe_file(self._key(name), content, mode="create", **self._limit(content))
                return content
            except DlsweepError:
                with suppress(FileNotFoundError):
                    return self.get(name)
                if pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError

    def refuses(self, name: str, content: bytes) -> bool:
        """Tell if the server refuses to create an object that is there. content: the content that it has."""
        from fsspec import AbstractFileSystem

        files = self._files
        if not files.async_impl and type(files).pipe_file is AbstractFileSystem.pipe_file:
            return False  # its client first looks for the object, and then writes it
        with self._writing(name):
            try:
                _patiently(files.pipe_file, self._key(name), content, mode="create", **self._limit(content))
            except FileExistsError:
                return True
            except OSError as error:
                if error.errno == errno.EINVAL or "precondition" in str(error).lower():
                    return True
                raise
        return False

    def names(self, inside: str = "") -> list[str]:
        """Return the sorted names of the objects and folders in a folder; none if it does not exist."""
        folder = self._key(inside)
        with self._reading(inside):
            try:
                found = _patiently(self._files.ls, folder, detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        split = (name.rstrip("/").rpartition("/") for name in found)
        return sorted(name for above, _, name in split if above.strip("/") == folder.strip("/"))

    def delete(self, name: str) -> None:
        """Delete an object, if it is there."""
        with self._writing(name), suppress(FileNotFoundError):
            _patiently(self._files.rm_file, self._key(name))

    def modified(self, name: str) -> datetime:
        """Return the time at which an object was written, by the clock of the server."""
        with self._reading(name):
            found: datetime = _patiently(self._files.modified, self._key(name))
            return found

    def _limit(self, content: bytes) -> dict[str, float]:
        """Return a limit on the time of an upload: S3's client has none while it waits for a "100 Continue"."""
        if not self._files.async_impl:
            return {}
        waited = (getattr(self._files, "config_kwargs", None) or {}).get("read_timeout", READ_TIMEOUT)
        return {"timeout": 2 * float(waited) + len(content) / SLOWEST}

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            with waiting():
                yield
        except (FileNotFoundError, DlsweepError):
            raise
        except Exception as error:  # each file system has errors of its own
            advice = "nothing was changed, try again when it can be read"
            raise Unreadable(f"cannot read {self}/{name}: {reason(error)}; {advice}") from error

    @contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        try:
            with waiting():
                yield
        except DlsweepError:
            raise
        except Exception as error:
            raise DlsweepError(f"cannot write {self}/{name}: {reason(error)}") from error


def _patiently(operation: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call an operation of a file system, and again after a temporary error: no answer, a conflict, a busy server."""
    for pause in PAUSES:
        try:
            return operation(*arguments, **options)
        except OSError as error:
            if not isinstance(error, TimeoutError) and error.errno not in PASSING:
                raise
            time.sleep(pause)
    return operation(*arguments, **options)


def reason(error: Exception) -> str:
    """Return the reason that an error gives, in one line."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if type(error).__name__ == "NoCredentialsError":  # of S3's client
        text += " (set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write ~/.aws/credentials)"
    unnamed = "the server does not answer" if isinstance(error, TimeoutError) else type(error).__name__
    return " ".join(text.split()) or unnamed
