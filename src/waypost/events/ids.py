"""Identifiers that carry their time."""

from struct import Struct
from uuid import UUID

import msgspec

_RANDOM = Struct(">HQ")
_MSGPACK = Struct(">HQQ")
_BIN_16 = 0xC410
"""Before 16 bytes in msgpack, whose decoder makes a UUID in a fifth of the time that `UUID` takes."""
_decode = msgspec.msgpack.Decoder(UUID).decode


def uuid7(unix_ms: int, randomness: bytes) -> UUID:
    """A version 7 UUID (RFC 9562, section 5.7).

    Args:
        unix_ms: milliseconds since 1970-01-01 UTC, 48 bits.
        randomness: at least 10 bytes; the first 10 are used, less the 6 bits that version and variant take.
    """
    high, low = _RANDOM.unpack_from(randomness)
    milliseconds = unix_ms & (1 << 48) - 1
    return _decode(_MSGPACK.pack(_BIN_16, milliseconds << 16 | 0x7000 | high >> 4, 1 << 63 | low & (1 << 62) - 1))
