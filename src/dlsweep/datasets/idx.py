"""IDX format of MNIST and similar data sets: a magic number, the dimensions, the bytes.

Layout (LeCun, http://yann.lecun.com/exdb/mnist/): two zero bytes, one byte for the type (0x08 is unsigned byte), one
for the number of dimensions, each dimension as a big-endian 32-bit integer, then the values in C order.
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib
from typing import BinaryIO, cast

import numpy as np

from dlsweep.datasets.base import MAX_BYTES
from dlsweep.errors import DataError

GZIP = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08


def read_idx(content: bytes, name: str) -> np.ndarray:
    """Return the array in an IDX file of unsigned bytes, plain or gzipped: uint8, read-only, with the stated shape.

    The header states the number of bytes that follow, so no more are unpacked. Raise a `DataError` that calls the file
    `name` if it is not IDX, is cut short, is too long, or states more than `MAX_BYTES`.
    """
    packed = content.startswith(GZIP)
    file = cast(BinaryIO, gzip.GzipFile(fileobj=io.BytesIO(content))) if packed else io.BytesIO(content)
    try:
        shape = _header(file, name)
        count = math.prod(shape)
        if count > MAX_BYTES:
            raise DataError(f"{name} claims {_times(shape)} values; at most {MAX_BYTES:,} are unpacked")
        values = file.read(count + 1)  # one more than needed: finds a file that is too long, and checks gzip's checksum
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{name} is damaged: {error}") from None
    if len(values) != count:
        found = "more" if len(values) > count else f"{len(values):,}"
        raise DataError(f"{name} is damaged: its header promises {_times(shape)} = {count:,} values, it holds {found}")
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)


def _header(file: BinaryIO, name: str) -> tuple[int, ...]:
    """Return the dimensions after a check of the magic number."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[3] == 0:
        raise DataError(f"{name} is not an IDX file: it must begin with 00 00 08 and the number of dimensions")
    if magic[2] != _UNSIGNED_BYTE:
        raise DataError(f"{name} holds IDX values of type 0x{magic[2]:02X}; only unsigned bytes (0x08) are read")
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{name} is damaged: it ends within its header")
    return struct.unpack(f">{magic[3]}I", sizes)


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(f"{n:,}" for n in shape)
