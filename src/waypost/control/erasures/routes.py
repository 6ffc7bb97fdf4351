"""`/api/v1/erasure`: extension of SMTPD's API."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

from waypost.control.context import ControlParts
from waypost.control.erasures.schema import ErasureView, NewErasure
from waypost.control.erasures.service import ask_for_erasure, find_erasure
from waypost.control.errors import Code, OperatorsOnlyError
from waypost.control.oauth.bearer import Eraser
from waypost.control.responses import refusals

router = APIRouter(prefix="/api/v1/erasure", tags=["sends"])


@router.post(
    "",
    status_code=202,
    responses=refusals(
        Code.BODY_MALFORMED, Code.FIELD_INVALID, Code.BEARER_INVALID, Code.ROLE_FORBIDS, Code.OPERATORS_ONLY,
        Code.BODY_TOO_LARGE,
    ),
)  # fmt: skip
def create_erasure(control: ControlParts, principal: Eraser, body: NewErasure) -> ErasureView:
    """Erase every trace of a recipient: sends, content, mail still queued, and who was behind clicks and opens.

    Done within a minute, and purged from the stores' files within 24 hours. Counts by link stay. Links in mail that she
    has go on working; what comes of them is stored anonymous. Mail accepted later is not concerned.
    """
    account = principal.account
    if body.all_accounts and not account.is_operator:
        raise OperatorsOnlyError
    asked = ask_for_erasure(
        control.database,
        control.sources,
        control.control_key,
        body.recipient_email_address,
        account=None if body.all_accounts else account.number,
        asked_by=account.email,
    )
    return ErasureView.of(asked)


@router.get(
    "/{erasure_id}",
    responses=refusals(Code.FIELD_INVALID, Code.BEARER_INVALID, Code.ROLE_FORBIDS, Code.NO_SUCH_OBJECT),
)
def get_erasure(
    control: ControlParts,
    principal: Eraser,
    erasure_id: Annotated[UUID, Path(description="`erasure_id` of the erasure.")],
) -> ErasureView:
    """Say how far an erasure is, and what it did."""
    account = principal.account
    return ErasureView.of(find_erasure(control.database, erasure_id, None if account.is_operator else account.number))
