"""`/api/v1/email/send`."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Response

from waypost.control.context import Control, ControlParts
from waypost.control.errors import Code, InvalidFieldError, NotFoundError
from waypost.control.idempotency import KeyHeader, Once, Remember
from waypost.control.links.schema import RewriteReport
from waypost.control.oauth.bearer import Reader, Sender
from waypost.control.oauth.service import Principal
from waypost.control.paging import (
    DEFAULT_LIMIT,
    LINK_HEADER,
    Cursor,
    Limit,
    bad_cursor,
    cursor_of,
    link_next,
    number_of,
    position_of,
)
from waypost.control.responses import ErrorBody, refusals
from waypost.control.sends.acceptance import Taken
from waypost.control.sends.event_schema import EventView
from waypost.control.sends.events import event_views
from waypost.control.sends.recipients import RefusedRecipient, addressees_of, checked, recipients_of
from waypost.control.sends.schema import (
    BatchRecipient,
    BatchView,
    ClicksView,
    CopyKind,
    CopyView,
    DeliveryView,
    NewBatch,
    NewRecipient,
    NewSend,
    SendView,
)
from waypost.control.sends.service import (
    FoundSend,
    accept,
    find_clicks,
    find_content,
    find_events,
    find_send,
    list_sends,
    search_sends,
)
from waypost.control.sends.words import wanted_words
from waypost.control.times import unix_seconds
from waypost.db.states import PrivacyMode
from waypost.db.tables import Delivery, Send
from waypost.links.token import IpPolicy
from waypost.store.rows import Clicks

_PATH = "/api/v1/email/send"
router = APIRouter(prefix=_PATH, tags=["sends"])

SendId = Annotated[UUID, Path(description="`send_id` of the send.")]

MAX_QUERY_CHARACTERS = 256

_COLUMNS = Send.__table__.columns.keys()
_SHOWN_AS_THEY_ARE = [
    name for name in _COLUMNS if name in SendView.model_fields and name not in {"privacy_mode", "ip_policy"}
]

_SENDING = refusals(
    Code.BODY_MALFORMED, Code.FIELD_INVALID, Code.NO_ACTIVE_PROFILE, Code.BEARER_INVALID, Code.ROLE_FORBIDS,
    Code.ACCOUNT_NOT_APPROVED, Code.IDEMPOTENCY_KEY_USED, Code.BODY_TOO_LARGE, Code.DATABASE_UNAVAILABLE,
)  # fmt: skip
_READING = refusals(Code.BEARER_INVALID, Code.ROLE_FORBIDS, Code.NO_SUCH_OBJECT)
_CONTENT = refusals(Code.BEARER_INVALID, Code.ROLE_FORBIDS, Code.NO_SUCH_OBJECT, Code.CONTENT_EXPIRED)
_LISTING = refusals(Code.FIELD_INVALID, Code.BEARER_INVALID, Code.ROLE_FORBIDS) | {200: {"headers": LINK_HEADER}}

# The message is shown on the API's own origin: no script of it may run there, no form be sent, nothing be loaded.
_INERT = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}


@router.post("", status_code=202, response_model=SendView, responses=_SENDING)
async def send(control: ControlParts, principal: Sender, body: NewSend, idempotency_key: KeyHeader = None) -> Response:
    """Send a message. Once this answers 202 the message is on disk and will be tried until it is delivered or fails.

    Each of `cc` and `bcc` gets a send of its own: with its own links, events and delivery.
    """

    async def act(remember: Remember) -> SendView:
        taken = await accept(
            control,
            principal,
            body,
            recipients_of(body),
            lambda session, taken: remember(session, lambda: _accepted(body, taken)),
            addressees=addressees_of(body),
        )
        return _accepted(body, taken)

    return await _once(control, principal, idempotency_key).answer("send", body, 202, act)


@router.post("/batch", status_code=202, response_model=BatchView, responses=_SENDING)
async def send_batch(
    control: ControlParts, principal: Sender, body: NewBatch, idempotency_key: KeyHeader = None
) -> Response:
    """Send one message to up to 1,000 recipients, each with links of its own. Extension.

    The answer says for each recipient what became of it. One that breaks a rule is `refused`, with the `error` that a
    send to it alone would have had, and the others are sent to. When none is left nothing is kept: the answer is 400.
    """
    recipients = await to_thread.run_sync(checked, body.recipients)

    async def act(remember: Remember) -> BatchView:
        accepted = [each for each in recipients if isinstance(each, NewRecipient)]
        taken = await accept(
            control,
            principal,
            body,
            accepted,
            lambda session, taken: remember(session, lambda: _batch(recipients, taken)),
        )
        return await to_thread.run_sync(_batch, recipients, taken)

    return await _once(control, principal, idempotency_key).answer("batch", body, 202, act)


@router.get("", responses=_LISTING)
def sends(
    control: ControlParts, principal: Reader, response: Response, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> list[SendView]:
    """List the account's sends, newest first. What arrives meanwhile shifts no page."""
    # One more than asked for tells whether there is another page.
    found = list_sends(control, principal, before=None if cursor is None else _send_before(cursor), limit=limit + 1)
    page = found[:limit]
    link_next(response, _PATH, {"limit": limit}, cursor_of(page[-1].send.send_id.hex) if len(found) > limit else None)
    return _views(control, principal, page)


@router.get("/search", responses=_LISTING)
def search_for_sends(
    control: ControlParts,
    principal: Reader,
    response: Response,
    *,
    q: Annotated[str, Query(min_length=2, max_length=MAX_QUERY_CHARACTERS, description="Beginnings of words.")],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> list[SendView]:
    """Find sends, newest first, by the beginnings of words: all of `q` must be in one send, in any order.

    The words of a send are those of its recipient's address, its subject and its tags, its `send_id` and its
    `send_key`. Capital and small letters are the same.
    """
    words = wanted_words(q)
    if not words:
        raise InvalidFieldError("q", "must hold letters or digits")
    found = search_sends(
        control, principal, words, before=None if cursor is None else number_of(cursor), limit=limit + 1
    )
    page = found[:limit]
    cursor = cursor_of(page[-1][0]) if len(found) > limit else None
    link_next(response, f"{_PATH}/search", {"q": q, "limit": limit}, cursor)
    return _views(control, principal, [each for _, each in page])


@router.get("/{send_id}", responses=_READING)
def get_send(control: ControlParts, principal: Reader, send_id: SendId) -> SendView:
    """Show a send, and how far it has come."""
    [view] = _views(control, principal, [find_send(control, principal, send_id)])
    return view


@router.get("/{send_id}/events", responses=_READING | refusals(Code.STORE_UNAVAILABLE))
def get_events(control: ControlParts, principal: Reader, send_id: SendId) -> list[EventView]:
    """List what happened to a send, in the order it occurred: its states, opens and clicks."""
    found, events = find_events(control, principal, send_id)
    return event_views(found, events)


@router.get(
    "/{send_id}/content/html",
    response_class=Response,
    responses=_CONTENT | {200: {"content": {"text/html": {}}, "description": "The HTML part, as it was submitted."}},
)
def get_html(control: ControlParts, principal: Reader, send_id: SendId) -> Response:
    """Show the HTML part as it was submitted: its links are the original ones, so looking at it counts no click."""
    return _part(find_content(control, principal, send_id).html, "text/html")


@router.get(
    "/{send_id}/content/text",
    response_class=Response,
    responses=_CONTENT | {200: {"content": {"text/plain": {}}, "description": "The text part."}},
)
def get_text(control: ControlParts, principal: Reader, send_id: SendId) -> Response:
    """Show the text part."""
    return _part(find_content(control, principal, send_id).text, "text/plain")


def _once(control: Control, principal: Principal, key: str | None) -> Once:
    return Once(control.database, control.sources, principal, key)


def _send_before(cursor: str) -> UUID:
    try:
        [send_id] = position_of(cursor)
        return UUID(send_id)
    except ValueError as error:
        raise bad_cursor() from error


def _part(part: str | None, media_type: str) -> Response:
    if part is None:
        raise NotFoundError("part: the message has none of this kind")
    return Response(part.encode(), media_type=f"{media_type}; charset=utf-8", headers=_INERT)


def _views(control: Control, principal: Principal, found: Sequence[FoundSend]) -> list[SendView]:
    """With the clicks of all of them, unless the event store cannot say at once."""
    clicks = find_clicks(control, principal, [each.send.send_id for each in found])
    return [_view(each, None if clicks is None else _clicks(clicks.get(each.send.send_id))) for each in found]


def _clicks(clicks: Clicks | None) -> ClicksView:
    if clicks is None:
        return ClicksView(total=0, human=0, machine=0, unknown=0, first_at_utc=None, first_human_at_utc=None)
    return ClicksView(
        total=clicks.total,
        human=clicks.human,
        machine=clicks.machine,
        unknown=clicks.total - clicks.human - clicks.machine,
        first_at_utc=unix_seconds(clicks.first_at),
        first_human_at_utc=unix_seconds(clicks.first_human_at) if clicks.first_human_at else None,
    )


def _view(found: FoundSend, clicks: ClicksView | None = None) -> SendView:
    send = found.send
    return _view_of(
        {column: getattr(send, column) for column in _COLUMNS},
        found.sending_profile_id,
        found.link_report,
        delivery=_delivery(found.postponed) if found.postponed else None,
        clicks=clicks,
    )


def _view_of(
    row: Mapping[str, Any],
    sending_profile_id: UUID,
    link_report: dict[str, Any] | None,
    delivery: DeliveryView | None = None,
    clicks: ClicksView | None = None,
) -> SendView:
    """What is shown of a send, given the values of its row."""
    return SendView(
        **{name: row[name] for name in _SHOWN_AS_THEY_ARE},
        sending_profile_id=sending_profile_id,
        state_category=row["state"],
        created_at_utc=unix_seconds(row["created_at"]),
        modified_at_utc=unix_seconds(row["modified_at"]),
        delivery=delivery,
        clicks=clicks,
        # A release before this one wrote neither.
        privacy_mode=row["privacy_mode"] or PrivacyMode.IDENTIFIED,
        ip_policy=row["ip_policy"] or IpPolicy.FULL,
        # Of a batch, the report is that of those who may be tracked.
        link_report=None if row["privacy_mode"] is PrivacyMode.OFF else _report(link_report),
        content_expired=row["content_id"] is None,
    )


def _report(report: dict[str, Any] | None) -> RewriteReport | None:
    return RewriteReport.model_validate(report) if report else None


def _accepted(asked: NewSend, taken: Taken) -> SendView:
    row, *copied = taken.sends
    view = _view_of(row, taken.profile.public_id, taken.report)
    kinds = [CopyKind.CC] * len(asked.cc or ()) + [CopyKind.BCC] * len(asked.bcc or ())
    copies = [
        CopyView(
            kind=kind,
            recipient_email_address=copy["recipient_email_address"],
            send_id=copy["send_id"],
            send_key=copy["send_key"],
        )
        for kind, copy in zip(kinds, copied, strict=True)
    ]
    return view.model_copy(update={"copies": copies or None})


def _batch(recipients: Sequence[NewRecipient | RefusedRecipient], taken: Taken) -> BatchView:
    sends = iter(taken.sends)
    return BatchView(
        sending_profile_id=taken.profile.public_id,
        accepted=len(taken.sends),
        refused=len(recipients) - len(taken.sends),
        recipients=[
            _of_batch(index, next(sends) if isinstance(each, NewRecipient) else each)
            for index, each in enumerate(recipients)
        ],
        link_report=_report(taken.report),
        error=taken.error,
        created_at_utc=unix_seconds(taken.sends[0]["created_at"]),
    )


def _of_batch(index: int, became: Mapping[str, Any] | RefusedRecipient) -> BatchRecipient:
    if isinstance(became, RefusedRecipient):
        error = ErrorBody(code=Code.FIELD_INVALID, message=became.message)
        return BatchRecipient(index=index, recipient_email_address=became.address, state="refused", error=error)
    return BatchRecipient(
        index=index,
        recipient_email_address=became["recipient_email_address"],
        state="accepted",
        send_id=became["send_id"],
        send_key=became["send_key"],
    )


def _delivery(postponed: Delivery) -> DeliveryView:
    return DeliveryView(
        attempts=postponed.attempts,
        last_error=postponed.last_error or "",
        next_attempt_at_utc=unix_seconds(postponed.next_attempt_at),
    )
