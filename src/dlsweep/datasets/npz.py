"""Data of the user: one NumPy archive with four arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np

from dlsweep.datasets.base import MAX_BYTES, CountOrZero, Dataset, datasets
from dlsweep.datasets.subset import Subset
from dlsweep.errors import DataError
from dlsweep.registry import Count

# A larger label is a mistake (a year, an identifier), and would give a network as many outputs.
MAX_CLASSES = 100_000

_NAMES = ("x_train", "t_train", "x_test", "t_test")


@datasets.register
def npz(
    *,
    path: Path,
    train: Count | None = None,
    validation: CountOrZero = 0,
    test: Count | None = None,
    standardize: bool = False,
) -> Dataset:
    """Your own data: an .npz file with x_train, t_train, x_test and t_test, as `numpy.savez` writes it.

    x: `(N, features)`, `(N, H, W)` or `(N, C, H, W)`; uint8 (the input is x/255) or floating point (the input is x, in
    float32). t: `(N,)` whole numbers, the classes 0 … K-1. train, validation, test, standardize: as for `mnist`; in
    samples `(features,)` each feature is a channel. Raise a `DataError` that lists every problem. Nothing is unpickled.

    >>> x, t = np.zeros((6, 4), np.float32), np.array([0, 1, 2, 0, 1, 2])
    >>> np.savez("mine.npz", x_train=x, t_train=t, x_test=x, t_test=t)
    >>> data = npz(path=Path("mine.npz"))
    >>> data.shape, data.classes, data.sizes
    ((4,), 3, {'train': 6, 'validation': 0, 'test': 6})
    """
    path = Path(path)
    arrays = _load(path)
    _check(path, arrays)
    x, x_test = _samples(arrays["x_train"]), _samples(arrays["x_test"])
    t, t_test = arrays["t_train"].astype(np.int64), arrays["t_test"].astype(np.int64)
    subset = Subset(str(path), len(x), len(x_test), train, validation, test, standardize)
    return Dataset(
        fingerprint=subset.fingerprint(_digest(x, t, x_test, t_test)),
        shape=x.shape[1:],
        classes=int(max(t.max(), t_test.max())) + 1,
        sizes=subset.sizes,
        read=lambda: subset.arrays(x, t, x_test, t_test, scale=1 / 255 if x.dtype == np.uint8 else 1.0),
        notes=_notes(path, t, t_test),
    )


def _load(path: Path) -> dict[str, np.ndarray]:
    """Read the four arrays of a file."""
    try:
        with zipfile.ZipFile(path) as archive:
            files = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            sizes = {info.filename.removesuffix(".npy"): info.file_size for info in files}
            held = ", ".join(sorted(sizes)) or "nothing"
            _refuse(path, [f"there is no array {name} in it; it holds {held}" for name in _NAMES if name not in sizes])
            large = [name for name in _NAMES if sizes[name] > MAX_BYTES]
            _refuse(path, [f"{name} unpacks to {sizes[name]:,} bytes, the limit is {MAX_BYTES:,}" for name in large])
            return {name: _array(path, archive, name) for name in _NAMES}
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, NotImplementedError, zipfile.BadZipFile):
        raise DataError(f"{path} is not an .npz file; numpy.savez writes one with {', '.join(_NAMES)}") from None


def _array(path: Path, archive: zipfile.ZipFile, name: str) -> np.ndarray:
    try:
        with archive.open(f"{name}.npy") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # in a damaged archive, zipfile, zlib and NumPy's header parser raise nearly anything
        raise DataError(f"{path}: {name} cannot be read as an array of numbers: {error}") from None


def _check(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Raise a `DataError` with every problem of the arrays, one sentence for each."""
    problems = list(_pair_problems(arrays["x_train"], arrays["x_test"]))
    for split in ("train", "test"):
        x, t = f"x_{split}", f"t_{split}"
        problems += _image_problems(x, arrays[x])
        problems += _label_problems(t, arrays[t], x, arrays[x])
    _refuse(path, problems)


def _refuse(path: Path, problems: list[str]) -> None:
    if problems:
        raise DataError("\n".join(f"{path}: {problem}" for problem in problems))


def _image_problems(name: str, x: np.ndarray) -> Iterator[str]:
    if not 2 <= x.ndim <= 4:
        yield f"{name} must be (N, features), (N, H, W) or (N, C, H, W), found the shape {x.shape}"
    if not x.size:
        yield f"{name} is empty, its shape is {x.shape}"
    if x.dtype.kind == "f":
        if not (np.abs(x) <= np.finfo(np.float32).max).all():
            yield f"{name} has values that are not finite numbers in float32 (NaN, infinite or too large)"
    elif x.dtype != np.uint8:
        yield f"{name} must be uint8 or floating point, found {x.dtype}"


def _label_problems(name: str, t: np.ndarray, images: str, x: np.ndarray) -> Iterator[str]:
    if t.ndim != 1:
        hint = f"; numpy.argmax({name}, axis=1) makes labels of one-hot rows" if t.ndim == 2 else ""
        yield f"{name} must be (N,), one label for each sample, found the shape {t.shape}{hint}"
    elif x.ndim and len(t) != len(x):
        yield f"{name} has {len(t):,} labels for the {len(x):,} samples of {images}"
    if t.dtype.kind not in "iu":
        yield f"{name} must hold whole numbers, found {t.dtype}"
    elif t.size and t.min() < 0:
        yield f"{name} must hold the classes 0 … K-1, found {t.min()}"
    elif t.size and t.max() >= MAX_CLASSES:
        yield f"{name} must hold the classes 0 … K-1 with K at most {MAX_CLASSES:,}, found {t.max()}"


def _pair_problems(x_train: np.ndarray, x_test: np.ndarray) -> Iterator[str]:
    if x_train.shape[1:] != x_test.shape[1:]:
        yield f"samples of x_test are {x_test.shape[1:]}, those of x_train {x_train.shape[1:]}; they must be the same"
    if (x_train.dtype == np.uint8) != (x_test.dtype == np.uint8):
        yield f"x_test is {x_test.dtype}, x_train {x_train.dtype}; both must be uint8 or both floating point"


def _notes(path: Path, t: np.ndarray, t_test: np.ndarray) -> tuple[str, ...]:
    unseen = [str(label) for label in np.setdiff1d(t_test, t)]
    classes = ", ".join(unseen[:10]) + ", …" * (len(unseen) > 10)
    return (f"{path}: t_test has classes that t_train never shows: {classes}",) if unseen else ()


def _samples(x: np.ndarray) -> np.ndarray:
    """Return uint8 or float32, contiguous in memory; `(N, H, W)` gets a channel axis."""
    x = np.ascontiguousarray(x, dtype=np.uint8 if x.dtype == np.uint8 else np.float32)
    return x[:, None] if x.ndim == 3 else x


def _digest(*arrays: np.ndarray) -> str:
    """Return a hash of the arrays' types, shapes and bytes, as hexadecimal digits."""
    content = blake2b(digest_size=16)
    for array in arrays:
        content.update(f"{array.dtype} {array.shape}".encode())
        content.update(array.data)
    return content.hexdigest()
