"""Column types that mean the same on SQLite and PostgreSQL."""

import json
import sys
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Enum, Integer, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.types import TypeDecorator, TypeEngine

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# SQLite counts by itself only in a column whose type is exactly INTEGER (64 bits there as well).
Number = BigInteger().with_variant(Integer(), "sqlite")

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def enum_of(values: type[StrEnum]) -> Enum:
    """A text column holding the values of `values`.

    No native enum and no CHECK: a new state must not need a schema change that the previous release cannot read.
    """
    return Enum(
        values,
        native_enum=False,
        create_constraint=False,
        length=24,
        values_callable=lambda members: [member.value for member in members],
    )


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime with microseconds; SQLite keeps it as sortable text without a zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive datetime: nobody knows which instant it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}: the control database takes aware ones only")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - fixed by SQLAlchemy
        """Give the instant back in UTC, whatever zone the connection uses."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# Level 3 writes few more bytes than zlib's default level, at a fraction of its CPU; what higher ones save costs more.
# With the checksum, what a disk has altered is an error and no mail.
_ZSTD: Mapping[int, int] = {zstd.CompressionParameter.compression_level: 3, zstd.CompressionParameter.checksum_flag: 1}
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"  # RFC 8878, section 3.1.1; zlib's first byte is 0x78 (RFC 1950, section 2.2)


class Compressed(bytes):
    """What `CompressedText` or `CompressedJson` would store: made before a transaction, so that none waits for it."""

    __slots__ = ()

    @classmethod
    def text(cls, value: str) -> "Compressed":
        """Of a text."""
        return cls(zstd.compress(value.encode(), options=_ZSTD))

    @classmethod
    def json(cls, value: Any) -> "Compressed":  # noqa: ANN401 - any JSON
        """Of a JSON value."""
        return cls(zstd.compress(msgspec.json.encode(value), options=_ZSTD))


def _decompressed(stored: bytes) -> bytes:
    """What was compressed: by zstd or, in databases of before there was a release, by zlib."""
    return zstd.decompress(stored) if stored.startswith(_ZSTD_MAGIC) else zlib.decompress(stored)


class CompressedText(TypeDecorator[str]):
    """Text of any length, NUL included, kept as UTF-8 that zstd has compressed (RFC 8878)."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | Compressed | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - fixed by SQLAlchemy
        """Compress."""
        return Compressed.text(value) if isinstance(value, str) else value

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - fixed by SQLAlchemy
        """Decompress."""
        return None if value is None else _decompressed(value).decode()


class CompressedJson(TypeDecorator[Any]):
    """A JSON value kept as compressed text: for documents that are read whole and never searched."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:  # noqa: ANN401, ARG002 - any JSON; fixed by SQLAlchemy
        """Serialise and compress."""
        return value if value is None or isinstance(value, Compressed) else Compressed.json(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002 - any JSON; fixed by SQLAlchemy
        """Decompress and parse."""
        return None if value is None else json.loads(_decompressed(value))


class SearchWords(TypeDecorator[list[str]]):
    """Words without spaces and quotes, to be found by their beginnings: a tsvector, or text that FTS5 indexes.

    Written only; what is found is told by the index.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column's type."""
        return dialect.type_descriptor(TSVECTOR() if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> str | None:
        """The text form of a tsvector (PostgreSQL manual, 8.11.1), or the words with spaces between."""
        if value is None:
            return None
        return " ".join(f"'{word}'" for word in value) if dialect.name == "postgresql" else " ".join(value)
