"""A folder of results on a remote file system: an object store such as S3, or any other that `fsspec` knows.

    runs/0123456789abcdef-01234567.parquet     a part, as on a disk
    runs/.0123456789abcdef                     its marker, with the name of the part

An object store has no lock and no rename. So a part of `runs/` is uploaded, and then published by a marker, which is
put on condition of its absence: of two runners that train the same chunk, one publishes. Only published parts are
listed. The folder is held by a lease; a runner that lost it stops at its next change.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dlsweep.errors import DlsweepError, ResultsInUse
from dlsweep.storage import lease
from dlsweep.storage.holder import Holder
from dlsweep.storage.lease import Lease
from dlsweep.storage.objects import Objects

PUBLISHED = "runs"  # the subfolder whose parts have markers


@dataclass
class RemoteFolder:
    """A `Folder` below a `UPath`. held: the lease under which this process, or its runner, changes it."""

    path: Any
    held: Lease | None = None
    _checked: float = field(default=0.0, compare=False)

    def __str__(self) -> str:
        return str(self._objects)

    @property
    def _objects(self) -> Objects:
        return Objects(self.path)

    def get(self, name: str) -> bytes:
        return self._objects.get(name)

    def put(self, name: str, content: bytes) -> None:
        self._check()
        self._objects.put(name, content)
        if name.startswith(f"{PUBLISHED}/"):
            self._publish(name)

    def list(self, inside: str = "") -> Sequence[str]:
        names = self._objects.names(inside)
        visible = self._published(names) if inside == PUBLISHED else [one for one in names if not one.startswith(".")]
        return [f"{inside}/{name}".removeprefix("/") for name in visible]

    def delete(self, name: str) -> None:
        self._check()
        if name.startswith(f"{PUBLISHED}/") and self._marked(_marker(name)) == name:
            self._objects.delete(_marker(name))
        self._objects.delete(name)

    def move(self, name: str, to: str) -> None:
        self.put(to, self.get(name))
        self.delete(name)

    def clean(self, inside: str = "") -> None:
        """Delete the parts of killed runners that were uploaded and not published, and markers without a part."""
        if inside != PUBLISHED:
            return
        self._check()
        names = self._objects.names(inside)
        published = self._published(names)
        markers = {_marker(f"{inside}/{name}") for name in published}
        for name in names:
            if name not in published and f"{inside}/{name}" not in markers:
                self._objects.delete(f"{inside}/{name}")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder by a lease. After the death of its holder it is free when the lease expires; here at once."""
        objects = self._objects
        own = lease.take(objects)
        with lease.renewed(objects, own):
            if not objects.refuses(own.name, own.encoded):
                _warn(
                    f"{self} is on a server that ignores the condition of a put (If-None-Match): two runners that "
                    "start at the same moment are not kept apart; start one at a time"
                )
            self.held, self._checked = own, time.monotonic()
            try:
                yield
            finally:
                self.held = None

    def holder(self) -> Holder | None:
        return lease.holder(self._objects)

    def subfolders(self, holding: str) -> Sequence[RemoteFolder]:
        inside = (name for name in self._objects.names() if not name.startswith("."))
        return [RemoteFolder(self.path / name) for name in inside if holding in self._objects.names(name)]

    def _check(self) -> None:
        """Raise `ResultsInUse` if another process took the folder after the lease had expired."""
        if self.held and time.monotonic() - self._checked > lease.RENEWAL:
            if not self.held.is_newest(self._objects):
                raise ResultsInUse(f"{self} was taken by another process, since this one could not renew its lease")
            self._checked = time.monotonic()

    def _publish(self, name: str) -> None:
        """Put the marker of a part. Raise `ResultsInUse` if another process published a part of the same runs."""
        marker = _marker(name)
        for _ in range(2):
            other = self._objects.create(marker, name.encode()).decode("utf-8", "replace")
            if other == name:
                return
            if other.rpartition("/")[2] in self._objects.names(PUBLISHED):
                self._objects.delete(name)
                raise ResultsInUse(f"{self} is in use: another process has just trained the same runs ({other})")
            self._objects.delete(marker)
        raise DlsweepError(f"cannot write {self}/{name}: its marker changes all the time")

    def _published(self, names: Sequence[str]) -> Sequence[str]:
        """Return the parts with a marker. Of several parts of one chunk, the marker has the name of the right one."""
        parts: dict[str, Any] = {}
        for name in names:
            if not name.startswith("."):
                parts.setdefault(_marker(f"{PUBLISHED}/{name}"), []).append(name)
        markers = {f"{PUBLISHED}/{name}" for name in names if name.startswith(".")}
        found = [
            name
            for marker, own in parts.items()
            for name in own
            if marker in markers and (len(own) == 1 or self._marked(marker) == f"{PUBLISHED}/{name}")
        ]
        return sorted(found)

    def _marked(self, marker: str) -> str:
        """Return the name of the part that a marker publishes; "" without a marker."""
        try:
            return self._objects.get(marker).decode("utf-8", "replace")
        except FileNotFoundError:
            return ""


def _marker(name: str) -> str:
    """Return the name of a part's marker: the same for all parts of a chunk."""
    folder, _, part = name.rpartition("/")
    return f"{folder}/.{part.partition('-')[0].partition('.')[0]}"


def _warn(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=4)
