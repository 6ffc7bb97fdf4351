"""`/api/v1/email/send`: lists, and one send."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from waypost.control.context import ControlParts
from waypost.control.errors import Code, InvalidFieldError, NotFoundError
from waypost.control.oauth.bearer import Reader
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
from waypost.control.responses import refusals
from waypost.control.sends.event_schema import EventView
from waypost.control.sends.events import event_views
from waypost.control.sends.schema import SendView
from waypost.control.sends.service import (
    find_content,
    find_events,
    find_send,
    list_sends,
    search_sends,
)
from waypost.control.sends.views import send_views
from waypost.control.sends.words import wanted_words

_PATH = "/api/v1/email/send"
router = APIRouter(prefix=_PATH, tags=["sends"])

SendId = Annotated[UUID, Path(description="`send_id` of the send.")]

MAX_QUERY_CHARACTERS = 256

_READING = refusals(Code.BEARER_INVALID, Code.ROLE_FORBIDS, Code.NO_SUCH_OBJECT)
_CONTENT = refusals(Code.BEARER_INVALID, Code.ROLE_FORBIDS, Code.NO_SUCH_OBJECT, Code.CONTENT_EXPIRED)
_LISTING = refusals(Code.FIELD_INVALID, Code.BEARER_INVALID, Code.ROLE_FORBIDS) | {200: {"headers": LINK_HEADER}}

# The message is shown on the API's own origin: no script of it may run there, no form be sent, nothing be loaded.
_INERT = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}


@router.get("", responses=_LISTING)
def sends(
    control: ControlParts, principal: Reader, response: Response, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> list[SendView]:
    """List the account's sends, newest first. What arrives meanwhile shifts no page."""
    # One more than asked for tells whether there is another page.
    found = list_sends(control, principal, before=None if cursor is None else _send_before(cursor), limit=limit + 1)
    page = found[:limit]
    link_next(response, _PATH, {"limit": limit}, cursor_of(page[-1].send.send_id.hex) if len(found) > limit else None)
    return send_views(control, principal, page)


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
    return send_views(control, principal, [each for _, each in page])


@router.get("/{send_id}", responses=_READING)
def get_send(control: ControlParts, principal: Reader, send_id: SendId) -> SendView:
    """Show a send, and how far it has come."""
    [view] = send_views(control, principal, [find_send(control, principal, send_id)])
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
