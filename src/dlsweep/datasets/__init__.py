"""Data sets by name: each registered function takes its settings and returns a `Dataset`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dlsweep.datasets import mnist as _mnist  # noqa: F401  registers itself, as does the next
from dlsweep.datasets import npz as _npz  # noqa: F401
from dlsweep.datasets.base import Arrays, Dataset, datasets

if TYPE_CHECKING:
    from dlsweep.config.runs import Choice

__all__ = ["Arrays", "Dataset", "datasets", "open_dataset"]


def open_dataset(choice: Choice) -> Dataset:
    """The data set of that name with those settings; the same object each time, while its file is unchanged.

    A `DataError` tells what is wrong with a file, or which size asks for more than there is.
    """
    entry = datasets[choice.name]
    paths = (Path(choice.settings[name]) for name, setting in entry.settings.items() if setting.annotation is Path)
    return _open(choice, tuple(path.stat().st_mtime_ns for path in paths if path.exists()))


@lru_cache(maxsize=8)
def _open(choice: Choice, modified: tuple[int, ...]) -> Dataset:
    dataset = datasets[choice.name](**choice.settings)
    assert isinstance(dataset, Dataset)
    return dataset
