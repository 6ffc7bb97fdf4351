"""Accounts, and the decisions of operators on them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import or_, select

from waypost.control.accounts.schema import NewAccount
from waypost.control.errors import ConflictError, NotFoundError
from waypost.control.sources import Sources
from waypost.db import Database
from waypost.db.states import AccountState
from waypost.db.tables import Account, AccountDecision

# Which decisions an account in a state can meet. One that changes nothing is a conflict: the operator meant another.
DECISIONS: Mapping[AccountState, frozenset[AccountState]] = MappingProxyType(
    {
        AccountState.PENDING: frozenset({AccountState.APPROVED, AccountState.REJECTED}),
        AccountState.APPROVED: frozenset({AccountState.SUSPENDED}),
        AccountState.REJECTED: frozenset({AccountState.APPROVED}),
        AccountState.SUSPENDED: frozenset({AccountState.APPROVED}),
    }
)


def create_account(database: Database, sources: Sources, new: NewAccount) -> Account:
    """Create a `pending` account.

    Raises:
        ConflictError: the address has an account already.
    """
    now = sources.now()
    with database.writing() as session:
        if session.scalars(select(Account.number).where(Account.email == new.email)).first() is not None:
            raise ConflictError(f"email: there is an account for {new.email} already")
        account = Account(
            public_id=sources.public_id(),
            name=new.name,
            email=new.email,
            created_at=now,
            modified_at=now,
        )
        session.add(account)
    return account


def find_account(database: Database, id_or_email: str) -> Account:
    """The account with this public id or e-mail address.

    Raises:
        NotFoundError: there is none.
    """
    try:
        public_id = UUID(id_or_email)
    except ValueError:
        public_id = None
    with database.reading() as session:
        account = session.scalars(
            select(Account).where(or_(Account.public_id == public_id, Account.email == id_or_email))
        ).one_or_none()
    if account is None:
        raise NotFoundError("account")
    return account


def list_accounts(database: Database) -> Sequence[Account]:
    """Every account, oldest first."""
    with database.reading() as session:
        return session.scalars(select(Account).order_by(Account.number)).all()


def decide(
    database: Database,
    sources: Sources,
    account: UUID,
    state: AccountState,
    *,
    reason: str | None = None,
    decided_by: str,
) -> Account:
    """Approve, reject or suspend an account, and note it in its history.

    Args:
        database: the control database.
        sources: clock.
        account: its public id.
        state: approved, rejected or suspended.
        reason: for the owner to read; forgotten on approval.
        decided_by: `cli`, or the operator's e-mail address.

    Raises:
        NotFoundError: there is no such account.
        ConflictError: an account in its state cannot meet this decision; `DECISIONS` is the table.
    """
    now = sources.now()
    with database.writing() as session:
        row = session.scalars(select(Account).where(Account.public_id == account).with_for_update()).one_or_none()
        if row is None:
            raise NotFoundError("account")
        if state not in DECISIONS[row.state]:
            allowed = " or ".join(sorted(DECISIONS[row.state]))
            raise ConflictError(f"the account is {row.state}: it can become {allowed}, not {state}")
        row.state = state
        row.rejected_reason = None if state is AccountState.APPROVED else reason
        row.modified_at = now
        session.add(
            AccountDecision(account=row.number, state=state, reason=reason, decided_by=decided_by, decided_at=now)
        )
    return row
