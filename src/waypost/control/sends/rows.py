"""The rows of messages that are taken in, for as many messages at once as there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from waypost.control.links.planning import LinkPlan
from waypost.control.sends.privacy import privacy_of
from waypost.control.sends.schema import Message, NewRecipient
from waypost.control.sends.search import entry_of
from waypost.control.sends.sender import Sender
from waypost.control.sources import Sources
from waypost.db import outbox
from waypost.db.states import DeliveryState, PrivacyMode, SendState
from waypost.db.tables import Base, Content, ContentAttachment, Delivery, Outbox, SearchEntry, Send
from waypost.db.types import Compressed

Addressees = dict[str, list[list[str]]]
"""See `Content.addressees`."""

_TABLES = Base.metadata.tables
# Tables, not classes: as rows of a known shape, thousands a second, they need no identity map and no unit of work.
# Numbers come back in the order of their rows: a delivery's is the place of its send among those found by a search.
_INSERT_CONTENTS = insert(_TABLES[Content.__tablename__]).returning(Content.content_id, sort_by_parameter_order=True)
_INSERT_ATTACHMENTS = insert(_TABLES[ContentAttachment.__tablename__])
_INSERT_SENDS = insert(_TABLES[Send.__tablename__])
_INSERT_DELIVERIES = insert(_TABLES[Delivery.__tablename__]).returning(
    Delivery.delivery_id, sort_by_parameter_order=True
)
_INSERT_SEARCH_ENTRIES = insert(_TABLES[SearchEntry.__tablename__])
_INSERT_OUTBOX = insert(_TABLES[Outbox.__tablename__])


@dataclass(frozen=True, slots=True)
class Kept:
    """The rows of one message, but for the numbers that the database gives.

    Attributes:
        sender: what it is sent with.
        content: its parts.
        attachments: its files.
        sends: one for each recipient.
        news: what the event store is told of them.
    """

    sender: Sender
    content: dict[str, Any]
    attachments: list[dict[str, Any]]
    sends: list[dict[str, Any]]
    news: list[dict[str, Any]]


def send_row(
    sources: Sources,
    sender: Sender,
    message: Message,
    recipient: NewRecipient,
    *,
    planned: LinkPlan,
    now: datetime,
) -> dict[str, Any]:
    """Values of a row of `Send`, whose `content_id` is still to be set."""
    privacy = privacy_of(message, recipient, sender.privacy)
    tracks = privacy.mode is not PrivacyMode.OFF
    return {
        "send_id": sources.event_id(now),
        "send_key": sources.ksuid(now),
        "account": sender.account,
        "profile": sender.profile,
        "content_id": None,
        "from_email_address": message.from_email_address,
        "from_name": message.from_name or "",
        "reply_to": message.reply_to or "",
        "recipient_email_address": recipient.recipient_email_address,
        "recipient_name": recipient.recipient_name or "",
        "subject": message.subject or "",
        "open_tracking": message.open_tracking and tracks,
        # R18: what failed to plan is not tried again at delivery.
        "click_tracking": message.click_tracking and tracks and planned.error is None,
        "privacy_mode": privacy.mode,
        "ip_policy": privacy.ip_policy,
        "tags": recipient.tags or [],
        "list_unsubscribe": unsubscribe_of(message),
        "state": SendState.ACCEPTED,
        "error": planned.error,
        "created_at": now,
        "modified_at": now,
    }


def content_row(
    account: int,
    message: Message,
    now: datetime,
    *,
    addressees: Addressees | None = None,
    report: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Values of a row of `Content`."""
    return {
        "account": account,
        "html": _compressed(message.content_html),
        "text": _compressed(message.content_text),
        "headers": list(map(list, message.headers.items())) if message.headers else None,
        "addressees": addressees,
        "report": None if report is None else Compressed.json(report),
        "created_at": now,
    }


def _compressed(part: str | None) -> Compressed | None:
    return None if part is None else Compressed.text(part)


def unsubscribe_of(message: Message) -> dict[str, Any] | None:
    """What `Send.list_unsubscribe` keeps."""
    return message.list_unsubscribe.stored() if message.list_unsubscribe else None


def news(sources: Sources, send: dict[str, Any], sender: Sender, planned: LinkPlan) -> list[dict[str, Any]]:
    """What the event store is told of a send, as outbox rows."""
    now = send["created_at"]
    record = outbox.SendRecord(
        send_id=send["send_id"],
        send_key=send["send_key"],
        account=send["account"],
        profile=send["profile"],
        sending_profile_id=sender.sending_profile_id,
        recipient_email_address=send["recipient_email_address"],
        tags=send["tags"],
        links=planned.tracked,
        created_at=now,
    )
    # Being in the queue is part of being accepted: both are true from the same transaction on.
    states = (SendState.ACCEPTED, SendState.QUEUED)
    # Sorted: events of one instant are read back in the order of their ids.
    event_ids = sorted(sources.event_id(now) for _ in states)
    events = [
        outbox.SendEvent(
            event_id=event_id,
            event=state,
            occurred_at=now,
            account=send["account"],
            profile=send["profile"],
            send_id=send["send_id"],
        )
        for event_id, state in zip(event_ids, states, strict=True)
    ]
    return outbox.values([record, *events], now)


def store(session: Session, kept: Sequence[Kept]) -> None:
    """Write them, in the order of the foreign keys."""
    connection = session.connection()
    numbers = connection.execute(_INSERT_CONTENTS, [each.content for each in kept]).scalars().all()
    for each, content_id in zip(kept, numbers, strict=True):
        for row in (*each.attachments, *each.sends):
            row["content_id"] = content_id
    if attachments := [row for each in kept for row in each.attachments]:
        connection.execute(_INSERT_ATTACHMENTS, attachments)
    sends = [row for each in kept for row in each.sends]
    connection.execute(_INSERT_SENDS, sends)
    places = connection.execute(_INSERT_DELIVERIES, [_delivery(row) for row in sends]).scalars().all()
    connection.execute(_INSERT_SEARCH_ENTRIES, [entry_of(place, row) for place, row in zip(places, sends, strict=True)])
    connection.execute(_INSERT_OUTBOX, [row for each in kept for row in each.news])


def _delivery(send: dict[str, Any]) -> dict[str, Any]:
    return {
        "send_id": send["send_id"],
        "state": DeliveryState.QUEUED,
        "attempts": 0,
        "next_attempt_at": send["created_at"],
        "created_at": send["created_at"],
    }
