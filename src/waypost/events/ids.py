"""Identifiers that carry their time."""

from struct import Struct
from typing import Final
from uuid import UUID

from waypost.links.ids import uuid_of

_RANDOM: Final = Struct(">HHHI")
_UUID: Final = Struct(">IHHHHI")


def uuid7(unix_ms: int, randomness: bytes) -> UUID:
    """A version 7 UUID (RFC 9562, section 5.7).

    Args:
        unix_ms: milliseconds since 1970-01-01 UTC, 48 bits.
        randomness: at least 10 bytes; the first 10 are used, less the 6 bits that version and variant take.
    """
    a, b, c, d = _RANDOM.unpack_from(randomness)
    high, low = unix_ms >> 16 & 0xFFFF_FFFF, unix_ms & 0xFFFF
    return uuid_of(_UUID.pack(high, low, 0x7000 | a >> 4, 0x8000 | b & 0x3FFF, c, d))
