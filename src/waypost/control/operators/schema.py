"""What operators decide, and what they see."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from waypost.control.accounts.schema import MAX_DAYS, AccountView, ReadersRetention, account_fields
from waypost.control.fields import Reason, RequestModel
from waypost.control.times import unix_seconds
from waypost.db.states import AccountState
from waypost.db.tables import Account, AccountDecision


class Rejection(RequestModel):
    """Why an account is turned down."""

    reason: Annotated[Reason, Field(description="The owner sees it.")]


class Suspension(RequestModel):
    """Why an account may send no more."""

    reason: Annotated[Reason, Field(description="The owner sees it.")]
    block_links: Annotated[
        bool,
        Field(
            description="Whether every link of the account answers 410 too, until the block is lifted with "
            "`DELETE /api/v1/link/block/{block_id}`."
        ),
    ] = False


class Retention(ReadersRetention):
    """How long what an account sends, and what is stored of its readers, is kept.

    A field that is left out stays as it is.
    """

    content_days: Annotated[
        Annotated[int, Field(ge=1, le=MAX_DAYS)] | None,
        Field(description="Of content and link reports, from when they were accepted; null: as the install has it."),
    ] = None


class OperatorsAccountView(AccountView):
    """An account as operators see it."""

    is_operator: bool
    content_days: Annotated[
        int | None, Field(description="How long content and link reports are kept; null: as the install has it.")
    ]
    links_blocked: Annotated[bool, Field(description="Whether every link of the account is switched off.")]

    @classmethod
    def seen(cls, account: Account, *, links_blocked: bool) -> "OperatorsAccountView":
        """With what stands in other tables."""
        return cls(
            **account_fields(account),
            is_operator=account.is_operator,
            content_days=account.content_days,
            links_blocked=links_blocked,
        )


class DecisionView(BaseModel):
    """One step in an account's approval history."""

    account_id: UUID
    state: Annotated[AccountState, Field(description="What the account became.")]
    reason: str | None
    decided_by: Annotated[str, Field(description="An operator's e-mail address, or `cli`.")]
    decided_at_utc: Annotated[int, Field(description="Unix seconds.")]

    @classmethod
    def of(cls, account: UUID, row: AccountDecision) -> "DecisionView":
        """As it is listed."""
        return cls(
            account_id=account,
            state=row.state,
            reason=row.reason,
            decided_by=row.decided_by,
            decided_at_utc=unix_seconds(row.decided_at),
        )
