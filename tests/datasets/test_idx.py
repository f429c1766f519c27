from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from dlsweep.datasets.mnist import read_idx
from dlsweep.errors import DataError


def idx(array: np.ndarray, kind: int = 8, shape: tuple[int, ...] | None = None) -> bytes:
    shape = array.shape if shape is None else shape
    return struct.pack(f">4B{len(shape)}I", 0, 0, kind, len(shape), *shape) + array.tobytes()


IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("content", [idx(IMAGES), gzip.compress(idx(IMAGES))], ids=["plain", "gzip"])
def test_reads_the_array_and_no_one_can_change_it(content: bytes) -> None:
    array = read_idx(content, "images")
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, IMAGES)
    assert not array.flags.writeable


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not an IDX file"),
        (b"<html>not found</html>", "is not an IDX file"),
        (b"\0\0\x08\0", "is not an IDX file"),
        (idx(IMAGES, kind=0x0D), "type 0x0D; only unsigned bytes"),
        (b"\0\0\x08\x03\0\0", "ends within its header"),
        (idx(IMAGES)[:-1], "promises 2 × 3 × 4 = 24 values, it holds 23"),
        (idx(IMAGES) + b"x", "promises 2 × 3 × 4 = 24 values, it holds more"),
        (idx(IMAGES, shape=(2**32 - 1,) * 2), "claims 4,294,967,295 × 4,294,967,295 values"),
        (gzip.compress(idx(IMAGES))[:-9], "is damaged"),
        (gzip.compress(idx(IMAGES))[:-8] + bytes(8), "is damaged: CRC check failed"),
        (b"\x1f\x8b" + bytes(50), "is damaged"),
    ],
    ids=range(11),
)
def test_what_is_not_a_whole_idx_file_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=r"^some file") as error:
        read_idx(content, "some file")
    assert sentence in str(error.value)


def test_no_more_is_unpacked_than_the_header_says() -> None:
    bomb = gzip.compress(idx(IMAGES) + bytes(200_000_000))
    with pytest.raises(DataError, match="it holds more"):
        read_idx(bomb, "bomb")
