"""Accepting messages, and telling what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from waypost.control.context import Control
from waypost.control.errors import NotFoundError
from waypost.control.fields import domain_of
from waypost.control.links.service import LinkPlan, plan_links
from waypost.control.oauth.service import Principal
from waypost.control.profiles.service import active_profile, sending_profile_id
from waypost.control.sends.extras import stored_attachments
from waypost.control.sends.schema import NewSend
from waypost.db import outbox
from waypost.db.link_policy import unsubscribe_urls
from waypost.db.states import DeliveryState, SendState
from waypost.db.tables import Content, ContentAttachment, Delivery, Outbox, Profile, Report, Send
from waypost.store.rows import Event

_POSTPONED = select(Delivery).where(
    Delivery.state.in_((DeliveryState.QUEUED, DeliveryState.SENDING)), Delivery.last_error.is_not(None)
)
NOTHING_PLANNED = LinkPlan(report=None, tracked=[])


@dataclass(frozen=True, slots=True)
class FoundSend:
    """A send with what stands in other tables."""

    send: Send
    sending_profile_id: UUID
    link_report: dict[str, Any] | None
    """None when clicks are not tracked, or once the report's retention has passed."""
    postponed: Delivery | None = None
    """The delivery, while it waits for another attempt or is held."""


def accept(control: Control, principal: Principal, message: NewSend) -> FoundSend:
    """Take a message in: on return it is durable, in the delivery queue, and on its way to the event store.

    Raises:
        AccountNotApprovedError: the account may not send.
        NoActiveProfileError: nor may the domain of `from_email_address`.
    """
    principal.require_approved()
    with control.database.reading() as session:
        profile = active_profile(session, principal.account.number, domain_of(message.from_email_address))
    tracked = message.click_tracking and bool(message.content_html)
    untouched = unsubscribe_urls(_unsubscribe(message))
    planned = plan_links(message.content_html or "", control.keyring(), untouched) if tracked else NOTHING_PLANNED
    send = _send(control, profile, message, planned)
    content = Content(
        html=message.content_html,
        text=message.content_text,
        headers=message.headers or None,
        created_at=send.created_at,
    )
    attachments = stored_attachments(message.attachments or [])
    news = outbox.rows(_facts(control, send, profile, planned), send.created_at)
    with control.database.writing() as session:
        _store_content(session, content, attachments)
        send.content_id = content.content_id
        _store(session, send, planned.report, news)
    return FoundSend(send, profile.public_id, planned.report)


def find_send(control: Control, principal: Principal, send_id: UUID) -> FoundSend:
    """A send of the account.

    Raises:
        NotFoundError: none of this id, or another account's.
    """
    with control.database.reading() as session:
        send = _owned(session, principal, send_id)
        report = session.get(Report, send_id)
        postponed = session.scalars(_POSTPONED.where(Delivery.send_id == send_id)).first()
        return FoundSend(send, sending_profile_id(session, send.profile), report.report if report else None, postponed)


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


def _send(control: Control, profile: Profile, message: NewSend, planned: LinkPlan) -> Send:
    now = control.sources.now()
    return Send(
        send_id=control.sources.event_id(now),
        send_key=control.sources.ksuid(now),
        account=profile.account,
        profile=profile.number,
        content_id=None,
        from_email_address=message.from_email_address,
        from_name=message.from_name or "",
        reply_to=message.reply_to or "",
        recipient_email_address=message.recipient_email_address,
        recipient_name=message.recipient_name or "",
        subject=message.subject or "",
        open_tracking=message.open_tracking,
        # R18: what failed to plan is not tried again at delivery.
        click_tracking=bool(message.click_tracking) and planned.error is None,
        tags=message.tags or [],
        list_unsubscribe=_unsubscribe(message),
        state=SendState.ACCEPTED,
        error=planned.error,
        created_at=now,
        modified_at=now,
    )


def _unsubscribe(message: NewSend) -> dict[str, Any] | None:
    return message.list_unsubscribe.stored() if message.list_unsubscribe else None


def _facts(
    control: Control, send: Send, profile: Profile, planned: LinkPlan
) -> list[outbox.SendRecord | outbox.SendEvent]:
    record = outbox.SendRecord(
        send_id=send.send_id,
        send_key=send.send_key,
        account=send.account,
        profile=send.profile,
        sending_profile_id=profile.public_id,
        recipient_email_address=send.recipient_email_address,
        tags=send.tags,
        links=planned.tracked,
        created_at=send.created_at,
    )
    # Being in the queue is part of being accepted: both are true from the same transaction on.
    states = (SendState.ACCEPTED, SendState.QUEUED)
    # Sorted: events of one instant are read back in the order of their ids.
    event_ids = sorted(control.sources.event_id(send.created_at) for _ in states)
    events = [
        outbox.SendEvent(
            event_id=event_id,
            event=state,
            occurred_at=send.created_at,
            account=send.account,
            profile=send.profile,
            send_id=send.send_id,
        )
        for event_id, state in zip(event_ids, states, strict=True)
    ]
    return [record, *events]


def _store_content(session: Session, content: Content, attachments: Sequence[ContentAttachment]) -> None:
    session.add(content)
    session.flush()
    for attachment in attachments:
        attachment.content_id = content.content_id
    session.add_all(attachments)


def _store(session: Session, send: Send, report: dict[str, Any] | None, news: list[Outbox]) -> None:
    """In the order of the foreign keys: the session would not know it."""
    now = send.created_at
    session.add(send)
    session.flush()
    if report is not None:
        session.add(Report(send_id=send.send_id, report=report, created_at=now))
    session.add(Delivery(send_id=send.send_id, next_attempt_at=now, created_at=now))
    session.add_all(news)
