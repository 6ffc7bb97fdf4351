"""The time that an identifier carries. Apart from `ids`, which needs msgspec: the bare install has none."""

from uuid import UUID


def uuid7_unix_ms(value: UUID) -> int:
    """Milliseconds since 1970 that a version 7 UUID carries."""
    return value.int >> 80
