"""Instants as the API writes them."""

from datetime import UTC, datetime


def unix_seconds(at: datetime) -> int:
    """Whole seconds since 1970-01-01 UTC: every `*_at_utc` field."""
    return int(at.timestamp())


def unix_ms(at: datetime) -> int:
    """Whole milliseconds since 1970-01-01 UTC: periods and token lives."""
    return round(at.timestamp() * 1000)


def from_unix_ms(milliseconds: int) -> datetime:
    """The instant, aware, UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
