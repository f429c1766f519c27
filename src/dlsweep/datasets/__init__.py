"""Data sets by name: each registered function takes its settings and returns a `Dataset`."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from functools import lru_cache
from hashlib import file_digest
from io import BufferedReader
from pathlib import Path
from typing import Protocol, cast

from dlsweep import files
from dlsweep.datasets import cifar as _cifar  # noqa: F401  registers itself, as the next ones do
from dlsweep.datasets import mnist as _mnist  # noqa: F401
from dlsweep.datasets import npz as _npz  # noqa: F401
from dlsweep.datasets import table as _table  # noqa: F401
from dlsweep.datasets.base import Arrays, Dataset, datasets
from dlsweep.datasets.published import Published
from dlsweep.errors import DataChanged, DataError, UnknownName, Unreadable, UsageError
from dlsweep.registry import Choice
from dlsweep.text import nearest

__all__ = ["Arrays", "Dataset", "data_of", "datasets", "kind_of", "named", "open_dataset", "published_as", "register"]

register = datasets.register


class Planned(Protocol):
    """Data set of an arm: the choice, and the fingerprint that the sweep was planned with."""

    @property
    def data(self) -> Choice: ...

    @property
    def fingerprint(self) -> str: ...


def data_of(arm: Planned) -> Dataset:
    """Return the data set that a sweep was planned with. Raise `DataChanged` if its content has changed since."""
    dataset = open_dataset(arm.data)
    if dataset.fingerprint != arm.fingerprint:
        data = " ".join([arm.data.name, *map(str, _files(arm.data))])
        raise DataChanged(f"{data} has changed since the sweep was planned; start the sweep again")
    return dataset


def open_dataset(choice: Choice) -> Dataset:
    """Return a data set; the same object each time while the content of its file is the same.

    Raise `DataError` if a file cannot be used, or if a split asks for more samples than there are.
    """
    return _open(choice, tuple(_content(path) for path in _files(choice)))


def _files(choice: Choice) -> list[Path]:
    return [
        Path(choice.settings[setting.name]) for setting in datasets[choice.name].settings.values() if setting.is_file
    ]


def _content(path: Path) -> str:
    """Return a hash of a file's content; "" for a file that cannot be read.

    The file is read again if its size, its place or its time of change has changed, or if it was younger than a clock's
    tick when it was read.
    """
    try:
        with files.opened(path) as file:
            found = os.fstat(file.fileno())
            key = (path, found.st_size, found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
            if key not in _hashes:
                digest = file_digest(cast(BufferedReader, file), "blake2b").hexdigest()
                if time.time_ns() - max(found.st_ctime_ns, found.st_mtime_ns) < SETTLED:
                    return digest
                _hashes[key] = digest
            return _hashes[key]
    except (FileNotFoundError, Unreadable):
        return ""


_hashes: dict[tuple[Path, int, int, int, int, int], str] = {}
SETTLED = 2_000_000_000  # nanoseconds after which another change of a file has another time, on every file system


# A sweep opens its data sets in turn, many times. A cache with one entry too few would read each file every time, so it
# has more entries than any sweep has data sets.
@lru_cache(maxsize=128)
def _open(choice: Choice, content: tuple[str, ...]) -> Dataset:
    try:
        dataset = datasets[choice.name](**choice.settings)
    except MemoryError:
        told = " ".join([choice.name, *map(str, _files(choice))])
        raise DataError(f"{told}: there is not enough memory for it; save fewer samples, or x as uint8") from None
    assert isinstance(dataset, Dataset)
    return dataset


def kind_of(file: Path) -> str:
    """Return the data set that reads a file of the user, by its name or its first bytes: npz or table."""
    with suppress(FileNotFoundError, Unreadable), files.opened(file) as content:
        if content.read(2) == b"PK":
            return "npz"
    return "npz" if file.suffix == ".npz" else "table"


def named() -> dict[str, Dataset]:
    """Return all data sets that have samples and need no file of the user, with their default settings."""
    entries = (datasets[name] for name in datasets)
    opened = {e.name: e() for e in entries if not any(setting.required for setting in e.settings.values())}
    return {name: data for name, data in opened.items() if data.sizes["train"]}


def published_as(name: str) -> Published:
    """Return a published data set. Raise a `UsageError` for another name, and for a data set without files."""
    found = named()
    if name not in found:
        raise UnknownName(f"there is no data set {name!r} to be fetched{nearest(name, found)}")
    source = found[name].source
    if source is None:
        raise UsageError(f"{name} has no folder of its own")
    return source
