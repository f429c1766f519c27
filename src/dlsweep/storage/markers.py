"""Markers: a marker publishes the parts of a chunk in a remote folder, where no file can be renamed into its place.

    runs/0123456789abcdef-01234567.parquet     a part, as on a disk
    runs/.0123456789abcdef                     its marker, with the names of all parts of the chunk

It is put on condition of its absence: of two runners that train the same chunk, one publishes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from dlsweep.errors import DlsweepError
from dlsweep.storage.objects import Objects

PUBLISHED = "runs"  # the subfolder whose parts have markers


@dataclass(frozen=True)
class Markers:
    """The markers in a remote folder."""

    objects: Objects

    def named(self, stem: str) -> Sequence[str]:
        """Return the parts that the marker of a chunk names, the one in runs/ first; none without a marker."""
        try:
            return _lines(self.objects.get(_marker(stem)))
        except FileNotFoundError:
            return []

    def put(self, stem: str, parts: Sequence[str]) -> str:
        """Put the marker of a chunk with the names of its parts, the one in runs/ first, unless it has a marker.

        Return the part in runs/ that the marker names afterwards: another one if another process was faster.
        """
        for _ in range(2):
            first = _lines(self.objects.create(_marker(stem), "\n".join(parts).encode()))[0]
            if first == parts[0] or first.rpartition("/")[2] in self.objects.names(PUBLISHED):
                return first
            self.objects.delete(_marker(stem))  # its part is gone
        raise DlsweepError(f"cannot write {self.objects}/{parts[0]}: its marker changes all the time")

    def delete(self, part: str) -> None:
        """Delete the marker that names a part of runs/, if there is one."""
        stem = stem_of(part)
        if part.startswith(f"{PUBLISHED}/") and self.named(stem)[:1] == [part]:
            self.objects.delete(_marker(stem))

    def counting(self, inside: str, names: Sequence[str]) -> list[str]:
        """Return the names in a subfolder that count. Those of runs/ have a marker, which counts with them.

        Of several parts of a chunk, only the one that the marker names counts. names: sorted.
        """
        counting, there = list[str](), set(names)
        for stem, group in groupby(names, stem_of):
            own = list(group)
            named = self.named(stem) if stem and len(own) > 1 else ()
            right = [name for name in own if len(own) == 1 or f"{inside}/{name}" in named]
            if inside != PUBLISHED:
                counting += right or own
            elif right and f".{stem}" in there:
                counting += [f".{stem}", *right]
        return counting

    def delete_unnamed(self, stem: str, parts: Iterable[str]) -> None:
        """Delete those of a chunk's parts that its marker does not name."""
        named = self.named(stem)
        for part in parts:  # the marker of an older dlsweep names one part, and the others may be shared
            if part not in named and (len(named) > 1 or part.startswith(f"{PUBLISHED}/")):
                self.objects.delete(part)


def stem_of(name: str) -> str:
    """Return the stem in the name of a part, which all parts of a chunk share; "" for a marker."""
    return name.rpartition("/")[2].partition("-")[0].partition(".")[0]


def _marker(stem: str) -> str:
    return f"{PUBLISHED}/.{stem}"


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "replace").split("\n")
