"""Accounts, and the decisions of operators on them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from waypost.control.accounts.schema import AccountPrivacy, NewAccount
from waypost.control.blocks.service import block_account
from waypost.control.errors import ConflictError, NotFoundError
from waypost.control.keys.schema import NewApiKey
from waypost.control.keys.service import CreatedApiKey, new_api_key, new_password
from waypost.control.sources import Sources
from waypost.db import Database, insert_new
from waypost.db.states import AccountState, Role
from waypost.db.tables import Account, AccountDecision, WebhookEndpoint

# Which decisions an account in a state can meet. One that changes nothing is a conflict: the operator meant another.
DECISIONS: Mapping[AccountState, frozenset[AccountState]] = MappingProxyType(
    {
        AccountState.PENDING: frozenset({AccountState.APPROVED, AccountState.REJECTED}),
        AccountState.APPROVED: frozenset({AccountState.SUSPENDED}),
        AccountState.REJECTED: frozenset({AccountState.APPROVED}),
        AccountState.SUSPENDED: frozenset({AccountState.APPROVED, AccountState.REJECTED}),
    }
)
KEPT_DAYS: Final = frozenset({"content_days", "event_days", "address_days", "user_agent_days"})


def create_account(database: Database, sources: Sources, new: NewAccount) -> Account:
    """Create a `pending` account.

    Raises:
        ConflictError: the address has an account already.
    """
    with database.writing() as session:
        return _insert(session, sources, new)


def sign_up(database: Database, sources: Sources, new: NewAccount) -> tuple[Account, CreatedApiKey]:
    """Create a `pending` account with a key to set it up with and, when one is chosen, a password.

    Raises:
        ConflictError: the address has an account already.
    """
    with database.writing() as session:
        account = _insert(session, sources, new)
        if new.password is not None:
            session.add(new_password(sources, account.number, new.password))
        # Hashes within the transaction, for once: there are `limits.SIGN_UPS` of these at most.
        created = new_api_key(sources, account.number, NewApiKey(name="first key", role=Role.IAC))
        session.add(created.api_key)
    return account, created


def _insert(session: Session, sources: Sources, new: NewAccount) -> Account:
    now = sources.now()
    row = Account(public_id=sources.public_id(), name=new.name, email=new.email, created_at=now, modified_at=now)
    account = insert_new(session, row)
    if account is None:
        raise ConflictError(f"email: there is an account for {new.email} already")
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


def list_accounts(
    database: Database, *, state: AccountState | None = None, after: int = 0, limit: int | None = None
) -> Sequence[Account]:
    """Accounts, oldest first.

    Args:
        database: the control database.
        state: only those in this state.
        after: only those with a higher number.
        limit: at most so many; None: all.
    """
    accounts = select(Account).where(Account.number > after).order_by(Account.number).limit(limit)
    if state is not None:
        accounts = accounts.where(Account.state == state)
    with database.reading() as session:
        return session.scalars(accounts).all()


def list_decisions(database: Database, account: UUID) -> Sequence[AccountDecision]:
    """The approval history of an account, oldest first.

    Raises:
        NotFoundError: there is no such account.
    """
    with database.reading() as session:
        number = session.scalars(select(Account.number).where(Account.public_id == account)).one_or_none()
        if number is None:
            raise NotFoundError("account")
        return session.scalars(
            select(AccountDecision).where(AccountDecision.account == number).order_by(AccountDecision.number)
        ).all()


def keep(database: Database, sources: Sources, account: UUID, days: Mapping[str, int | None]) -> Account:
    """Say how long what an account sends, and what is stored of its readers, is kept.

    Args:
        database: the control database.
        sources: clock.
        account: its public id.
        days: by column of `accounts`, those of `KEPT_DAYS`; None: as the setting has it. Others stay as they are.

    Raises:
        NotFoundError: there is no such account.
    """
    with database.writing() as session:
        row = session.scalars(select(Account).where(Account.public_id == account).with_for_update()).one_or_none()
        if row is None:
            raise NotFoundError("account")
        for column in KEPT_DAYS & days.keys():
            setattr(row, column, days[column])
        row.modified_at = sources.now()
    return row


def set_privacy(database: Database, sources: Sources, account: UUID, said: AccountPrivacy) -> Account:
    """Say what holds for messages that are accepted from now on and say nothing else.

    Raises:
        NotFoundError: there is no such account.
    """
    with database.writing() as session:
        row = session.scalars(select(Account).where(Account.public_id == account).with_for_update()).one_or_none()
        if row is None:
            raise NotFoundError("account")
        row.privacy_mode, row.ip_policy, row.modified_at = said.privacy_mode, said.ip_policy, sources.now()
    return row


def decide(
    database: Database,
    sources: Sources,
    account: UUID,
    state: AccountState,
    *,
    reason: str | None = None,
    decided_by: str,
    block_links: bool = False,
) -> Account:
    """Approve, reject or suspend an account, and note it in its history.

    Args:
        database: the control database.
        sources: clock.
        account: its public id.
        state: approved, rejected or suspended.
        reason: for the owner to read; forgotten on approval.
        decided_by: `cli`, or the operator's e-mail address.
        block_links: switch off every link of the account too; needs a reason. It stays so until the block is lifted.

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
        if state is AccountState.APPROVED:
            # Nothing was sent to its webhooks meanwhile: that was no failure of theirs.
            session.execute(
                update(WebhookEndpoint).where(WebhookEndpoint.account == row.number).values(failing_since=None)
            )
        session.add(
            AccountDecision(account=row.number, state=state, reason=reason, decided_by=decided_by, decided_at=now)
        )
        if block_links:
            block_account(session, sources, row, reason=reason or "", created_by=decided_by)
    return row
