"""Labels of the user: whole numbers, one-hot rows, names and truth values become the classes 0 … K-1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

# Labels up to this are class numbers, if most of the numbers in between are used. Beyond, a number is a name (a year).
MAX_CLASSES = 100_000
MAX_WHOLE = 2.0**53  # larger floats are not whole numbers


def listed(items: Iterable[object], most: int = 10) -> str:
    """Join items with commas; of many, the first ones."""
    words = [str(item) for item in items]
    return ", ".join(words[:most]) + ", …" * (len(words) > most)


class Labels(NamedTuple):
    """Labels `(N,)` int64 for training and testing; names: of the classes, () if they have none; notes: sentences."""

    train: np.ndarray
    test: np.ndarray
    classes: int
    names: tuple[str, ...]
    notes: list[str]


def problems(name: str, t: np.ndarray, samples: str, count: int) -> Iterator[str]:
    """Yield the reasons why an array cannot hold the labels of `count` samples."""
    if t.ndim != 1 and not _is_column(t) and not _is_one_hot(t):
        yield f"{name} must be (N,), one label for each sample, found the shape {t.shape}{_remedy(name, t, count)}"
    elif len(t) != count:
        yield f"{name} has {len(t):,} labels for the {count:,} samples of {samples}; each sample needs one label"
    if t.dtype.kind not in "biufSU":
        yield f"{name} must hold whole numbers or names, found {t.dtype}; {name}.astype(str) makes names of its values"
    elif t.dtype.kind == "f" and not np.isfinite(t).all():
        yield f"{name} has labels that are no numbers; keep = numpy.isfinite({name}) selects the other samples"
    elif t.dtype.kind == "f" and (odd := t[(np.floor(t) != t) | (np.abs(t.astype(np.float64)) > MAX_WHOLE)]).size:
        yield f"{name} must hold whole numbers or names, found {odd[0]}; a class is no quantity"


def _remedy(name: str, t: np.ndarray, count: int) -> str:
    if t.size == count:
        return f"; {name}.ravel() is one"
    if t.ndim != 2 or t.dtype.kind not in "biuf":
        return ""
    if t.dtype.kind == "f" and np.allclose(t.sum(axis=1, dtype=np.float64), 1):
        return f"; numpy.argmax({name}, axis=1) makes labels of rows of probabilities"
    return "; its rows are not one-hot, and a sample has one label only"


def _is_column(t: np.ndarray) -> bool:
    return t.ndim == 2 and t.shape[1] == 1


def _is_one_hot(t: np.ndarray) -> bool:
    if t.ndim != 2 or t.shape[1] < 2 or t.dtype.kind not in "biuf":
        return False
    return bool(((t == 0) | (t == 1)).all() and (t.sum(axis=1, dtype=np.float64) == 1).all())


def understand(names: Sequence[str], t: np.ndarray, t_test: np.ndarray, class_names: Sequence[str]) -> Labels:
    """Return labels without problems as classes. names: of both arrays; class_names: () if the user gives none."""
    notes = []
    if form := _form(t) or _form(t_test):
        told = [name for name in dict.fromkeys(names) if name != f"the test part of {names[0]}"]
        notes.append(f"labels in {' and '.join(told)} are {form}")
    whole = np.concatenate([plain(t), plain(t_test)])
    found, inverse = np.unique(whole, return_inverse=True)
    inverse = inverse.reshape(-1)  # NumPy 2.0 gives another shape
    if found.dtype.kind == "U" or _is_boolean(t) or _are_names(found):
        if class_names and len(class_names) != len(found):
            notes.append(f"class_names has {len(class_names)} names for {len(found)} classes, and is not used")
        elif class_names:
            notes.append("class_names is not used, because the labels are names already")
        class_names = [str(bool(label)) if _is_boolean(t) else str(label) for label in found]
        notes.append("the classes are " + listed([f"{i} = {name}" for i, name in enumerate(class_names)]))
        whole, classes = inverse, len(found)
    else:
        classes = int(found[-1]) + 1
        if unused := sorted(set(range(classes)) - set(found.tolist())):
            start = f"; subtract {found[0]} from all labels" if len(found) == classes - found[0] else ""
            renumber = (
                start or "; numpy.unique(t, return_inverse=True)[1], with all labels in t, numbers the others anew"
            )
            notes.append(f"no sample has the label {listed(unused)}, and a network gets an output for it{renumber}")
        if class_names and len(class_names) != classes:
            notes.append(f"class_names has {len(class_names)} names for {classes} classes, and is not used")
            class_names = ()
    train, test = whole[: len(t)].astype(np.int64), whole[len(t) :].astype(np.int64)
    if unseen := np.setdiff1d(test, train).tolist():
        shown = [class_names[label] if class_names else label for label in unseen]
        notes.append(f"{names[-1]} has classes that {names[0]} never shows: {listed(shown)}")
    return Labels(train, test, classes, tuple(class_names), notes)


def _form(t: np.ndarray) -> str:
    """Return words for the form of labels; "" for whole numbers `(N,)`, and for names, which a note lists anyway."""
    if _is_column(t):
        return "a column (N, 1)"
    if _is_one_hot(t):
        return "one-hot rows, and the position of the 1 is the class"
    return "whole numbers as floating point" if t.dtype.kind == "f" else ""


def _is_boolean(t: np.ndarray) -> bool:
    return t.dtype.kind == "b" and not _is_one_hot(t)


def plain(t: np.ndarray) -> np.ndarray:
    """Return labels as `(N,)`, int64 or text; numbers that only uint64 holds as Python's."""
    t = t.argmax(axis=1) if _is_one_hot(t) else t.reshape(-1)
    if t.dtype.kind == "S":
        return np.char.decode(t, "utf-8", "replace")
    if t.dtype == np.uint64 and t.size and t.max() > np.iinfo(np.int64).max:
        return t.astype(object)
    return t if t.dtype.kind == "U" else t.astype(np.int64)


def _are_names(found: np.ndarray) -> bool:
    """Tell if numbers are names: one is negative or very large, or most of the numbers up to the largest are unused."""
    return bool(found[0] < 0 or found[-1] >= MAX_CLASSES or 2 * len(found) < found[-1] + 1)
