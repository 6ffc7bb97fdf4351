"""Column types that mean the same on SQLite and PostgreSQL."""

import json
import zlib
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Enum, Integer, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.types import TypeDecorator, TypeEngine

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


class Compressed(bytes):
    """What `ZlibText` or `ZlibJson` would store: made before a transaction, so that none waits for it in there."""

    __slots__ = ()

    @classmethod
    def text(cls, value: str) -> "Compressed":
        """Of a text."""
        return cls(zlib.compress(value.encode()))

    @classmethod
    def json(cls, value: Any) -> "Compressed":  # noqa: ANN401 - any JSON
        """Of a JSON value."""
        return cls(zlib.compress(msgspec.json.encode(value)))


class ZlibText(TypeDecorator[str]):
    """Text of any length, NUL included, kept as zlib-compressed UTF-8.

    zlib at its default level: HTML mails shrink about seven times at under a millisecond for 50 KB, and it is in the
    standard library, so that a database can be read without us.
    """

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | Compressed | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - fixed by SQLAlchemy
        """Compress."""
        return Compressed.text(value) if isinstance(value, str) else value

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - fixed by SQLAlchemy
        """Decompress."""
        return None if value is None else zlib.decompress(value).decode()


class ZlibJson(TypeDecorator[Any]):
    """A JSON value kept as zlib-compressed text: for documents that are read whole and never searched."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:  # noqa: ANN401, ARG002 - any JSON; fixed by SQLAlchemy
        """Serialise and compress."""
        return value if value is None or isinstance(value, Compressed) else Compressed.json(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002 - any JSON; fixed by SQLAlchemy
        """Decompress and parse."""
        return None if value is None else json.loads(zlib.decompress(value))


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
