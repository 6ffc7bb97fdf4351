"""Owners are told by mail that webhook endpoints of theirs were disabled: who tells by webhook cannot tell this one."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import ValidationError
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from waypost.control.errors import NoActiveProfileError
from waypost.control.fields import domain_of
from waypost.control.links.planning import NOTHING_PLANNED
from waypost.control.sends.rows import Kept, content_row, news, send_row, store
from waypost.control.sends.schema import NewSend
from waypost.control.sends.sender import Sender, sender_of
from waypost.control.sources import Sources
from waypost.db import Database
from waypost.db.states import AccountState, EndpointState
from waypost.db.tables import Account, WebhookEndpoint
from waypost.telemetry.pause import pause

_log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 60
"""Endpoints that failed for days can wait for that; looking reads one small table."""
_AGAIN: Final = timedelta(days=1)
"""Of one endpoint that is enabled and fails, over and over, mail goes out no oftener."""
_NEWS: Final = timedelta(days=7)
"""What was disabled longer ago is none: a setting that is made today floods nobody."""
_SUBJECT: Final = "Webhooks of yours are switched off"
_TAG: Final = "webhook-disabled"


async def run(database: Database, sources: Sources, from_address: str, stop: asyncio.Event) -> None:
    """Tell owners every minute, until `stop` is set; without an address to tell them from, end at once.

    Several may run over one database. Nothing that the database does ends it.

    Args:
        database: the control database.
        sources: clock and randomness.
        from_address: the setting `control.notices_from`.
        stop: ends it.
    """
    hindered = ""
    while from_address and not stop.is_set():
        try:
            await asyncio.to_thread(tell_owners, database, sources, from_address)
            hindrance = ""
        except SQLAlchemyError as error:
            hindrance = f"the control database does not answer: {error}"
        except (NoActiveProfileError, ValidationError) as error:
            hindrance = (
                f"the operator's account cannot send from {from_address} (setting control.notices_from): {error}"
            )
        if hindrance and not hindered:
            _log.error("owners are not told of webhook endpoints that are disabled, for %s", hindrance)
        hindered = hindrance
        await pause(stop, _LOOK_SECONDS)


def tell_owners(database: Database, sources: Sources, from_address: str) -> int:
    """Have mail sent to the owners who are to be told; returns to how many.

    It is queued in the transaction that notes it, so it is sent once, whatever is killed when. The operator's own
    account is not written to: its address is no mailbox, and the log says the same.

    Raises:
        NoActiveProfileError: the operator's account may not send for this domain; nobody is told.
        ValidationError: nothing can be sent from this address.
        SQLAlchemyError: the database cannot be used.
    """
    now = sources.now()
    owners = (
        select(WebhookEndpoint.account)
        .join(Account, Account.number == WebhookEndpoint.account)
        .where(_to_be_told(now), Account.is_operator.is_(False))
        .distinct()
    )
    with database.reading() as session:
        accounts = session.scalars(owners).all()
    for account in accounts:
        with database.writing() as session:
            _tell(session, sources, account, from_address, now)
    return len(accounts)


def _tell(session: Session, sources: Sources, account: int, from_address: str, now: datetime) -> None:
    theirs = select(WebhookEndpoint).where(WebhookEndpoint.account == account, _to_be_told(now))
    endpoints = session.scalars(theirs.order_by(WebhookEndpoint.number).with_for_update()).all()
    if not endpoints:  # enabled, or told of by another process, meanwhile
        return
    message = NewSend(
        from_email_address=from_address,
        recipient_email_address=session.get_one(Account, account).email,
        subject=_SUBJECT,
        content_text=_text(endpoints),
        tags=[_TAG],
    )
    sender = _operator(session, domain_of(message.from_email_address))
    send = send_row(sources, sender, message, message, planned=NOTHING_PLANNED, now=now)
    content = content_row(sender.account, message, now)
    store(session, [Kept(sender, content, [], [send], news(sources, send, sender, NOTHING_PLANNED))])
    for endpoint in endpoints:
        endpoint.owner_told_at = now


def _operator(session: Session, domain: str) -> Sender:
    """The operator's account, which the first start has made, with its profile for a domain."""
    approved = select(Account.number).where(Account.is_operator, Account.state == AccountState.APPROVED)
    operator = session.scalars(approved.order_by(Account.number).limit(1)).one_or_none()
    if operator is None:
        raise NoActiveProfileError(domain)
    return sender_of(session, operator, domain, None)


def _to_be_told(now: datetime) -> ColumnElement[bool]:
    """Disabled by itself, not long ago, and not told of since nor within a day."""
    told = WebhookEndpoint.owner_told_at
    return and_(
        WebhookEndpoint.state == EndpointState.DISABLED,
        WebhookEndpoint.disabled_reason.is_not(None),
        WebhookEndpoint.disabled_at > now - _NEWS,
        or_(told.is_(None), and_(told < WebhookEndpoint.disabled_at, told < now - _AGAIN)),
    )


def _text(endpoints: Sequence[WebhookEndpoint]) -> str:
    told = "".join(
        f"  {endpoint.url}\n"
        f"  {endpoint.disabled_reason}\n"
        f"  since {endpoint.disabled_at:%Y-%m-%d %H:%M} UTC; endpoint_id {endpoint.public_id}\n\n"
        for endpoint in endpoints
    )
    return (
        "Nothing is sent any more to these webhook endpoints of your account, and what happens is not noted for "
        "them:\n\n"
        f"{told}"
        "Once they take messages again, enable each of them with PATCH /api/v1/webhook/{endpoint_id} and the body "
        '{"state": "enabled"}. What waited then goes out; what happens until then is not told.\n'
    )
