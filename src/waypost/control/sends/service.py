"""Accepting messages, and telling what became of them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from waypost.control.context import Control, SendingParts
from waypost.control.errors import ContentExpiredError, NotFoundError
from waypost.control.oauth.service import Principal
from waypost.control.profiles.service import sending_profile_id
from waypost.control.sends.acceptance import Order, Taken
from waypost.control.sends.search import search
from waypost.db.states import DeliveryState
from waypost.db.tables import Content, Delivery, Profile, Report, Send
from waypost.store.errors import StoreError
from waypost.store.rows import Clicks, Event

_log = logging.getLogger(__name__)

_POSTPONED = select(Delivery).where(
    Delivery.state.in_((DeliveryState.QUEUED, DeliveryState.SENDING)), Delivery.last_error.is_not(None)
)


@dataclass(frozen=True, slots=True)
class FoundSend:
    """A send with what stands in other tables."""

    send: Send
    sending_profile_id: UUID
    link_report: dict[str, Any] | None = None
    """None when clicks are not tracked, or once the report's retention has passed."""
    postponed: Delivery | None = None
    """The delivery, while it waits for another attempt or is held."""


async def accept(control: SendingParts, principal: Principal, order: Order) -> Taken:
    """Take a message in for its recipients: see `Acceptance.take`.

    Raises:
        AccountNotApprovedError: the account may not send.
        NoActiveProfileError: nor may the domain of `from_email_address`.
        AnsweredError: the request was answered before.
    """
    principal.require_approved()  # one that is unconfirmed was, and is looked at once more in there
    return await control.acceptance.take(order)


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
        NotFoundError: no such send of the account.
        ContentExpiredError: its content's retention has passed.
    """
    with control.database.reading() as session:
        send = _owned(session, principal, send_id)
        content = session.get(Content, send.content_id) if send.content_id is not None else None
    if content is None:
        raise ContentExpiredError
    return content


def find_events(control: Control, principal: Principal, send_id: UUID) -> tuple[FoundSend, Sequence[Event]]:
    """A send of the account with its events so far, in the order they occurred.

    Raises:
        NotFoundError: none of this id, or another account's.
        StoreError: the event store cannot be asked.
    """
    found = find_send(control, principal, send_id)
    return found, control.store.send_events(principal.account.number, send_id)


def find_clicks(control: Control, principal: Principal, send_ids: Sequence[UUID]) -> dict[UUID, Clicks] | None:
    """Clicks of sends, those without any left out; None when the event store cannot say at once."""
    try:
        return control.store.analysis.clicks(principal.account.number, send_ids)
    except StoreError as error:
        _log.warning("sends are shown without their clicks: %s", error)
        return None


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
