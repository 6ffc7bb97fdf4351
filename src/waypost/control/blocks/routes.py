"""`/api/v1/link/block`: extension of SMTPD's API."""

from uuid import UUID

from fastapi import APIRouter

from waypost.control.blocks.schema import BlockBody, NewBlock
from waypost.control.blocks.service import Asker, add_block, list_blocks, remove_block
from waypost.control.context import ControlParts
from waypost.control.errors import Code
from waypost.control.oauth.bearer import Blocker
from waypost.control.oauth.service import Principal
from waypost.control.responses import refusals
from waypost.control.times import unix_seconds
from waypost.db.tables import Block

router = APIRouter(prefix="/api/v1/link/block", tags=["links"])


@router.post(
    "",
    status_code=201,
    responses=refusals(
        Code.BODY_MALFORMED, Code.FIELD_INVALID, Code.BEARER_INVALID, Code.ROLE_FORBIDS, Code.NO_SUCH_OBJECT,
        Code.BODY_TOO_LARGE,
    ),
)  # fmt: skip
def create_block(control: ControlParts, principal: Blocker, body: NewBlock) -> BlockBody:
    """Switch off a link, or all links of a send or a profile: every edge answers 410 within five seconds."""
    keyring = control.keyring()
    return _body(add_block(control.database, control.sources, keyring, _asker(principal), body))


@router.get("", responses=refusals(Code.BEARER_INVALID, Code.ROLE_FORBIDS))
def blocks(control: ControlParts, principal: Blocker) -> list[BlockBody]:
    """List what is switched off, oldest first."""
    return [_body(block) for block in list_blocks(control.database, _asker(principal).account)]


@router.delete(
    "/{block_id}",
    status_code=204,
    responses=refusals(
        Code.FIELD_INVALID, Code.BEARER_INVALID, Code.ROLE_FORBIDS, Code.OPERATORS_ONLY, Code.NO_SUCH_OBJECT,
    ),
)  # fmt: skip
def delete_block(control: ControlParts, principal: Blocker, block_id: UUID) -> None:
    """Switch it on again. What an operator blocked, only an operator lifts."""
    remove_block(control.database, control.sources, _asker(principal), block_id)


def _asker(principal: Principal) -> Asker:
    account = principal.account
    return Asker(account.email, None if account.is_operator else account)


def _body(block: Block) -> BlockBody:
    return BlockBody(
        block_id=block.public_id,
        kind=block.kind,
        value=block.value,
        reason=block.reason,
        created_by=block.created_by,
        created_at_utc=unix_seconds(block.created_at),
    )
