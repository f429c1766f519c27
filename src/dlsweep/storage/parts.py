"""A part: one Parquet file of a table, whose name ends in the checksum of its bytes.

Parquet's own page checksums are on as well, for other readers; but they cover neither the headers nor the footer, where
a flipped bit can rename a column unnoticed. The checksum in the name covers everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from zlib import crc32

import pyarrow as pa
import pyarrow.parquet as pq

from dlsweep import files
from dlsweep.config.runs import Run
from dlsweep.errors import ResultsDamaged, Unreadable

_NAME = re.compile(r"(?P<stem>[0-9a-f]{16})-(?P<checksum>[0-9a-f]{8})\.parquet")


class Damaged(Exception):
    """A part whose bytes are not those that were written, or never were a table."""


def stem(runs: Sequence[Run]) -> str:
    """What the parts of a chunk are called in every table: the same for the same runs."""
    return blake2b("".join(run.id for run in runs).encode(), digest_size=8).hexdigest()


def name(stem: str, content: bytes) -> str:
    """The file name of a part."""
    return f"{stem}-{crc32(content):08x}.parquet"


def encode(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue())


def decode(path: Path, schema: pa.Schema) -> pa.Table:
    """A part's table: `Damaged` if a bit of it changed, `ResultsDamaged` if it is not a part of this sweep."""
    with _opened(path, schema) as file:
        return file.read(use_threads=False).replace_schema_metadata()


def check(path: Path, schema: pa.Schema) -> None:
    """`decode` without the cost of unpacking the rows."""
    with _opened(path, schema):
        pass


@contextmanager
def _opened(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetFile]:
    try:
        file = pq.ParquetFile(pa.BufferReader(_checked(path)), page_checksum_verification=True)
        if not file.schema_arrow.equals(schema):
            raise ResultsDamaged(f"{path} has other columns than this sweep's table; move it elsewhere")
        if "" not in (ours := _sweep(schema), theirs := _sweep(file.schema_arrow)) and ours != theirs:
            raise ResultsDamaged(f"{path} belongs to another sweep than sweep.json, which may have been copied there")
        yield file
    except MemoryError as error:
        raise Unreadable(f"cannot read {path}: not enough memory; nothing was changed") from error
    except (pa.ArrowException, OSError) as error:  # whoever gave it its name has written something else into it
        raise Damaged(f"{path} is damaged: it cannot be read as Parquet") from error


def sweep(path: Path) -> str:
    """Return the sweep that a part belongs to; "" where it does not say. Raise `Damaged` as `decode` does."""
    try:
        return _sweep(pq.read_schema(pa.BufferReader(_checked(path))))
    except (pa.ArrowException, OSError) as error:
        raise Damaged(f"{path} is damaged: it cannot be read as Parquet") from error


def _sweep(schema: pa.Schema) -> str:
    metadata: dict[bytes, bytes] = schema.metadata or {}
    return metadata.get(b"sweep", b"").decode("ascii", "replace")


def _checked(path: Path) -> bytes:
    try:
        content = files.read(path)
    except FileNotFoundError:
        raise Unreadable(f"cannot read {path}: it was there a moment ago; nothing was changed") from None
    if path.name != name(path.name[:16], content):
        raise Damaged(f"{path} is damaged: it is not as it was written")
    return content


def listing(folder: Path, names: re.Pattern[str] = _NAME) -> dict[str, Path]:
    """The parts in a table's folder, or other files that are named so, by stem.

    Hidden files are not looked at; any other file is refused.
    """
    parts = {}
    for name in files.names(folder):
        if name.startswith("."):
            continue
        match = names.fullmatch(name)
        if not match:
            raise ResultsDamaged(f"{folder / name} is not a part of this sweep's results; move it elsewhere")
        parts[match["stem"]] = folder / name
    return parts
