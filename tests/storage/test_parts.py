"""A part is what was written, or it is found out (faults: cut short, a bit flipped, another schema)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlsweep.errors import ResultsDamaged
from dlsweep.storage import parts

TABLE = pa.table({"run_id": ["a", "b"], "loss": [0.5, float("nan")]})
STEM = "0123456789abcdef"


@pytest.fixture
def part(tmp_path: Path) -> Path:
    content = parts.encode(TABLE)
    path = tmp_path / parts.name(STEM, content)
    path.write_bytes(content)
    return path


def test_a_part_comes_back_as_it_was(part: Path) -> None:
    assert parts.listing(part.parent) == {STEM: part}
    table = parts.decode(part, TABLE.schema)
    assert parts.encode(table) == part.read_bytes()


def test_every_flipped_bit_is_found(part: Path) -> None:
    content = part.read_bytes()
    for position in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[position] ^= 1 << bit
            assert parts.name(STEM, bytes(flipped)) != part.name
    part.write_bytes(flipped)
    with pytest.raises(parts.Damaged, match="is damaged"):
        parts.decode(part, TABLE.schema)


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_part_cut_short_is_found(part: Path, kept: int) -> None:
    part.write_bytes(part.read_bytes()[:kept])
    with pytest.raises(parts.Damaged, match="is damaged"):
        parts.check(part, TABLE.schema)


def test_the_pages_have_checksums_for_other_readers(part: Path) -> None:
    content = bytearray(part.read_bytes())
    at = content.index(b"(\xb5/\xfd")  # the first Zstandard frame: the bytes of a page
    content[at + 12] ^= 1
    part.write_bytes(content)
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(part, page_checksum_verification=True)


@pytest.mark.parametrize("rewrite", [lambda content: b"PAR1 or not", lambda content: content[:20] + content[-500:]])
def test_a_part_with_the_right_checksum_that_is_not_parquet_is_found(
    part: Path, rewrite: Callable[[bytes], bytes]
) -> None:
    content = rewrite(part.read_bytes())
    other = part.with_name(parts.name(STEM, content))
    other.write_bytes(content)
    with pytest.raises(parts.Damaged, match=f"{other} is damaged: it cannot be read as Parquet"):
        parts.decode(other, TABLE.schema)


def test_a_part_of_another_table_is_refused(part: Path) -> None:
    other = pa.schema([("run_id", pa.string())])
    for read in (parts.decode, parts.check):
        with pytest.raises(ResultsDamaged, match="has other columns than this sweep's table; move it elsewhere"):
            read(part, other)


@pytest.mark.parametrize("name", ["data.parquet", "notes.txt", f"{STEM}.parquet", f"{STEM}-0123456g.parquet"])
def test_a_foreign_file_is_refused(part: Path, name: str) -> None:
    pq.write_table(TABLE, part.parent / name)
    with pytest.raises(ResultsDamaged, match=f"{name} is not a part of this sweep's results; move it elsewhere"):
        parts.listing(part.parent)
