"""Data sets that need only a name, for `dlsweep data`."""

from __future__ import annotations

from dlsweep.datasets import Dataset, datasets
from dlsweep.datasets.published import Published
from dlsweep.errors import UnknownName, UsageError
from dlsweep.text import nearest


def named() -> dict[str, Dataset]:
    """Return all data sets that have samples and need no file of the user, with their default settings."""
    entries = (datasets[name] for name in datasets)
    opened = {e.name: e() for e in entries if not any(setting.required for setting in e.settings.values())}
    return {name: data for name, data in opened.items() if data.sizes["train"]}


def published(name: str) -> Published:
    """Return a published data set. Raise a `UsageError` for another name, and for a data set without files."""
    found = named()
    if name not in found:
        raise UnknownName(f"there is no data set {name!r} to be fetched{nearest(name, found)}")
    source = found[name].source
    if source is None:
        raise UsageError(f"{name} has no folder of its own")
    return source
