"""What a receiver is told: pure.

`data` is the event as `GET /email/send/:id/events` has it, at the time of the attempt.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from waypost.events.notice import NoticeType

Event = Mapping[str, Any]
"""An event of the API, as JSON."""

TEST_EVENT: Final[Event] = {"message": "This is a test: nothing happened."}


def body(type_: NoticeType, occurred_at: datetime, event: Event, change: Event | None = None) -> bytes:
    """A message in our own words.

    Args:
        type_: what it is about.
        occurred_at: when that happened.
        event: it.
        change: of `click.reclassified`: `verdict` and `previous_verdict`, which stand beside the event's fields.
    """
    return json.dumps(
        {"type": type_, "timestamp": written(occurred_at), "data": {**event, **(change or {})}},
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


def written(at: datetime) -> str:
    """ISO 8601, UTC, with microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
