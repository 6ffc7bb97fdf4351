"""What a webhook may be about, as the pipeline says it: the noun between storing an event and telling of it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

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


class Verdict(Struct, frozen=True, rename={"class_": "class"}):
    """What is held of a click."""

    class_: str
    """`human`, `machine` or `unknown`."""
    final: bool
    reasons: tuple[str, ...] = ()


class Change(Struct, frozen=True):
    """How a verdict changed."""

    verdict: Verdict
    previous_verdict: Verdict


class Judged(Struct, frozen=True):
    """A click or an open with a new verdict. `change` is None when the class is what it was."""

    occurrence: Occurrence
    judged_at: datetime
    final: bool
    change: Change | None = None

    @property
    def message_id(self) -> UUID:
        """The same for the same change, however often it is told of."""
        return uuid5(self.occurrence.event_id, f"{NoticeType.CLICK_RECLASSIFIED} {self.judged_at.timestamp():.6f}")
