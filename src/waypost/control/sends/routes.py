"""`/api/v1/email/send`."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from waypost.control.context import ControlParts
from waypost.control.errors import Code, NotFoundError
from waypost.control.links.schema import RewriteReport
from waypost.control.oauth.bearer import Reader, Sender
from waypost.control.responses import refusals
from waypost.control.sends.schema import (
    DeliveryView,
    DeviceView,
    EventLink,
    EventView,
    NewSend,
    SendView,
    SoftwareView,
)
from waypost.control.sends.service import FoundSend, accept, find_content, find_events, find_send
from waypost.control.times import unix_seconds
from waypost.db.tables import Delivery
from waypost.store.rows import Event

router = APIRouter(prefix="/api/v1/email/send", tags=["sends"])

SendId = Annotated[UUID, Path(description="`send_id` of the send.")]

_READING = refusals(Code.BEARER_INVALID, Code.ROLE_FORBIDS, Code.NO_SUCH_OBJECT)

# The message is shown on the API's own origin: no script of it may run there, no form be sent, nothing be loaded.
_INERT = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}


@router.post(
    "",
    status_code=202,
    responses=refusals(
        Code.BODY_MALFORMED, Code.FIELD_INVALID, Code.NO_ACTIVE_PROFILE, Code.BEARER_INVALID, Code.ROLE_FORBIDS,
        Code.ACCOUNT_NOT_APPROVED, Code.BODY_TOO_LARGE, Code.DATABASE_UNAVAILABLE,
    ),
)  # fmt: skip
def send(control: ControlParts, principal: Sender, body: NewSend) -> SendView:
    """Send a message. Once this answers 202 the message is on disk and will be tried until it is delivered or fails."""
    accepted = accept(control, principal, body)
    return _view(accepted)


@router.get("/{send_id}", responses=_READING)
def get_send(control: ControlParts, principal: Reader, send_id: SendId) -> SendView:
    """Show a send, and how far it has come."""
    return _view(find_send(control, principal, send_id))


@router.get("/{send_id}/events", responses=_READING | refusals(Code.STORE_UNAVAILABLE))
def get_events(control: ControlParts, principal: Reader, send_id: SendId) -> list[EventView]:
    """List what happened to a send, in order: its states, opens and clicks."""
    found, events = find_events(control, principal, send_id)
    return _events(found, events)


@router.get(
    "/{send_id}/content/html",
    response_class=Response,
    responses=_READING | {200: {"content": {"text/html": {}}, "description": "The HTML part, as it was submitted."}},
)
def get_html(control: ControlParts, principal: Reader, send_id: SendId) -> Response:
    """Show the HTML part as it was submitted: its links are the original ones, so looking at it counts no click."""
    return _part(find_content(control, principal, send_id).html, "text/html")


@router.get(
    "/{send_id}/content/text",
    response_class=Response,
    responses=_READING | {200: {"content": {"text/plain": {}}, "description": "The text part."}},
)
def get_text(control: ControlParts, principal: Reader, send_id: SendId) -> Response:
    """Show the text part."""
    return _part(find_content(control, principal, send_id).text, "text/plain")


def _part(part: str | None, media_type: str) -> Response:
    if part is None:
        raise NotFoundError("part: the message has none of this kind")
    return Response(part.encode(), media_type=f"{media_type}; charset=utf-8", headers=_INERT)


def _view(found: FoundSend) -> SendView:
    row = found.send
    return SendView(
        send_id=row.send_id,
        send_key=row.send_key,
        sending_profile_id=found.sending_profile_id,
        from_email_address=row.from_email_address,
        from_name=row.from_name,
        reply_to=row.reply_to,
        recipient_email_address=row.recipient_email_address,
        recipient_name=row.recipient_name,
        subject=row.subject,
        open_tracking=row.open_tracking,
        click_tracking=row.click_tracking,
        tags=row.tags,
        state=row.state,
        state_category=row.state,
        error=row.error,
        created_at_utc=unix_seconds(row.created_at),
        modified_at_utc=unix_seconds(row.modified_at),
        delivery=_delivery(found.postponed) if found.postponed else None,
        link_report=RewriteReport.model_validate(found.link_report) if found.link_report else None,
    )


def _delivery(postponed: Delivery) -> DeliveryView:
    return DeliveryView(
        attempts=postponed.attempts,
        last_error=postponed.last_error or "",
        next_attempt_at_utc=unix_seconds(postponed.next_attempt_at),
    )


def _events(found: FoundSend, events: Sequence[Event]) -> list[EventView]:
    return [_event(found, event) for event in events]


def _event(found: FoundSend, event: Event) -> EventView:
    by_reader, client = event.outcome is not None, event.client
    return EventView(
        event_id=event.event_id,
        event=event.event,
        send_id=found.send.send_id,
        send_key=found.send.send_key,
        sending_profile_id=found.sending_profile_id,
        recipient_email_address=found.send.recipient_email_address,
        tags=found.send.tags,
        occurred_at_utc=unix_seconds(event.occurred_at),
        detail=event.detail,
        link=EventLink(index=link.index, name=link.name, url=link.url, part=link.part)
        if (link := event.link)
        else None,
        outcome=event.outcome,
        client=SoftwareView(name=client.browser, version=client.browser_version) if by_reader else None,
        image_proxy=client.image_proxy,
        os=SoftwareView(name=client.os, version=client.os_version) if by_reader else None,
        device=DeviceView(name=client.device, type=client.device_type) if by_reader else None,
        user_agent=event.user_agent if by_reader else None,
        ip=event.client_address if by_reader else None,
    )
