"""TensorBoard's event files: TFRecords that hold protocol buffers of the message Event (event.proto, summary.proto)."""

from __future__ import annotations

import struct
from functools import cache


def _remainder(byte: int) -> int:
    """Return the remainder of a byte's polynomial modulo Castagnoli's."""
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_REMAINDERS = [_remainder(byte) for byte in range(256)]


def crc32c(data: bytes) -> int:
    """Return the checksum CRC-32C (RFC 3720, B.4).

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _REMAINDERS[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


@cache
def _length(length: int) -> bytes:
    packed = struct.pack("<Q", length)
    return packed + _masked(packed)


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)


def _part(field: int, content: bytes) -> bytes:
    """Return a field that holds bytes, a text or a message."""
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _record(wall_time: float, step: int, content: bytes) -> bytes:
    event = b"\x09" + struct.pack("<d", wall_time) + b"\x10" + _varint(step) + content
    return _length(len(event)) + event + _masked(event)


def version(wall_time: float) -> bytes:
    """Return the first record of an event file."""
    return _record(wall_time, 0, _part(3, b"brain.Event:2"))


def scalar(wall_time: float, step: int, tag: str, value: float) -> bytes:
    """Return the record of a scalar."""
    with_value = _part(1, tag.encode()) + b"\x15" + struct.pack("<f", value)
    return _record(wall_time, step, _part(5, _part(1, with_value)))


def text(wall_time: float, tag: str, markdown: str) -> bytes:
    """Return the record of a text."""
    tensor = b"\x08\x07" + _part(8, markdown.encode())  # dtype: string
    plugin = _part(1, _part(1, b"text"))
    value = _part(1, tag.encode()) + _part(8, tensor) + _part(9, plugin)
    return _record(wall_time, 0, _part(5, _part(1, value)))
