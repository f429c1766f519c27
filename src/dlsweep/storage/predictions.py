"""The table predictions/: the class that each run's final network gives each test image, in the order of the data.

A row has the classes of all images in one value: one byte for each image up to 256 classes, else two or four bytes,
the lowest first. Runs that diverged or failed have no row.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlsweep.datasets.base import Dataset
from dlsweep.errors import UsageError
from dlsweep.text import nearest
from dlsweep.training.result import PREDICTED, class_type
from dlsweep.types import Array


def fault(rows: pa.Table, ended: pa.Table) -> str:
    """Return the reason why rows are not a class of every image for each run that ended well; "" if there is none."""
    if sorted(map(str, rows["run_id"].cast(pa.string()).to_pylist())) != sorted(ended["run_id"].to_pylist()):
        return "its rows are not those of the runs that ended well"
    if not len(rows):
        return ""
    counts, sizes = set(ended["classes"].to_pylist()), set(pc.binary_length(rows["predicted"]).to_pylist())
    if set(rows["split"].unique().to_pylist()) != {PREDICTED} or len(counts) > 1 or None in counts:
        return "its rows are of another split, or of an unknown number of classes"
    (classes,), size = counts, max(sizes - {None}, default=0)
    if sizes != {size} or not size or size % class_type(classes).itemsize:
        return "it has not one class for each image"
    return "" if decoded(rows, classes).max() < classes else "it has a class that the data does not have"


def true_classes(data: Dataset, split: str) -> Array:
    """Return the labels of a split, `(N,)`. Raise a `UsageError` if it has none."""
    if not data.sizes.get(split):
        raise UsageError(f"there are no {split} samples{nearest(split, [name for name, n in data.sizes.items() if n])}")
    return np.asarray(getattr(data.arrays, f"t_{split}"))


def decoded(rows: pa.Table, classes: int) -> Array:
    """Return the predictions in rows of one data set, `(runs, images)`."""
    whole = b"".join(rows["predicted"].to_pylist())
    return np.frombuffer(whole, class_type(classes)).reshape(len(rows), -1)
