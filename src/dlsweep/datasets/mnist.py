"""MNIST, whose four files come with the package."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge

from dlsweep.datasets.base import Dataset, Whole, datasets
from dlsweep.datasets.idx import read_four, read_idx
from dlsweep.datasets.subset import Subset
from dlsweep.errors import DataError
from dlsweep.registry import Count

# Shape, and SHA-256 of the uncompressed IDX file as published (a test holds the bundled files to it).
_FILES = {
    "train-images-idx3-ubyte": (
        (60_000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train-labels-idx1-ubyte": (
        (60_000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "t10k-images-idx3-ubyte": (
        (10_000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "t10k-labels-idx1-ubyte": (
        (10_000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}
_FOLDER = files("dlsweep.datasets") / "mnist"
_CONTENT = blake2b("".join(digest for _, digest in _FILES.values()).encode(), digest_size=16).hexdigest()


@datasets.register
def mnist(
    *,
    train: Count | None = None,
    validation: Annotated[int, Ge(0)] = 0,
    test: Count | None = None,
    standardize: bool = False,
) -> Dataset:
    """MNIST: 28 × 28 grey images of handwritten digits, 60 000 to train on and 10 000 to test (LeCun et al. 1998).

    train: number of training samples, drawn for each seed; validation: number of samples taken out of the training
    images; test: number of test samples. By default all are used. Raise a `DataError` if a number is too large.
    standardize: each channel minus its mean, divided by its standard deviation, both over the training samples;
    otherwise pixels are scaled by 1/255. Sizes are known without decoding; images are uint8 `(N, 1, 28, 28)`.

    >>> data = mnist(train=1000, validation=500)
    >>> data.shape, data.classes, data.sizes
    ((1, 28, 28), 10, {'train': 1000, 'validation': 500, 'test': 10000})
    """
    subset = Subset("mnist", 60_000, 10_000, train, validation, test, standardize)
    return Dataset(
        fingerprint=subset.fingerprint(_CONTENT),
        shape=(1, 28, 28),
        classes=10,
        sizes=subset.sizes,
        read=lambda: subset.arrays(*_decoded(), scale=1 / 255),
        credit="LeCun, Cortes and Burges; CC BY-SA 3.0",
        folder=Path(str(_FOLDER)),
    )


@cache
def _decoded() -> Whole:
    """Decode the four files, once for each process (0.2 s)."""
    return read_four(_file)


def _file(name: str) -> np.ndarray:
    """Read a bundled file. Raise a `DataError` if it is missing or has another content: the installation is damaged."""
    path = _FOLDER / f"{name}.gz"
    try:
        array = read_idx(path.read_bytes(), str(path))
    except OSError as error:
        raise DataError(f"{path}, a part of dlsweep, cannot be read: {error.strerror}; install dlsweep again") from None
    if array.shape != _FILES[name][0]:
        raise DataError(f"{path} is not the file that came with dlsweep; install dlsweep again")
    return array
