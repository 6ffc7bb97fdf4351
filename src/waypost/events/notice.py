"""What a webhook may be about, as the pipeline says it: the noun between storing an event and telling of it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct


class NoticeType(StrEnum):
    """The type of a webhook message: an event's name, or one of ours."""

    ACCEPTED = "accepted"
    QUEUED = "queued"
    PROCESSED = "processed"
    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCE = "bounce"
    REJECTED = "rejected"
    OPEN = "open"
    CLICK = "click"
    CLICK_RECLASSIFIED = "click.reclassified"
    """What was said of a click, human or machine, has changed."""
    TEST = "test"
    """Asked for by the endpoint's owner; never subscribed to."""


BY_READERS = frozenset({NoticeType.OPEN, NoticeType.CLICK})
"""Which have a verdict."""


class Occurrence(Struct, frozen=True, gc=False):
    """An event that is in the event store."""

    account: int
    send_id: UUID
    event_id: UUID
    type: NoticeType
    occurred_at: datetime
