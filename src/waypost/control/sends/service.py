"""Accepting messages, and telling what became of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from waypost.control.context import Control
from waypost.control.errors import NotFoundError
from waypost.control.fields import domain_of
from waypost.control.links.service import LinkPlan, plan_links
from waypost.control.oauth.service import Principal
from waypost.control.profiles.service import active_profile, sending_profile_id
from waypost.control.sends.extras import stored_attachments
from waypost.control.sends.schema import Message, NewRecipient
from waypost.control.sends.search import entry_of, search
from waypost.db import outbox
from waypost.db.link_policy import unsubscribe_urls
from waypost.db.states import DeliveryState, SendState
from waypost.db.tables import (
    Base,
    Content,
    ContentAttachment,
    Delivery,
    Outbox,
    Profile,
    Report,
    SearchEntry,
    Send,
)
from waypost.store.rows import Event

_POSTPONED = select(Delivery).where(
    Delivery.state.in_((DeliveryState.QUEUED, DeliveryState.SENDING)), Delivery.last_error.is_not(None)
)
NOTHING_PLANNED = LinkPlan(report=None, tracked=[])

_TABLES = Base.metadata.tables
# Tables, not classes: as rows of a known shape, thousands a second, they need no identity map and no unit of work.
_INSERT_CONTENT = insert(_TABLES[Content.__tablename__]).returning(Content.content_id)
_INSERT_SENDS = insert(_TABLES[Send.__tablename__])
# In the order of their sends: a delivery's number is the place of its send among those found by a search.
_INSERT_DELIVERIES = insert(_TABLES[Delivery.__tablename__]).returning(
    Delivery.delivery_id, sort_by_parameter_order=True
)
_INSERT_SEARCH_ENTRIES = insert(_TABLES[SearchEntry.__tablename__])
_INSERT_OUTBOX = insert(_TABLES[Outbox.__tablename__])


@dataclass(frozen=True, slots=True)
class FoundSend:
    """A send with what stands in other tables."""

    send: Send
    sending_profile_id: UUID
    link_report: dict[str, Any] | None = None
    """None when clicks are not tracked, or once the report's retention has passed."""
    postponed: Delivery | None = None
    """The delivery, while it waits for another attempt or is held."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that was taken in.

    Attributes:
        profile: what it is sent with.
        sends: one for each recipient, in their order.
        report: which links are tracked; None without click tracking.
        error: why it goes out untracked although tracking was asked for; else None.
    """

    profile: Profile
    sends: list[Send]
    report: dict[str, Any] | None
    error: str | None


def accept(
    control: Control,
    principal: Principal,
    message: Message,
    recipients: Sequence[NewRecipient],
    remember: Callable[[Session, Taken], None],
    *,
    addressees: dict[str, list[list[str]]] | None = None,
) -> Taken:
    """Take a message in for its recipients: on return it is durable, in the delivery queue, on its way to the store.

    All of them or none: one transaction keeps the content once, and what differs for each recipient. Links are planned
    once, before it.

    Args:
        control: the parts behind the API.
        principal: who sends.
        message: what all get.
        recipients: who they are.
        remember: called in the transaction once all is written.
        addressees: whom the header names, as `Content.addressees`; None: each recipient sees herself alone.

    Raises:
        AccountNotApprovedError: the account may not send.
        NoActiveProfileError: nor may the domain of `from_email_address`.
    """
    principal.require_approved()
    tracked = message.click_tracking and bool(message.content_html)
    untouched = unsubscribe_urls(_unsubscribe(message))
    planned = plan_links(message.content_html or "", control.keyring(), untouched) if tracked else NOTHING_PLANNED
    now, domain = control.sources.now(), domain_of(message.from_email_address)
    content = {
        "html": message.content_html,
        "text": message.content_text,
        "headers": list(map(list, message.headers.items())) if message.headers else None,
        "addressees": addressees,
        "report": planned.report,
        "created_at": now,
    }
    attachments = stored_attachments(message.attachments or [])
    with control.database.writing() as session:
        profile = active_profile(session, principal.account.number, domain)
        rows = [_send_row(control, profile, message, recipient, planned=planned, now=now) for recipient in recipients]
        news = [row for send in rows for row in _news(control, send, profile, planned)]
        _store(session, content, attachments, rows, news)
        taken = Taken(profile, [Send(**row) for row in rows], planned.report, planned.error)
        remember(session, taken)
    return taken


def list_sends(control: Control, principal: Principal, *, before: UUID | None, limit: int) -> Sequence[FoundSend]:
    """Sends of the account, newest first.

    Args:
        control: the parts behind the API.
        principal: who asks.
        before: only sends older than this one; None: all.
        limit: at most so many.
    """
    sends = select(Send).where(Send.account == principal.account.number).order_by(Send.send_id.desc()).limit(limit)
    if before is not None:
        sends = sends.where(Send.send_id < before)
    with control.database.reading() as session:
        return _with_others(session, session.scalars(sends).all())


def search_sends(
    control: Control, principal: Principal, words: Sequence[str], *, before: int | None, limit: int
) -> Sequence[tuple[int, FoundSend]]:
    """Sends of the account that have a word beginning with each of `words`, newest first, each with its place."""
    with control.database.reading() as session:
        found = search(session, principal.account.number, words, before=before, limit=limit)
        sends = _with_others(session, [send for _, send in found])
        return [(number, send) for (number, _), send in zip(found, sends, strict=True)]


def find_send(control: Control, principal: Principal, send_id: UUID) -> FoundSend:
    """A send of the account.

    Raises:
        NotFoundError: none of this id, or another account's.
    """
    with control.database.reading() as session:
        send = _owned(session, principal, send_id)
        report = session.scalars(select(Content.report).where(Content.content_id == send.content_id)).one_or_none()
        if report is None:
            report = session.scalars(select(Report.report).where(Report.send_id == send_id)).one_or_none()
        postponed = session.scalars(_POSTPONED.where(Delivery.send_id == send_id)).first()
        return FoundSend(send, sending_profile_id(session, send.profile), report, postponed)


def find_content(control: Control, principal: Principal, send_id: UUID) -> Content:
    """The parts of a send, as they were submitted.

    Raises:
        NotFoundError: no such send of the account, or its content's retention has passed.
    """
    with control.database.reading() as session:
        send = _owned(session, principal, send_id)
        content = session.get(Content, send.content_id) if send.content_id is not None else None
    if content is None:
        raise NotFoundError("content: it is kept for a limited time only")
    return content


def find_events(control: Control, principal: Principal, send_id: UUID) -> tuple[FoundSend, Sequence[Event]]:
    """A send of the account with its events so far, in the order they occurred.

    Raises:
        NotFoundError: none of this id, or another account's.
        StoreError: the event store cannot be asked.
    """
    found = find_send(control, principal, send_id)
    return found, control.store.send_events(principal.account.number, send_id)


def _owned(session: Session, principal: Principal, send_id: UUID) -> Send:
    send = session.scalars(
        select(Send).where(Send.send_id == send_id, Send.account == principal.account.number)
    ).one_or_none()
    if send is None:
        raise NotFoundError("send")
    return send


def _with_others(session: Session, sends: Sequence[Send]) -> Sequence[FoundSend]:
    """Each with its profile, and with its delivery where that waits; without reports, which are long."""
    profiles = select(Profile.number, Profile.public_id).where(Profile.number.in_({send.profile for send in sends}))
    ids = {row.number: row.public_id for row in session.execute(profiles)}
    waiting = _POSTPONED.where(Delivery.send_id.in_([send.send_id for send in sends]))
    postponed = {delivery.send_id: delivery for delivery in session.scalars(waiting)}
    return [FoundSend(send, ids[send.profile], None, postponed.get(send.send_id)) for send in sends]


def _send_row(
    control: Control, profile: Profile, message: Message, recipient: NewRecipient, *, planned: LinkPlan, now: datetime
) -> dict[str, Any]:
    return {
        "send_id": control.sources.event_id(now),
        "send_key": control.sources.ksuid(now),
        "account": profile.account,
        "profile": profile.number,
        "content_id": None,
        "from_email_address": message.from_email_address,
        "from_name": message.from_name or "",
        "reply_to": message.reply_to or "",
        "recipient_email_address": recipient.recipient_email_address,
        "recipient_name": recipient.recipient_name or "",
        "subject": message.subject or "",
        "open_tracking": message.open_tracking,
        # R18: what failed to plan is not tried again at delivery.
        "click_tracking": message.click_tracking and planned.error is None,
        "tags": recipient.tags or [],
        "list_unsubscribe": _unsubscribe(message),
        "state": SendState.ACCEPTED,
        "error": planned.error,
        "created_at": now,
        "modified_at": now,
    }


def _unsubscribe(message: Message) -> dict[str, Any] | None:
    return message.list_unsubscribe.stored() if message.list_unsubscribe else None


def _news(control: Control, send: dict[str, Any], profile: Profile, planned: LinkPlan) -> list[dict[str, Any]]:
    """What the event store is told of a send, as outbox rows."""
    now = send["created_at"]
    record = outbox.SendRecord(
        send_id=send["send_id"],
        send_key=send["send_key"],
        account=send["account"],
        profile=send["profile"],
        sending_profile_id=profile.public_id,
        recipient_email_address=send["recipient_email_address"],
        tags=send["tags"],
        links=planned.tracked,
        created_at=now,
    )
    # Being in the queue is part of being accepted: both are true from the same transaction on.
    states = (SendState.ACCEPTED, SendState.QUEUED)
    # Sorted: events of one instant are read back in the order of their ids.
    event_ids = sorted(control.sources.event_id(now) for _ in states)
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


def _store(
    session: Session,
    content: dict[str, Any],
    attachments: Sequence[ContentAttachment],
    sends: list[dict[str, Any]],
    news: list[dict[str, Any]],
) -> None:
    """In the order of the foreign keys."""
    content_id = session.execute(_INSERT_CONTENT, content).scalar_one()
    for attachment in attachments:
        attachment.content_id = content_id
    session.add_all(attachments)
    for send in sends:
        send["content_id"] = content_id
    session.execute(_INSERT_SENDS, sends)
    deliveries = [
        {
            "send_id": send["send_id"],
            "state": DeliveryState.QUEUED,
            "attempts": 0,
            "next_attempt_at": send["created_at"],
            "created_at": send["created_at"],
        }
        for send in sends
    ]
    numbers = session.execute(_INSERT_DELIVERIES, deliveries).scalars().all()
    session.execute(
        _INSERT_SEARCH_ENTRIES, [entry_of(number, send) for number, send in zip(numbers, sends, strict=True)]
    )
    session.execute(_INSERT_OUTBOX, news)
