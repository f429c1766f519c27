"""List of `dlsweep data`: the data sets that need only a name, and their folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dlsweep.datasets import Dataset, datasets
from dlsweep.errors import UnknownName, UsageError
from dlsweep.text import nearest, size


@dataclass(frozen=True)
class Item:
    """Data set in the list.

    train, test: numbers of its samples; state: bundled, in the cache, or to be fetched; credit: authors and licence.
    """

    name: str
    train: int
    test: int
    shape: tuple[int, ...]
    classes: int
    state: str
    credit: str


def items() -> list[Item]:
    """Return all data sets that have samples and need no file of the user."""
    return [_item(name, data) for name, data in _named().items()]


def _item(name: str, data: Dataset) -> Item:
    return Item(name, data.sizes["train"], data.sizes["test"], data.shape, data.classes, _state(data), data.credit)


def _state(data: Dataset) -> str:
    if data.source is None:
        return "bundled"
    if data.source.here:
        return "in the cache"
    return f"to be fetched, {size(sum(file.size for file in data.source.files))}"


def folder_of(name: str) -> Path:
    """Return the folder for the files of a data set, which may not exist yet."""
    data = dataset_of(name)
    folder = data.source.folder if data.source else data.folder
    if folder is None:
        raise UsageError(f"{name} has no folder of its own")
    return folder


def dataset_of(name: str) -> Dataset:
    """Return a data set with its default settings."""
    named = _named()
    if name not in named:
        raise UnknownName(f"there is no data set {name!r} to be fetched{nearest(name, named)}")
    return named[name]


def _named() -> dict[str, Dataset]:
    entries = (datasets[name] for name in datasets)
    opened = {e.name: e() for e in entries if not any(setting.required for setting in e.settings.values())}
    return {name: data for name, data in opened.items() if data.sizes["train"]}
