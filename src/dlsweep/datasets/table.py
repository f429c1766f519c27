"""Data of the user: a table in CSV or Parquet, with a column of labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from dlsweep import files
from dlsweep.datasets.base import MAX_BYTES, CountOrZero, Dataset, datasets
from dlsweep.datasets.labels import listed
from dlsweep.datasets.own import CountOrShare, Folds, Part, Split, Wanted, dataset, memory, refuse, unreadable
from dlsweep.errors import DataError, Unreadable
from dlsweep.registry import Count
from dlsweep.text import nearest, plural, size

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = b"PAR1"
DELIMITERS = ",;\t|"
_DECIMAL_COMMA = re.compile(r"[-+]?\d+(,\d+)?([eE][-+]?\d+)?")
_INSTEAD = "remove these rows, or write numbers in their place"


@datasets.register
def table(
    *,
    path: Path,
    label: str = "label",
    train: Count | None = None,
    validation: CountOrZero = 0,
    test: CountOrShare | None = 0.2,
    standardize: bool = False,
    split: Split = None,
    folds: Folds = None,
) -> Dataset:
    """Your own table, CSV or Parquet: a column of labels, and columns of numbers, the features.

    path: of the file. label: name of the column of labels, whole numbers or names. test: number or share of the rows
    that are set aside for testing; split: all runs share one, drawn by seed 0, or each seed draws its own (seed);
    folds: in place of test, of a cross-validation over the seeds. train, validation, standardize: as for `mnist`; each
    feature is a channel. Raise a `DataError` that lists every problem.

    >>> rows = ["width,height,kind", "1,2,cat", "2,1,dog", "1,3,cat", "3,1,dog", "2,3,cat"]
    >>> _ = Path("mine.csv").write_text("\\n".join(rows))
    >>> data = table(path=Path("mine.csv"), label="kind")
    >>> data.shape, data.names, data.sizes
    ((2,), ('cat', 'dog'), {'train': 4, 'validation': 0, 'test': 1})
    """
    path = Path(path)
    try:
        found = _load(path)
        refuse(path, [*_problems(found, label)])
        columns = [name for name in found.column_names if name != label]
        part = Part(
            "the table",
            f"column {label}",
            np.column_stack([_numbers(found[name]) for name in columns]),
            _labels(found[label]),
        )
    except UnicodeError:
        raise DataError(f"{path} has text that is not UTF-8; save it as UTF-8") from None
    notes = [f"features are {listed(columns)}; labels are {label}"]
    wanted = Wanted(train, validation, test, standardize, None, split, folds)
    return dataset(path, part, None, wanted, (), notes)


def _load(path: Path) -> pa.Table:
    """Read a file, Parquet or CSV, by its first bytes."""
    import pyarrow as pa

    try:
        with files.opened(path) as file:
            count = file.seek(0, 2)
            file.seek(0)
            if count > MAX_BYTES or 2 * count > memory():
                raise DataError(f"{path} has {size(count)}, more than there is memory for")
            begin = file.read(4)
            file.seek(0)
            if begin == b"\x93NUM":
                raise DataError(
                    f"{path} is a single NumPy array; numpy.savez(file, x_train=…, t_train=…) saves several"
                )
            if begin == b"PK\x03\x04":
                raise DataError(f"{path} is an .npz or other zip file; arrays are read by data: {{npz: {{path: …}}}}")
            return _parquet(file, path) if begin == PARQUET else _csv(file)
    except (FileNotFoundError, Unreadable) as error:
        raise unreadable(path, error) from None
    except pa.ArrowException as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path} cannot be read as CSV or Parquet: {reason}") from None


def _parquet(file: BinaryIO, path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    content = pq.ParquetFile(file, page_checksum_verification=True)
    values = content.metadata.num_rows * content.metadata.num_columns
    if 12 * values > min(MAX_BYTES, memory()):  # 8 bytes as read, 4 as a feature
        raise DataError(f"{path} has {values:,} values, more than there is memory for")
    return content.read()


def _csv(file: BinaryIO) -> pa.Table:
    from pyarrow import csv

    head = file.readline().decode("utf-8", "replace")
    file.seek(0)
    delimiter = max(DELIMITERS, key=head.count)
    return csv.read_csv(file, parse_options=csv.ParseOptions(delimiter=delimiter))


def _problems(found: pa.Table, label: str) -> Iterator[str]:
    """Yield the reasons why a table cannot be used."""
    names = found.column_names
    if double := {name for name in names if names.count(name) > 1}:
        yield f"several columns are called {listed(sorted(double))}; rename them"
        return
    if label not in names:
        yield f"label: there is no column {label!r}{nearest(label, names)}; the first line must name the columns"
        return
    if len(names) == 1:
        yield f"there is no column but {label}; features must be columns of numbers"
    if not len(found):
        yield "it has no rows"
    for name in names:
        if not name:
            yield "a column has no name; name it, or remove it (pandas writes its index so, without index=False)"
        elif empty := found[name].null_count + _blank(found[name]):
            yield f"column {name} has {plural(empty, 'empty value')}; {_INSTEAD}"
        elif name != label and not _is_numeric(found[name].type):
            yield f"column {name} holds {found[name].type}, no numbers; {_remedy(found[name])}"
        elif name != label and (odd := int((~np.isfinite(_numbers(found[name]))).sum())):
            yield f"column {name} has {plural(odd, 'value')} beyond float32 (NaN, infinite, too large); {_INSTEAD}"


def _remedy(column: Any) -> str:
    """Return what to do with a column of features that are no numbers."""
    texts = [str(value) for value in column.slice(0, 1000).to_pylist()]
    if texts and all(_DECIMAL_COMMA.fullmatch(text) for text in texts):
        return f"write {texts[0]} with a point (pandas.read_csv(…, decimal=',') reads decimal commas)"
    return "remove it, or make numbers of it (pandas.get_dummies)"


def _blank(column: Any) -> int:
    """Count the empty texts of a column."""
    import pyarrow.compute as compute
    import pyarrow.types as types

    text = types.is_string(column.type) or types.is_large_string(column.type)
    return compute.sum(compute.equal(column, "")).as_py() or 0 if text else 0


def _is_numeric(kind: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind))


def _numbers(column: Any) -> np.ndarray:
    with np.errstate(over="ignore"):  # infinite values are refused
        return np.asarray(column.to_numpy(), dtype=np.float64).astype(np.float32)


def _labels(column: Any) -> np.ndarray:
    """Return labels as an array: numbers, truth values or text."""
    import pyarrow.types as types

    kind = column.type
    if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
        return np.asarray(column.to_numpy())
    with suppress(Exception):
        column = column.cast("string")
    return np.array(column.to_pylist(), dtype=str)
