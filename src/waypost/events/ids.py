"""Identifiers that carry their time."""

from collections.abc import Callable
from struct import Struct
from typing import Final
from uuid import UUID

from waypost.links.ids import uuid_of

_RANDOM: Final = Struct(">HHHI")
_UUID: Final = Struct(">IHHHHI")
_DRAWN_BYTES: Final = 4_096


def uuid7(unix_ms: int, randomness: bytes) -> UUID:
    """A version 7 UUID (RFC 9562, section 5.7).

    Args:
        unix_ms: milliseconds since 1970-01-01 UTC, 48 bits.
        randomness: at least 10 bytes; the first 10 are used, less the 6 bits that version and variant take.
    """
    a, b, c, d = _RANDOM.unpack_from(randomness)
    high, low = unix_ms >> 16 & 0xFFFF_FFFF, unix_ms & 0xFFFF
    return uuid_of(_UUID.pack(high, low, 0x7000 | a >> 4, 0x8000 | b & 0x3FFF, c, d))


def uuid7_unix_ms(value: UUID) -> int:
    """Milliseconds since 1970 that a version 7 UUID carries."""
    return value.int >> 80


class Randomness:
    """As `os.urandom`, which is a system call each time, asked for hundreds of pieces at once.

    Args:
        source: as `os.urandom`.
    """

    def __init__(self, source: Callable[[int], bytes]) -> None:
        self._source = source
        self._drawn = b""
        self._at = 0

    def __call__(self, count: int) -> bytes:
        """So many bytes, at most 4,096, which nobody gets again."""
        begin, end = self._at, self._at + count
        if end > len(self._drawn):
            self._drawn = self._source(_DRAWN_BYTES)
            begin, end = 0, count
        self._at = end
        return self._drawn[begin:end]
