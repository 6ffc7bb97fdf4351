"""What control and mail tell the event store, through the outbox table.

The row is written in the transaction that writes the fact, so that a fact and its event exist together or not at
all. The pipeline inserts payloads into the store, then deletes the rows; after a crash it may see a row again, and
`event_id` (or `send_id` for a send) tells that it is the same one.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from waypost.db.states import OutboxTopic, SendState
from waypost.db.tables import Outbox


class LinkRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a click event says of its link beside the destination, which the token carries."""

    index: int
    name: str = ""
    part: str = "html"
    """`html`, or `outlook` when the link stands in an Outlook conditional comment only."""


class SendRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Topic `send`: the slim record that answers *who* for as long as there are events of this send."""

    send_id: UUID
    send_key: str
    account: int
    profile: int
    sending_profile_id: UUID
    recipient_email_address: str
    tags: list[str] = []
    links: list[LinkRecord] = []
    """Tracked links, one per index."""
    created_at: datetime


class SendEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Topic `send_event`: a send reached a state."""

    event_id: UUID
    event: SendState
    occurred_at: datetime
    account: int
    profile: int
    send_id: UUID
    detail: str = ""
    """The relay's words, or the reason; empty when there is nothing to add."""


def rows(facts: Iterable[SendRecord | SendEvent], now: datetime) -> list[Outbox]:
    """Outbox rows for `facts`, in order: add them to the session that writes what they tell."""
    return [Outbox(**row) for row in values(facts, now)]


def values(facts: Iterable[SendRecord | SendEvent], now: datetime) -> list[dict[str, Any]]:
    """The same as values of an INSERT."""
    return [
        {
            "topic": OutboxTopic.SEND if isinstance(fact, SendRecord) else OutboxTopic.SEND_EVENT,
            "payload": msgspec.to_builtins(fact),
            "created_at": now,
        }
        for fact in facts
    ]


def fact_of(topic: OutboxTopic, payload: dict[str, Any]) -> SendRecord | SendEvent:
    """The fact that a row's `topic` and `payload` tell.

    Raises:
        msgspec.ValidationError: the payload is not of its topic's shape.
    """
    if topic is OutboxTopic.SEND:
        return msgspec.convert(payload, SendRecord)
    return msgspec.convert(payload, SendEvent)
