"""A part is what was written, or it is found out (faults: cut short, a bit flipped, another schema)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlsweep.errors import ResultsDamaged
from dlsweep.storage import parts
from dlsweep.storage.folder import LocalFolder

TABLE = pa.table({"run_id": ["a", "b"], "loss": [0.5, float("nan")]})
STEM = "0123456789abcdef"


@pytest.fixture
def folder(tmp_path: Path) -> LocalFolder:
    return LocalFolder(tmp_path)


@pytest.fixture
def part(folder: LocalFolder) -> Path:
    content = parts.encode_table(TABLE)
    folder.put(parts.part_name("curves", STEM, content), content)
    return folder.path / parts.part_name("curves", STEM, content)


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def test_a_part_comes_back_as_it_was(folder: LocalFolder, part: Path) -> None:
    assert parts.listing(folder, "curves") == {STEM: name(part)}
    table = parts.read_table(folder, name(part), TABLE.schema)
    assert parts.encode_table(table) == part.read_bytes()


def test_every_flipped_bit_is_found(folder: LocalFolder, part: Path) -> None:
    content = part.read_bytes()
    for position in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[position] ^= 1 << bit
            assert parts.part_name("curves", STEM, bytes(flipped)) != name(part)
    part.write_bytes(flipped)
    with pytest.raises(parts.Damaged, match="is damaged"):
        parts.read_table(folder, name(part), TABLE.schema)


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_part_cut_short_is_found(folder: LocalFolder, part: Path, kept: int) -> None:
    part.write_bytes(part.read_bytes()[:kept])
    with pytest.raises(parts.Damaged, match="is damaged"):
        parts.read_table(folder, name(part), TABLE.schema)


def test_the_pages_have_checksums_for_other_readers(part: Path) -> None:
    content = bytearray(part.read_bytes())
    at = content.index(b"(\xb5/\xfd")  # the first Zstandard frame: the bytes of a page
    content[at + 12] ^= 1
    part.write_bytes(content)
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(part, page_checksum_verification=True)


@pytest.mark.parametrize("rewrite", [lambda content: b"PAR1 or not", lambda content: content[:20] + content[-500:]])
def test_a_part_with_the_right_checksum_that_is_not_parquet_is_found(
    folder: LocalFolder, part: Path, rewrite: Callable[[bytes], bytes]
) -> None:
    content = rewrite(part.read_bytes())
    other = folder.path / parts.part_name("curves", STEM, content)
    other.write_bytes(content)
    with pytest.raises(parts.Damaged, match=f"{other} is damaged: it cannot be read as Parquet"):
        parts.read_table(folder, name(other), TABLE.schema)


def test_a_part_of_another_table_is_refused(folder: LocalFolder, part: Path) -> None:
    other = pa.schema([("run_id", pa.string())])
    with pytest.raises(ResultsDamaged, match="has other columns than this sweep's table; move it elsewhere"):
        parts.read_table(folder, name(part), other)


@pytest.mark.parametrize("foreign", ["data.parquet", "notes.txt", f"{STEM}.parquet", f"{STEM}-0123456g.parquet"])
def test_a_foreign_file_is_refused(folder: LocalFolder, part: Path, foreign: str) -> None:
    pq.write_table(TABLE, part.parent / foreign)
    with pytest.raises(ResultsDamaged, match=f"{foreign} is not a part of this sweep's results; move it elsewhere"):
        parts.listing(folder, "curves")
