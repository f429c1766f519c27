"""Data of the user: a NumPy archive with arrays of samples and labels."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from dlsweep import files
from dlsweep.datasets import features, labels
from dlsweep.datasets.base import MAX_BYTES, CountOrZero, Dataset, datasets
from dlsweep.datasets.labels import listed
from dlsweep.datasets.own import CountOrShare, Folds, Part, Split, Wanted, dataset, memory, refuse, unreadable
from dlsweep.errors import DataError, Unreadable
from dlsweep.registry import Count
from dlsweep.text import size

# Names of the arrays, the usual one first. In a file without a test part, the first two may also be those of ALONE.
NAMES = {
    "x_train": ("x_train", "train_x", "train_images", "images_train"),
    "t_train": ("t_train", "y_train", "train_y", "train_t", "train_labels", "labels_train"),
    "x_test": ("x_test", "test_x", "test_images", "images_test"),
    "t_test": ("t_test", "y_test", "test_y", "test_t", "test_labels", "labels_test"),
}
ALONE = {"x_train": ("x", "data", "images", "features"), "t_train": ("t", "y", "target", "targets", "labels", "label")}
CLASS_NAMES = "class_names"
_SAVE = "numpy.savez writes one with x_train, t_train, x_test, t_test"
_HEADER = 10_000  # characters of an array's header, as in NumPy
_LARGEST = 2  # copies of an array in memory: as it was saved, and converted


@datasets.register
def npz(
    *,
    path: Path,
    train: Count | None = None,
    validation: CountOrZero = 0,
    test: CountOrShare | None = None,
    standardize: bool = False,
    channels: features.Channels | None = None,
    split: Split = None,
    folds: Folds = None,
) -> Dataset:
    """Your own data: an .npz file with x_train, t_train, x_test and t_test, as `numpy.savez` writes it.

    path: of the file. channels: axis of the channels of images, first or last. x: `(N, features)`, `(N, H, W)` or `(N,
    C, H, W)`, or `(N, H, W, C)` with channels: last; uint8 (the input is x/255), floating point (the input is x, in
    float32) or truth values. t: `(N,)` classes 0 … K-1 or names, or one-hot rows. Other names of arrays are understood,
    such as Keras' y_train; an array class_names names the classes. test: also a share, 0.2, of a file without test
    arrays; split: of this file all runs share one, drawn by seed 0, or each seed draws its own (seed); folds: in place
    of test, of a cross-validation over the seeds. train, validation, standardize: as for `mnist`; in samples
    `(features,)` each feature is a channel. Raise a `DataError` that lists every problem. Nothing is unpickled.

    >>> x, t = np.zeros((6, 4), np.float32), np.array([0, 1, 2, 0, 1, 2])
    >>> np.savez("mine.npz", x_train=x, t_train=t, x_test=x, t_test=t)
    >>> data = npz(path=Path("mine.npz"))
    >>> data.shape, data.classes, data.sizes
    ((4,), 3, {'train': 6, 'validation': 0, 'test': 6})
    """
    path = Path(path)
    found, arrays, notes = _load(path)
    first = Part(found["x_train"], found["t_train"], arrays["x_train"], arrays["t_train"])
    second = Part(found["x_test"], found["t_test"], arrays["x_test"], arrays["t_test"]) if "x_test" in found else None
    class_names = labels.plain(arrays[CLASS_NAMES]).tolist() if CLASS_NAMES in arrays else ()
    wanted = Wanted(train, validation, test, standardize, channels, split, folds)
    return dataset(path, first, second, wanted, class_names, notes)


def _load(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray], list[str]]:
    """Return the names that a file has for the arrays that are used, the arrays by their usual names, and notes."""
    try:
        with files.opened(path) as file, zipfile.ZipFile(file) as archive:
            if "[Content_Types].xml" in archive.namelist():
                raise DataError(
                    f"{path} is a document of an office program; save its table as CSV, for data: {{table: …}}"
                )
            held = [i.filename.removesuffix(".npy") for i in archive.infolist() if i.filename.endswith(".npy")]
            found, problems = _roles(held)
            refuse(path, problems)
            wanted = {**found, **{name: name for name in (CLASS_NAMES,) if name in held}}
            refuse(path, [*_size_problems(archive, [*wanted.values()])])
            arrays = {role: _array(path, archive, role, name) for role, name in wanted.items()}
            if CLASS_NAMES in arrays and arrays[CLASS_NAMES].dtype.kind not in "US":
                raise DataError(f"{path}: {CLASS_NAMES} must be text, found {arrays[CLASS_NAMES].dtype}")
    except (FileNotFoundError, Unreadable) as error:
        raise unreadable(path, error) from None
    except (ValueError, NotImplementedError, RuntimeError, zipfile.BadZipFile):
        raise DataError(f"{path} is not an .npz file, or is damaged; {_SAVE}") from None
    notes = [f"samples and labels are {listed(found.values())}"] * any(role != name for role, name in found.items())
    if unused := [name for name in held if "val" in name.lower() and name not in wanted.values()]:
        few = max(1, len(arrays["x_train"]) // 10) if arrays["x_train"].ndim else 1
        notes.append(f"{listed(unused)} not used; validation: {few} takes a tenth of {found['x_train']}")
    return found, arrays, notes


def _roles(held: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the name in the file for each array that is used, and the problems."""
    found: dict[str, str] = {}
    problems = []
    spelled = {name.lower(): name for name in held}
    for role, names in NAMES.items():
        here = [spelled[name] for name in names if name in spelled]
        if role in ALONE and not here:
            here = [spelled[name] for name in ALONE[role] if name in spelled]
        if len(here) > 1:
            problems.append(f"{' and '.join(here)} may both be {role}; save one of them")
        elif here:
            found[role] = here[0]
    needed = ["x_train", "t_train"] + ["x_test", "t_test"] * ("x_test" in found or "t_test" in found)
    for role in needed:
        if role not in found and not problems:
            there = listed(sorted(held), 20) or "nothing"
            problems.append(f"there is no array {role} in it; it holds {there}; {_SAVE}")
    return found, problems


def _size_problems(archive: zipfile.ZipFile, names: list[str]) -> Iterator[str]:
    """Yield the reasons why arrays do not fit into memory, by their headers and by the sizes in the archive."""
    sizes = {name: max(_stated(archive, name), archive.getinfo(f"{name}.npy").file_size) for name in names}
    for name, count in sizes.items():
        if count > MAX_BYTES:
            yield f"{name} unpacks to {count:,} bytes, the limit is {MAX_BYTES:,}; save fewer samples, or x as uint8"
    needed, there = _LARGEST * sum(sizes.values()), memory()
    if needed > there and max(sizes.values()) <= MAX_BYTES:
        yield f"it needs about {size(needed)} of memory, and there is {size(there)}; save fewer samples, or x as uint8"


def _stated(archive: zipfile.ZipFile, name: str) -> int:
    """Return the size of an array in bytes by its header; 0 if the header cannot be read."""
    try:
        with archive.open(f"{name}.npy") as file:
            shape, kind = _header(file)
            return int(np.prod(shape, dtype=object)) * kind.itemsize
    except Exception:  # in a damaged archive, zipfile, zlib and NumPy's header parser raise nearly anything
        return 0


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(file, max_header_size=_HEADER)
    return shape, kind


def _array(path: Path, archive: zipfile.ZipFile, role: str, name: str) -> np.ndarray:
    told = f"{path}: {name} cannot be read as an array of numbers"
    try:
        with archive.open(f"{name}.npy") as file:
            _, kind = _header(file)
        if not kind.hasobject:
            with archive.open(f"{name}.npy") as file:
                return np.lib.format.read_array(file, allow_pickle=False, max_header_size=_HEADER)
    except MemoryError:
        raise DataError(f"{told}: there is not enough memory for it") from None
    except Exception:  # as above
        raise DataError(f"{told}: it is damaged, or not written by NumPy; {_SAVE}") from None
    numbers = "numpy.float32" if role.startswith("x") else "str"
    raise DataError(f"{told}: it holds Python objects, which are never loaded; save {name}.astype({numbers})")
