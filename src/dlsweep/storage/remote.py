"""A folder of results on a remote file system: an object store such as S3, or any other that `fsspec` knows.

    runs/0123456789abcdef-01234567.parquet     a part, as on a disk
    runs/.0123456789abcdef                     its marker, with the names of all parts of the chunk

An object store has no lock and no rename. So a part of `runs/` is uploaded, and then published by a marker, which is
put on condition of its absence: of two runners that train the same chunk, one publishes. Only published parts are
listed, and in other tables the parts that the marker names. The folder is held by a lease; a runner that lost it stops
at its next change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dlsweep.errors import DlsweepError, ResultsInUse, warn
from dlsweep.storage import lease
from dlsweep.storage.holder import Holder
from dlsweep.storage.lease import Lease
from dlsweep.storage.objects import Objects

PUBLISHED = "runs"  # the subfolder whose parts have markers

_PART = re.compile(r"(?P<table>\w+)/(?P<stem>[0-9a-f]{16})-[0-9a-f]{8}\.parquet")


@dataclass
class RemoteFolder:
    """A `Folder` below a `UPath`.

    held: the lease under which this process, or its runner, changes it. uploaded: the parts of each chunk by table
    that are to be published.
    """

    path: Any
    held: Lease | None = None
    uploaded: dict[str, dict[str, str]] = field(default_factory=dict, compare=False)
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
        if part := _PART.fullmatch(name):
            self.uploaded.setdefault(part["stem"], {})[part["table"]] = name
            if part["table"] == PUBLISHED:
                self._publish(part["stem"], name)
                del self.uploaded[part["stem"]]

    def list(self, inside: str = "") -> Sequence[str]:
        names = self._objects.names(inside)
        visible = self._published(names) if inside == PUBLISHED else self._partners(inside, names)
        return [f"{inside}/{name}".removeprefix("/") for name in visible if not name.startswith(".")]

    def delete(self, name: str) -> None:
        self._check()
        if name.startswith(f"{PUBLISHED}/") and self._marked(_marker(name))[:1] == [name]:
            self._objects.delete(_marker(name))
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
        counting = self._published(names) if inside == PUBLISHED else self._partners(inside, names)
        markers = {_marker(name).rpartition("/")[2] for name in counting if inside == PUBLISHED}
        for name in names:
            if name not in counting and name not in markers:
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
            self.held, self._checked = own, lease.clock()
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
        """Raise `ResultsInUse` if another process took the folder after the lease had expired.

        anew: ask in any case, and not only some time after the last check.
        """
        if self.held and (anew or lease.clock() - self._checked > self.held.renewal):
            self._checked = float("-inf")  # until it is known, every change asks
            if not self.held.is_newest(self._objects):
                for stem in self.uploaded:
                    self._retract(stem)
                raise ResultsInUse(f"{self} was taken by another process, since this one could not renew its lease")
            self._checked = lease.clock()

    def _publish(self, stem: str, name: str) -> None:
        """Put the marker of a chunk, with the name of its part of runs/, and those of its other parts.

        If another process has published the same runs, delete these parts. This is no error for the holder of the
        lease, who finds there what an earlier holder put late; others get `ResultsInUse`.
        """
        marker = _marker(name)
        own = "\n".join([name, *sorted({*self.uploaded[stem].values()} - {name})])
        self._check(anew=True)
        for _ in range(2):
            other = _lines(self._objects.create(marker, own.encode()))[0]
            if other == name or other.rpartition("/")[2] in self._objects.names(PUBLISHED):
                break
            self._objects.delete(marker)
        else:
            raise DlsweepError(f"cannot write {self}/{name}: its marker changes all the time")
        try:
            self._check(anew=other != name)  # and, in any case, if this process was paused since it asked
        except ResultsInUse:
            for late in (marker, name) if other == name else ():
                self._objects.delete(late)
            raise
        if other != name:
            self._retract(stem)
            if not self.held:
                raise ResultsInUse(f"{self} is in use: another process has just trained the same runs ({other})")

    def _retract(self, stem: str) -> None:
        """Delete the uploaded parts of a chunk, except those that its marker names."""
        own = self.uploaded[stem]
        named = self._marked(_marker(f"{PUBLISHED}/{stem}"))
        for table, name in own.items():  # the marker of an older dlsweep names one part, and the others may be shared
            if name not in named and (len(named) > 1 or table == PUBLISHED):
                self._objects.delete(name)

    def _partners(self, inside: str, names: Sequence[str]) -> Sequence[str]:
        """Return the names in a folder, of several parts of one chunk only the one that the marker names."""
        stems: dict[str, Any] = {}
        for name in names:
            part = _PART.fullmatch(f"{inside}/{name}")
            stems.setdefault(part["stem"] if part else name, []).append(name)
        found: Any = []
        for stem, own in stems.items():
            named = {one.rpartition("/")[2] for one in self._marked(f"{PUBLISHED}/.{stem}")} if len(own) > 1 else set()
            found += [name for name in own if name in named] or own
        return sorted(found)

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
            if marker in markers and (len(own) == 1 or self._marked(marker)[:1] == [f"{PUBLISHED}/{name}"])
        ]
        return sorted(found)

    def _marked(self, marker: str) -> Sequence[str]:
        """Return the names of the parts that a marker publishes, runs/ first; none without a marker."""
        try:
            return _lines(self._objects.get(marker))
        except FileNotFoundError:
            return []


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "replace").split("\n")


def _marker(name: str) -> str:
    """Return the name of a part's marker: the same for all parts of a chunk."""
    folder, _, part = name.rpartition("/")
    return f"{folder}/.{part.partition('-')[0].partition('.')[0]}"
