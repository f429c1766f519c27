"""Data of the user, from arrays or columns to a data set, with notes on their meaning."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Le

from dlsweep import machine
from dlsweep.datasets import features, labels
from dlsweep.datasets.base import Arrays, Dataset, Subset
from dlsweep.datasets.division import Division
from dlsweep.errors import DataError
from dlsweep.marks import Added, Spells
from dlsweep.randomness import stream
from dlsweep.text import plural


class _CountOrShare:
    """In an annotation: a whole number of at least 1, or a number between 0 and 1."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_wrap_validator_function(self.check, handler(source))

    @staticmethod
    def check(given: Any, validate: Any) -> float:
        with suppress(ValueError):
            value: float = validate(given)
            if (isinstance(value, int) and value >= 1) or 0 < value < 1:
                return value
        raise ValueError("a number of samples such as 500, or a share below 1 such as 0.2")


CountOrShare = Annotated[int | float, _CountOrShare()]
Split = Annotated[Literal["seed 0", "seed"] | None, Added("0.1")]
Folds = Annotated[Annotated[int, Ge(2), Le(1000)] | None, Spells("test"), Added("0.1")]


class Part(NamedTuple):
    """Samples and their labels, with the names that the user gave them."""

    x_name: str
    t_name: str
    x: np.ndarray
    t: np.ndarray


class Wanted(NamedTuple):
    """Settings of a data set of the user.

    test: a number of samples, or a share of a file without a test part; split: "seed" if each seed draws its own; or
    folds: their number.
    """

    train: int | None = None
    validation: int = 0
    test: int | float | None = None
    standardize: bool = False
    channels: features.Channels | None = None
    split: Split = None
    folds: Folds = None

    @property
    def by_seed(self) -> bool:
        """True if each seed has its own split."""
        return self.split == "seed" or self.folds is not None


def dataset(
    path: Path, train: Part, test: Part | None, wanted: Wanted, class_names: Sequence[str], notes: Sequence[str]
) -> Dataset:
    """Return the data set in a file. Raise a `DataError` with every problem, one sentence for each.

    test: None for a file without a test part; notes: on the reading of the file.
    """
    refuse(path, [*_problems(train, test, wanted)])
    found = [*notes]
    if train.x.dtype.kind == "b":
        found.append(f"truth values in {train.x_name} are 0 and 1")
    if wanted.by_seed:
        test = train._replace(x=train.x[:0], t=train.t[:0])
    elif test is None:
        train, test = _divided(train, wanted.test)
        wanted = wanted._replace(test=None)
        total = len(train.x) + len(test.x)
        found.append(f"{plural(len(test.x), 'sample')} of {total:,}, drawn by seed 0, are for testing")
    if (train.t == train.t[:1]).all():
        only = f", {train.t[0]}" if train.t.ndim == 1 else ""
        refuse(path, [f"{train.t_name} has one class only{only}; a network needs two to tell apart"])
    found += features.axis_notes(train.x_name, train.x, wanted.channels)
    x, x_test = (features.converted(part.x, wanted.channels) for part in (train, test))
    understood = labels.understand((train.t_name, test.t_name), train.t, test.t, class_names)
    t, t_test, names = understood.train, understood.test, (train.x_name, test.x_name)
    found += [*understood.notes, *features.notes(names, x, x_test if len(x_test) else x, wanted.standardize)]
    arrays, division = (x, t, x_test, t_test), None
    content, totals = _digest(*arrays), (len(x), len(x_test))
    if wanted.by_seed:
        division = Division(t, _count(wanted.test, len(x)), wanted.folds or 0, wanted.validation)
        found.append(_drawing(division))
        content = f"{_digest(x, t)} {f'{wanted.folds} folds' if wanted.folds else 'split by seed'}"
        totals, wanted = (len(x) - division.largest, division.largest), wanted._replace(test=None)
    assert not isinstance(wanted.test, float)
    subset = Subset(str(path), *totals, wanted.train, wanted.validation, wanted.test, wanted.standardize)
    scale = 1 / 255 if x.dtype == np.uint8 else 1.0
    for array in arrays:
        array.flags.writeable = False  # sweeps share them
    return Dataset(
        fingerprint=subset.fingerprint(content),
        shape=x.shape[1:],
        classes=understood.classes,
        names=understood.names,
        sizes=subset.sizes,
        read=lambda: (
            Arrays(*arrays, x_test, t_test, scale, wanted.standardize) if division else subset.arrays(*arrays, scale)
        ),
        notes=tuple(f"{path}: {note}" for note in found),
        division=division,
    )


def _drawing(division: Division) -> str:
    """Return a sentence on how seeds draw their test samples."""
    whole = f"{len(division.labels):,}"
    if division.folds:
        return (
            f"each seed tests one of {division.folds} folds of {whole} samples, stratified by class; a round of "
            f"{division.folds} seeds tests each sample once"
        )
    return f"{plural(division.test, 'sample')} of {whole}, drawn by each seed and stratified by class, are for testing"


def unreadable(path: Path, error: Exception) -> DataError:
    """Return an error about a file that is missing or cannot be read."""
    told = str(error).removeprefix(f"cannot read {path}: ").partition(";")[0]
    return DataError(f"{path} cannot be read: {getattr(error.__cause__ or error, 'strerror', None) or told}")


def memory() -> int:
    """Return the bytes of memory for data: those of the machine or its container, or what `ulimit -v` still allows."""
    limits = [machine.memory()]
    with suppress(ImportError, OSError, ValueError):
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            page = os.sysconf("SC_PAGE_SIZE")
            limits.append(limit - page * int(Path("/proc/self/statm").read_text().split()[0]))
    return min(limits)


def refuse(path: Path, problems: Sequence[str]) -> None:
    """Raise a `DataError` if a file has problems."""
    if problems:
        raise DataError("\n".join(f"{path}: {problem}" for problem in problems))


def _problems(train: Part, test: Part | None, wanted: Wanted) -> Iterator[str]:
    count = len(train.x) if train.x.ndim else 0
    if wanted.folds and wanted.split:
        yield f"split: {wanted.split} has no effect with folds, which draw by seed; take split out"
    if test is not None and wanted.by_seed:
        word = f"folds: {wanted.folds}" if wanted.folds else "split: seed"
        yield f"{word} draws test samples by seed, and the file has its own, {test.x_name}; take the setting out"
    elif wanted.folds:
        if wanted.folds > count > 0:
            yield f"folds: {wanted.folds} of its {plural(count, 'sample')} leaves folds without any"
    elif test is None and wanted.test is None:
        yield "it has no test samples; test: 0.2 sets a fifth of its samples aside"
    elif test is None and not 1 <= _count(wanted.test, count) < count:
        yield f"test: {wanted.test} of its {plural(count, 'sample')} leaves none to train on, or none to test"
    elif test is not None and isinstance(wanted.test, float):
        yield f"test: {wanted.test} is a share, for a file without a test part; with {test.x_name}, give a number"
    if test is not None:
        yield from features.pair_problems((train.x_name, test.x_name), train.x, test.x)
        if (train.t.dtype.kind in "SU") != (test.t.dtype.kind in "SU"):
            kinds = f"{train.t_name} are {train.t.dtype}, in {test.t_name} {test.t.dtype}"
            yield f"labels in {kinds}; both must be names, or both numbers"
    for part in (train, test) if test else (train,):
        yield from features.problems(part.x_name, part.x, wanted.channels)
        yield from labels.problems(part.t_name, part.t, part.x_name, len(part.x) if part.x.ndim else 0)


def _count(test: float | None, samples: int) -> int:
    """Return the number of test samples: a share is rounded."""
    return max(1, round(test * samples)) if isinstance(test, float) else test or 0


def _divided(whole: Part, test: float | None) -> tuple[Part, Part]:
    """Set test samples aside, drawn by seed 0; both parts keep the order of the file."""
    held_out = np.zeros(len(whole.x), bool)
    held_out[stream(0, "own/test").permutation(len(whole.x))[: _count(test, len(whole.x))]] = True
    names = f"the test part of {whole.x_name}", f"the test part of {whole.t_name}"
    return whole._replace(x=whole.x[~held_out], t=whole.t[~held_out]), Part(
        *names, whole.x[held_out], whole.t[held_out]
    )


def _digest(*arrays: np.ndarray) -> str:
    """Return a hash of the arrays' types, shapes and bytes, as hexadecimal digits."""
    content = blake2b(digest_size=16)
    for array in arrays:
        content.update(f"{array.dtype} {array.shape}".encode())
        content.update(array.data)
    return content.hexdigest()
