"""The event store: ClickHouse, embedded (chDB) or a server, behind one interface."""

from waypost.store.errors import StoreError, StoreFailed, StoreInUse, StoreRefused, StoreTooNew, StoreUrlInvalid
from waypost.store.event_store import EventStore
from waypost.store.rows import (
    Event,
    EventLink,
    HitRow,
    PeriodCount,
    SegmentSpan,
    SendEventRow,
    SendRow,
    SentLink,
    Summary,
)

__all__ = [
    "Event",
    "EventLink",
    "EventStore",
    "HitRow",
    "PeriodCount",
    "SegmentSpan",
    "SendEventRow",
    "SendRow",
    "SentLink",
    "StoreError",
    "StoreFailed",
    "StoreInUse",
    "StoreRefused",
    "StoreTooNew",
    "StoreUrlInvalid",
    "Summary",
]
