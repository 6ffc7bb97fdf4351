"""`/api/v1/admin/account`: operators decide on accounts. Extension of SMTPD's API."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from waypost.control.accounts.service import decide, find_account, keep, list_accounts, list_decisions
from waypost.control.blocks.service import blocked_accounts
from waypost.control.context import Control, ControlParts
from waypost.control.errors import Code
from waypost.control.oauth.bearer import Operator
from waypost.control.operators.schema import DecisionView, OperatorsAccountView, Rejection, Retention, Suspension
from waypost.control.paging import DEFAULT_LIMIT, LINK_HEADER, Cursor, Limit, cursor_of, link_next, number_of
from waypost.control.responses import refusals
from waypost.db.states import AccountState
from waypost.db.tables import Account

_PATH = "/api/v1/admin/account"
router = APIRouter(prefix=_PATH, tags=["operators"])

AccountId = Annotated[UUID, Path(description="`account_id` of the account.")]

_OPERATING = refusals(Code.BEARER_INVALID, Code.ROLE_FORBIDS, Code.OPERATORS_ONLY)
_OF_ONE = _OPERATING | refusals(Code.NO_SUCH_OBJECT)
_DECIDING = _OF_ONE | refusals(Code.CONFLICT)
_WRITING = refusals(Code.BODY_MALFORMED, Code.FIELD_INVALID, Code.BODY_TOO_LARGE)
_DECIDING_WHY = _DECIDING | _WRITING


@router.get("", responses=_OPERATING | refusals(Code.FIELD_INVALID) | {200: {"headers": LINK_HEADER}})
def accounts(
    control: ControlParts,
    _operator: Operator,
    response: Response,
    state: Annotated[AccountState | None, Query(description="Only those in this state.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> list[OperatorsAccountView]:
    """List accounts, oldest first."""
    after = 0 if cursor is None else number_of(cursor)
    # One more than asked for tells whether there is another page.
    found = list_accounts(control.database, state=state, after=after, limit=limit + 1)
    page = found[:limit]
    query = {"limit": limit, **({"state": state.value} if state else {})}
    link_next(response, _PATH, query, cursor_of(page[-1].number) if len(found) > limit else None)
    return _seen(control, page)


@router.get("/{account_id}", responses=_OF_ONE)
def get_account(control: ControlParts, _operator: Operator, account_id: AccountId) -> OperatorsAccountView:
    """Show an account."""
    return _seen(control, [find_account(control.database, str(account_id))])[0]


@router.get("/{account_id}/history", responses=_OF_ONE)
def get_history(control: ControlParts, _operator: Operator, account_id: AccountId) -> list[DecisionView]:
    """List what was decided on an account, by whom and why, oldest first."""
    return [DecisionView.of(account_id, row) for row in list_decisions(control.database, account_id)]


@router.put("/{account_id}/approve", responses=_DECIDING)
def approve_account(control: ControlParts, operator: Operator, account_id: AccountId) -> OperatorsAccountView:
    """Let a pending, rejected or suspended account send. Blocked links stay blocked until the block is lifted."""
    return _decide(control, operator.account, account_id, AccountState.APPROVED)


@router.put("/{account_id}/reject", responses=_DECIDING_WHY)
def reject_account(
    control: ControlParts, operator: Operator, account_id: AccountId, body: Rejection
) -> OperatorsAccountView:
    """Turn a pending account down, or a suspended one for good: what it has queued is `rejected`."""
    return _decide(control, operator.account, account_id, AccountState.REJECTED, body.reason)


@router.put("/{account_id}/suspend", responses=_DECIDING_WHY)
def suspend_account(
    control: ControlParts, operator: Operator, account_id: AccountId, body: Suspension
) -> OperatorsAccountView:
    """Stop an approved account's sending at once: what it has queued is held until it is approved or rejected."""
    return _decide(
        control, operator.account, account_id, AccountState.SUSPENDED, body.reason, block_links=body.block_links
    )


@router.put("/{account_id}/retention", responses=_OF_ONE | _WRITING)
def set_retention(
    control: ControlParts, _operator: Operator, account_id: AccountId, body: Retention
) -> OperatorsAccountView:
    """Say how long the content of an account's messages, and what is stored of its readers, is kept.

    Content that is older goes within the hour, the rest within a day, for good.
    """
    days = body.model_dump(exclude_unset=True)
    return _seen(control, [keep(control.database, control.sources, account_id, days)])[0]


def _decide(
    control: Control,
    operator: Account,
    account_id: UUID,
    state: AccountState,
    reason: str | None = None,
    *,
    block_links: bool = False,
) -> OperatorsAccountView:
    decided = decide(
        control.database,
        control.sources,
        account_id,
        state,
        reason=reason,
        decided_by=operator.email,
        block_links=block_links,
    )
    return _seen(control, [decided])[0]


def _seen(control: Control, accounts: Sequence[Account]) -> list[OperatorsAccountView]:
    with control.database.reading() as session:
        blocked = blocked_accounts(session, [account.number for account in accounts])
    return [OperatorsAccountView.seen(account, links_blocked=account.number in blocked) for account in accounts]
