"""A folder of results on a remote file system: an object store such as S3, or any other that `fsspec` knows.

An object store has no lock and no rename. So a chunk is uploaded, and then published by a marker. Only published parts
are listed. The folder is held by a lease; a runner that lost it stops at its next change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dlsweep.errors import ResultsInUse, warn
from dlsweep.storage import lease
from dlsweep.storage.holder import Holder
from dlsweep.storage.lease import Held
from dlsweep.storage.markers import PUBLISHED, Markers
from dlsweep.storage.objects import Objects

_PART = re.compile(r"(?P<table>\w+)/(?P<stem>[0-9a-f]{16})-[0-9a-f]{8}\.parquet")


@dataclass
class RemoteFolder:
    """A `Folder` below a `UPath`.

    held: the lease under which this process, or its runner, changes it. uploaded: the parts of each chunk, by table,
    that wait for the part of runs/, with which they are published.
    """

    path: Any
    held: Held | None = None
    uploaded: dict[str, dict[str, str]] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return str(self._objects)

    @property
    def _objects(self) -> Objects:
        return Objects(self.path)

    @property
    def _markers(self) -> Markers:
        return Markers(self._objects)

    def get(self, name: str) -> bytes:
        return self._objects.get(name)

    def put(self, name: str, content: bytes) -> None:
        self._check()
        self._objects.put(name, content)
        if part := _PART.fullmatch(name):
            self.uploaded.setdefault(part["stem"], {})[part["table"]] = name
            if part["table"] == PUBLISHED:
                self._publish(part["stem"], name)
                del self.uploaded[part["stem"]]

    def list(self, inside: str = "") -> Sequence[str]:
        counting = self._markers.counting(inside, self._objects.names(inside))
        visible = (name for name in counting if not name.startswith("."))
        return [f"{inside}/{name}".removeprefix("/") for name in visible]

    def delete(self, name: str) -> None:
        self._check()
        self._markers.delete(name)
        self._objects.delete(name)

    def move(self, name: str, to: str) -> None:
        self.put(to, self.get(name))
        self.delete(name)

    def clean(self, inside: str = "") -> None:
        """Delete what killed and superseded runners left: parts that do not count, and markers without a part."""
        if not inside:
            return
        self._check()
        names = self._objects.names(inside)
        for name in sorted({*names} - {*self._markers.counting(inside, names)}):
            self._objects.delete(f"{inside}/{name}")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder by a lease. After the death of its holder it is free when the lease expires; here at once."""
        objects = self._objects
        own = lease.take(objects)
        with lease.renewed(objects, own):
            if not objects.refuses(own.name, own.encoded):
                warn(
                    f"{self} is on a server that ignores the condition of a put (If-None-Match): two runners that "
                    "start at the same moment are not kept apart; start one at a time"
                )
            self.held = Held(objects, own)
            try:
                yield
            finally:
                self.held = None

    def holder(self) -> Holder | None:
        return lease.holder(self._objects)

    def subfolders(self, holding: str) -> Sequence[RemoteFolder]:
        inside = (name for name in self._objects.names() if not name.startswith("."))
        return [RemoteFolder(self.path / name) for name in inside if holding in self._objects.names(name)]

    def _check(self, anew: bool = False) -> None:
        """Raise `ResultsInUse` if another process took the folder, and delete what this one has not published."""
        try:
            if self.held:
                self.held.check(anew)
        except ResultsInUse:
            for stem, own in self.uploaded.items():
                self._markers.delete_unnamed(stem, own.values())
            raise

    def _publish(self, stem: str, name: str) -> None:
        """Put the marker of a chunk, with the name of its part of runs/, and those of its other parts.

        If another process has published the same runs, delete these parts. This is no error for the holder of the
        lease, who finds there what an earlier holder put late; others get `ResultsInUse`.
        """
        own = self.uploaded[stem].values()
        self._check(anew=True)
        published = self._markers.put(stem, [name, *sorted({*own} - {name})])
        try:
            self._check(anew=published != name)  # and, in any case, if this process was paused since it asked
        except ResultsInUse:
            if published == name:
                self._markers.delete(name)
                self._objects.delete(name)
            raise
        if published != name:
            self._markers.delete_unnamed(stem, own)
            if not self.held:
                raise ResultsInUse(f"{self} is in use: another process has just trained the same runs ({published})")
