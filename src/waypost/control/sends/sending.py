"""`POST /api/v1/email/send` and `/batch`."""

from anyio import to_thread
from fastapi import APIRouter, Response

from waypost.control.context import SenderParts, SendingParts
from waypost.control.direct import direct_route
from waypost.control.errors import Code
from waypost.control.idempotency import KeyHeader, Once, Remember
from waypost.control.oauth.bearer import Sender
from waypost.control.oauth.service import Principal
from waypost.control.permissions import Permission
from waypost.control.responses import refusals
from waypost.control.sends.acceptance import Order
from waypost.control.sends.recipients import addressees_of, checked, recipients_of
from waypost.control.sends.schema import BatchView, NewBatch, NewRecipient, NewSend, SendView
from waypost.control.sends.service import accept
from waypost.control.sends.views import accepted_view, batch_view

router = APIRouter(prefix="/api/v1/email/send", tags=["sends"])

_SENDING = refusals(
    Code.BODY_MALFORMED, Code.FIELD_INVALID, Code.NO_ACTIVE_PROFILE, Code.BEARER_INVALID, Code.ROLE_FORBIDS,
    Code.ACCOUNT_NOT_APPROVED, Code.IDEMPOTENCY_KEY_USED, Code.BODY_TOO_LARGE, Code.DATABASE_UNAVAILABLE,
)  # fmt: skip


async def send(control: SenderParts, principal: Sender, body: NewSend, idempotency_key: KeyHeader = None) -> Response:
    """Send a message. Once this answers 202 the message is on disk and will be tried until it is delivered or fails.

    Each of `cc` and `bcc` gets a send of its own: with its own links, events and delivery.
    """

    async def act(remember: Remember) -> SendView:
        order = Order(
            account=principal.account.number,
            unconfirmed=principal.unconfirmed,
            message=body,
            recipients=recipients_of(body),
            addressees=addressees_of(body),
            request=remember.request,
            view_of=lambda taken: accepted_view(body, taken),
        )
        taken = await accept(control, principal, order)
        return accepted_view(body, taken)

    return await _once(control, principal, idempotency_key).answer("send", body, 202, act)


router.add_api_route(
    "",
    send,
    methods=["POST"],
    status_code=202,
    response_model=SendView,
    responses=_SENDING,
    route_class_override=direct_route(NewSend, Permission.SEND),
)


@router.post("/batch", status_code=202, response_model=BatchView, responses=_SENDING)
async def send_batch(
    control: SenderParts, principal: Sender, body: NewBatch, idempotency_key: KeyHeader = None
) -> Response:
    """Send one message to up to 1,000 recipients, each with links of its own. Extension.

    The answer says for each recipient what became of it. One that breaks a rule is `refused`, with the `error` that a
    send to it alone would have had, and the others are sent to. When none is left nothing is kept: the answer is 400.
    """
    recipients = await to_thread.run_sync(checked, body.recipients)

    async def act(remember: Remember) -> BatchView:
        order = Order(
            account=principal.account.number,
            unconfirmed=principal.unconfirmed,
            message=body,
            recipients=[each for each in recipients if isinstance(each, NewRecipient)],
            addressees=None,
            request=remember.request,
            view_of=lambda taken: batch_view(recipients, taken),
        )
        taken = await accept(control, principal, order)
        return await to_thread.run_sync(batch_view, recipients, taken)

    return await _once(control, principal, idempotency_key).answer("batch", body, 202, act)


def _once(control: SendingParts, principal: Principal, key: str | None) -> Once:
    return Once(control.database, control.sources, principal.account.number, key)
