"""The files of a chunk: a Parquet part of each table, and an `.npz` file with the weights of each run that keeps them.

    curves/0123456789abcdef-01234567.parquet     stem of the chunk, checksum of the file
    weights/0123456789abcdef.npz                 id of the run, whose row in runs/ has the checksum

The checksum covers every byte. Parquet's page checksums, which are on for other readers, cover neither the headers nor
the footer, where a flipped bit can rename a column unnoticed.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from typing import ParamSpec, TypeVar
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dlsweep.config.runs import Run
from dlsweep.errors import ResultsDamaged, Unreadable
from dlsweep.storage import changes
from dlsweep.storage.folder import Folder
from dlsweep.storage.tables import TABLES
from dlsweep.text import identifier
from dlsweep.training.result import named
from dlsweep.types import Array

P = ParamSpec("P")
T = TypeVar("T")

WEIGHTS = "weights"
STATE = "state"  # first word in the names of arrays that a file of weights has besides the parameters
FOLDERS = (WEIGHTS, *TABLES)  # in the order of a commit

# In the metadata of a part: the id of its sweep; in runs/ the machine that trained it, and the stems that it replaces.
SWEEP, MADE_BY, REPLACES = b"sweep", b"made_by", b"replaces"
_ATTEMPTS = 10  # to read parts while another process unites them

_NAME = re.compile(r"weights/[0-9a-f]{16}\.npz|(?!weights/)\w+/[0-9a-f]{16}-[0-9a-f]{8}\.parquet")


class Damaged(ResultsDamaged):
    """A file of a chunk is missing, was changed since it was written, or never was a table.

    fault: a sentence on the file. The message adds a way to go on.
    """

    def __init__(self, folder: Folder, name: str, fault: str):
        self.fault = f"{folder}/{name} {fault}"
        runs = "its run" if name.startswith(WEIGHTS) else "its runs"
        super().__init__(f"{self.fault}; `dlsweep run` sets it aside and trains {runs} again")


class Gone(Unreadable):
    """A listed file that is not there any more: another process has united it with others, or has deleted it."""


def steadily(read: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function that lists parts and reads them. If one of them is gone, it is called again."""

    @wraps(read)
    def again(*arguments: P.args, **options: P.kwargs) -> T:
        for _ in range(_ATTEMPTS):
            with suppress(Gone):
                return read(*arguments, **options)
        return read(*arguments, **options)

    return again


def stem(runs: Sequence[Run]) -> str:
    """Return the name that the parts of a chunk share: the same for the same runs."""
    return joint_name(run.id for run in runs)


def joint_name(runs: Iterable[str]) -> str:
    """Return the stem of runs with these ids."""
    return identifier("".join(runs))


def part_name(table: str, stem: str, content: bytes) -> str:
    """Return the file name of a part."""
    return f"{table}/{stem}-{crc32(content):08x}.parquet"


def weights_name(run: str) -> str:
    """Return the file name of a run's weights."""
    return f"{WEIGHTS}/{run}.npz"


def key(name: str) -> str:
    """Return the stem in the name of a part, or the run's id in the name of weights."""
    return name.rpartition("/")[2][:16]


def listing(folder: Folder, inside: str) -> dict[str, str]:
    """Return the names of a table's parts, or of all weights, by key. Raise `ResultsDamaged` for any other file."""
    names = folder.list(inside)
    for name in names:
        if not _NAME.fullmatch(name):
            raise ResultsDamaged(f"{folder}/{name} is not a part of this sweep's results; move it elsewhere")
    return {key(name): name for name in names}


def steady_listing(folder: Folder) -> dict[str, str]:
    """Return what `listing` returns for runs/, while another process may unite parts.

    To list a folder takes a while: the listing may miss the united part, and the parts that it replaces as well. Two
    equal listings in a row have missed none.
    """
    now = listing(folder, "runs")
    for _ in range(_ATTEMPTS):
        before, now = now, listing(folder, "runs")
        if now == before:
            break
    return now


def encode_tables(rows: Mapping[str, pa.Table]) -> dict[str, bytes]:
    """Return the parts of a chunk, by file name. rows: those of each table."""
    stem = joint_name(map(str, rows["runs"]["run_id"].to_pylist()))
    encoded = {table: encode_table(own) for table, own in rows.items()}
    return {part_name(table, stem, content): content for table, content in encoded.items()}


def encode_table(table: pa.Table) -> bytes:
    """Return a table as the bytes of a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue())


def encode_weights(parameters: Mapping[str, Array], state: Mapping[str, Array] | None = None) -> bytes:
    """Return parameters as the bytes of an `.npz` file: the same bytes for the same numbers.

    state: further arrays, which a longer training goes on from.
    """
    content = io.BytesIO()
    further = {f"{STATE}/{name}": array for name, array in (state or {}).items()}
    np.savez(content, **parameters, **further)  # type: ignore[arg-type]  # a name could be one of its own settings
    return content.getvalue()


def read_table(
    folder: Folder, name: str, schema: pa.Schema, most: int = sys.maxsize, columns: Collection[str] | None = None
) -> pa.Table:
    """Return a part's table, or some of its columns. Raise `ResultsDamaged` if it is not a part of this sweep.

    Raise `Damaged` if a bit changed, or if the part has more than `most` rows. A part that is older than
    an arm of the sweep may lack the columns of this arm: they are null. Columns of a removed arm are left out.
    """
    wanted = schema if columns is None else pa.schema([field for field in schema if field.name in columns])
    with _opened(folder, name, schema) as file:
        if (count := file.metadata.num_rows) > most:
            raise Damaged(folder, name, f"is damaged: it has {count:,} rows, and its runs have at most {most:,}")
        table = file.read(None if columns is None else wanted.names, use_threads=False)
        own = table.schema.metadata or {}
        table = table.replace_schema_metadata({key: own[key] for key in (MADE_BY, REPLACES) if key in own} or None)
    return changes.with_columns(table, wanted)


def stored(folder: Folder, name: str) -> pa.Table:
    """Return a part's table with the columns and the metadata that were written. Raise `Damaged` as `read_table`."""
    with _opened(folder, name, None) as file:
        return file.read(use_threads=False)


def noted(rows: pa.Table, key: bytes, text: str) -> pa.Table:
    """Return rows with a text in their metadata."""
    return rows.replace_schema_metadata({**(rows.schema.metadata or {}), key: text.encode()})


def note(schema: pa.Schema, key: bytes) -> str:
    """Return a text in the metadata of a part; "" if it has none."""
    metadata: dict[bytes, bytes] = schema.metadata or {}
    return metadata.get(key, b"").decode("utf-8", "replace")


def replaced(rows: pa.Table) -> list[str]:
    """Return the stems of the parts that a part of runs/ replaces; most replace none."""
    return note(rows.schema, REPLACES).split()


def read_weights(folder: Folder, name: str, checksum: int) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the parameters in a file, and the state of training. Raise `Damaged` if it has another checksum."""
    arrays = dict(np.load(io.BytesIO(checked(folder, name, checksum)), allow_pickle=False))
    return {name: w for name, w in arrays.items() if not name.startswith(f"{STATE}/")}, named(STATE, arrays)


def checksums(rows: pa.Table) -> dict[str, int]:
    """Return the checksums of the weights that rows of runs/ have, by run."""
    if "kept_checksum" not in rows.column_names:
        return {}
    found = zip(rows["run_id"].to_pylist(), rows["kept_checksum"].to_pylist(), strict=True)
    return {run: checksum for run, checksum in found if checksum is not None}


def sweep(folder: Folder, name: str) -> str:
    """Return the id of the sweep that a part belongs to; "" if it has none. Raise `Damaged` as `read_table` does."""
    with _opened(folder, name, None) as file:
        return note(file.schema_arrow, SWEEP)


@contextmanager
def _opened(folder: Folder, name: str, schema: pa.Schema | None) -> Iterator[pq.ParquetFile]:
    content = checked(folder, name, int(name[-16:-8], 16))
    try:
        file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        own = file.schema_arrow
        if schema is not None and not changes.fits(own, schema):
            raise ResultsDamaged(f"{folder}/{name} has other columns than this sweep's table; move it elsewhere")
        sweeps = {note(one, SWEEP) for one in (schema, own) if one is not None}
        if len(sweeps - {""}) > 1:
            raise ResultsDamaged(
                f"{folder}/{name} belongs to another sweep than sweep.json, which may have been copied there"
            )
        yield file
    except MemoryError as error:
        raise Unreadable(f"cannot read {folder}/{name}: not enough memory; nothing was changed") from error
    except (pa.ArrowException, OSError) as error:  # the checksum is right: another program wrote this file
        raise Damaged(folder, name, "is damaged: it cannot be read as Parquet") from error


def checked(folder: Folder, name: str, checksum: int) -> bytes:
    """Return the content of a file. Raise `Damaged` if it does not have this checksum."""
    try:
        content = folder.get(name)
    except FileNotFoundError:
        raise Gone(f"cannot read {folder}/{name}: it was there a moment ago; nothing was changed") from None
    if crc32(content) != checksum:
        raise Damaged(folder, name, "is damaged: it is not as it was written")
    return content
