"""Identifiers that carry their time."""

from uuid import UUID


def uuid7(unix_ms: int, randomness: bytes) -> UUID:
    """A version 7 UUID (RFC 9562, section 5.7).

    Args:
        unix_ms: milliseconds since 1970-01-01 UTC, 48 bits.
        randomness: at least 10 bytes; the first 10 are used, less the 6 bits that version and variant take.
    """
    rand = int.from_bytes(randomness[:10], "big")
    rand_a = rand >> 68
    rand_b = rand & (1 << 62) - 1
    return UUID(int=(unix_ms & (1 << 48) - 1) << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b)


def uuid7_unix_ms(value: UUID) -> int:
    """Milliseconds since 1970 that a version 7 UUID carries."""
    return value.int >> 80
