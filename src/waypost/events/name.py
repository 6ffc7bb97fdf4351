"""The names of events, as the API, the event store, metrics and logs spell them."""

from enum import StrEnum


class EventName(StrEnum):
    """What happened to a send: the states it goes through, and what its reader does."""

    ACCEPTED = "accepted"
    QUEUED = "queued"
    PROCESSED = "processed"
    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCE = "bounce"
    REJECTED = "rejected"
    OPEN = "open"
    CLICK = "click"
