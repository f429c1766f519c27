"""Data sets by name: each registered function takes its settings and returns a `Dataset`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Protocol

from dlsweep.datasets import cifar as _cifar  # noqa: F401  registers itself, as the next ones do
from dlsweep.datasets import mnist as _mnist  # noqa: F401
from dlsweep.datasets import none as _none  # noqa: F401
from dlsweep.datasets import npz as _npz  # noqa: F401
from dlsweep.datasets.base import Arrays, Dataset, datasets
from dlsweep.datasets.published import Published
from dlsweep.errors import DataChanged, UnknownName, UsageError
from dlsweep.registry import Choice
from dlsweep.text import nearest

__all__ = ["Arrays", "Dataset", "data_of", "datasets", "named", "open_dataset", "published_as"]


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
    """Return a data set; the same object each time while its file is unchanged.

    Raise `DataError` if a file cannot be used, or if a split asks for more samples than there are.
    """
    return _open(choice, tuple(path.stat().st_mtime_ns for path in _files(choice) if path.exists()))


def _files(choice: Choice) -> list[Path]:
    settings = datasets[choice.name].settings.values()
    return [Path(choice.settings[setting.name]) for setting in settings if setting.annotation is Path]


# A sweep opens its data sets in turn, many times. A cache with one entry too few would read each file every time, so it
# has more entries than any sweep has data sets.
@lru_cache(maxsize=128)
def _open(choice: Choice, modified: tuple[int, ...]) -> Dataset:
    dataset = datasets[choice.name](**choice.settings)
    assert isinstance(dataset, Dataset)
    return dataset


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
