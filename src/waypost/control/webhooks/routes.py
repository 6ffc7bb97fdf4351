"""`/api/v1/webhook`: extension of SMTPD's API."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from waypost.control.context import ControlParts
from waypost.control.errors import Code
from waypost.control.oauth.bearer import Manager, ProfileReader
from waypost.control.paging import DEFAULT_LIMIT, LINK_HEADER, Cursor, Limit, cursor_of, link_next, number_of
from waypost.control.responses import NO_STORE, refusals
from waypost.control.webhooks.schema import (
    ChangedEndpoint,
    EndpointSecretView,
    EndpointView,
    MessageView,
    NewEndpoint,
    ReplayedPeriod,
    ReplayedView,
    RotatedSecret,
)
from waypost.control.webhooks.service import (
    change_endpoint,
    create_endpoint,
    delete_endpoint,
    find_endpoint,
    find_message,
    list_endpoints,
    list_messages,
    replay_message,
    replay_period,
    rotate_secret,
    send_test,
)
from waypost.db.states import NoticeState
from waypost.webhooks.queue import REPLAYED_MAX

_PATH = "/api/v1/webhook"
router = APIRouter(prefix=_PATH, tags=["webhooks"])

EndpointId = Annotated[UUID, Path(description="`endpoint_id` of the endpoint.")]
MessageId = Annotated[UUID, Path(description="`message_id` of the message: its `webhook-id`.")]

_ALL = refusals(Code.BEARER_INVALID, Code.ROLE_FORBIDS)
_OF_ONE = _ALL | refusals(Code.NO_SUCH_OBJECT)
_WITH_BODY = refusals(Code.BODY_MALFORMED, Code.FIELD_INVALID, Code.BODY_TOO_LARGE)


@router.post("", status_code=201, responses=_ALL | _WITH_BODY | refusals(Code.CONFLICT))
def create_webhook(
    control: ControlParts, principal: Manager, response: Response, body: NewEndpoint
) -> EndpointSecretView:
    """Create an endpoint that is told of events. Its secret is shown here and never again."""
    endpoint, secret = create_endpoint(control, principal.account, body)
    response.headers["Cache-Control"] = NO_STORE
    return EndpointSecretView.with_secret(endpoint, secret)


@router.get("", responses=_ALL)
def webhooks(control: ControlParts, principal: ProfileReader) -> list[EndpointView]:
    """List the account's endpoints, oldest first."""
    return [EndpointView.of(row) for row in list_endpoints(control, principal.account)]


@router.get("/{endpoint_id}", responses=_OF_ONE)
def get_webhook(control: ControlParts, principal: ProfileReader, endpoint_id: EndpointId) -> EndpointView:
    """Show an endpoint."""
    return EndpointView.of(find_endpoint(control, principal.account, endpoint_id))


@router.patch("/{endpoint_id}", responses=_OF_ONE | _WITH_BODY)
def change_webhook(
    control: ControlParts, principal: Manager, endpoint_id: EndpointId, body: ChangedEndpoint
) -> EndpointView:
    """Change an endpoint, or enable it again."""
    return EndpointView.of(change_endpoint(control, principal.account, endpoint_id, body))


@router.delete("/{endpoint_id}", status_code=204, responses=_OF_ONE)
def delete_webhook(control: ControlParts, principal: Manager, endpoint_id: EndpointId) -> None:
    """Delete an endpoint: what it was still to be told is not sent any more."""
    delete_endpoint(control, principal.account, endpoint_id)


@router.post("/{endpoint_id}/rotate_secret", responses=_OF_ONE | _WITH_BODY)
def rotate_webhook_secret(
    control: ControlParts, principal: Manager, response: Response, endpoint_id: EndpointId, body: RotatedSecret
) -> EndpointSecretView:
    """Make a new secret, shown here and never again. For a while messages are signed with the one before too."""
    endpoint, secret = rotate_secret(control, principal.account, endpoint_id, body.overlap_seconds)
    response.headers["Cache-Control"] = NO_STORE
    return EndpointSecretView.with_secret(endpoint, secret)


@router.post(
    "/{endpoint_id}/test", status_code=202, responses=_OF_ONE | refusals(Code.CONFLICT, Code.ACCOUNT_NOT_APPROVED)
)
def test_webhook(control: ControlParts, principal: Manager, endpoint_id: EndpointId) -> MessageView:
    """Send a message of type `test`: it is an attempt like any other, with its retries."""
    principal.require_approved()
    return MessageView.of(*send_test(control, principal.account, endpoint_id))


@router.post("/{endpoint_id}/replay", status_code=202, responses=_OF_ONE | _WITH_BODY | refusals(Code.CONFLICT))
def replay_webhook(
    control: ControlParts, principal: Manager, endpoint_id: EndpointId, body: ReplayedPeriod
) -> ReplayedView:
    """Send again every message of a period that failed for good, such as after an outage of the receiver."""
    replayed = replay_period(control, principal.account, endpoint_id, body)
    return ReplayedView(replayed=replayed, more=replayed == REPLAYED_MAX)


@router.get(
    "/{endpoint_id}/message",
    responses=_OF_ONE | refusals(Code.FIELD_INVALID) | {200: {"headers": LINK_HEADER}},
)
def webhook_messages(  # noqa: PLR0917 -- FastAPI hands them over by name
    control: ControlParts,
    principal: ProfileReader,
    response: Response,
    endpoint_id: EndpointId,
    state: Annotated[NoticeState | None, Query(description="Only messages in this state.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> list[MessageView]:
    """List what an endpoint was told, newest first, with every attempt."""
    before = None if cursor is None else number_of(cursor)
    found = list_messages(control, principal.account, endpoint_id, state=state, before=before, limit=limit + 1)
    page = found[:limit]
    query: dict[str, int | str] = {"limit": limit} | ({} if state is None else {"state": state.value})
    more = cursor_of(page[-1][0].number) if len(found) > limit else None
    link_next(response, f"{_PATH}/{endpoint_id}/message", query, more)
    return [MessageView.of(*message) for message in page]


@router.get("/{endpoint_id}/message/{message_id}", responses=_OF_ONE)
def get_webhook_message(
    control: ControlParts, principal: ProfileReader, endpoint_id: EndpointId, message_id: MessageId
) -> MessageView:
    """Show a message to an endpoint, with every attempt."""
    return MessageView.of(*find_message(control, principal.account, endpoint_id, message_id))


@router.post("/{endpoint_id}/message/{message_id}/replay", status_code=202, responses=_OF_ONE | refusals(Code.CONFLICT))
def replay_webhook_message(
    control: ControlParts, principal: Manager, endpoint_id: EndpointId, message_id: MessageId
) -> MessageView:
    """Send a message again, under the same `webhook-id`."""
    return MessageView.of(*replay_message(control, principal.account, endpoint_id, message_id))
