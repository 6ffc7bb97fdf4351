"""UUIDs, made quickly: one is made of every token that opens."""

from typing import Final
from uuid import UUID

import msgspec

UUID_BYTES: Final = 16

_BIN_16: Final = b"\xc4\x10"
"""Before 16 bytes in msgpack, whose decoder makes a UUID in a fifth of the time that `UUID` takes."""
_decode: Final = msgspec.msgpack.Decoder(UUID).decode


def uuid_of(data: bytes) -> UUID:
    """As `UUID(bytes=data)`.

    Raises:
        ValueError: there are not 16 bytes.
    """
    if len(data) != UUID_BYTES:
        raise ValueError(f"{len(data)} bytes are no UUID")
    return _decode(_BIN_16 + data)
