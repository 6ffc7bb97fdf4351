"""API keys: shown once, kept hashed, revoked at once; and passwords, which are keys whose secret the owner chose."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from waypost.control.errors import NotFoundError
from waypost.control.keys.hashing import hash_secret, secret_matches
from waypost.control.keys.schema import NewApiKey
from waypost.control.sources import Sources
from waypost.db import Database, insert_new
from waypost.db.states import Role
from waypost.db.tables import Account, ApiKey, AuthSession

# smtpd-compatible: a key that nobody has logged in with for this long is revoked.
IDLE_LIMIT = timedelta(days=90)
# A key is public and only has to be unlikely to collide; its secret has to be impossible to guess.
KEY_BYTES = 15
SECRET_BYTES = 32
# An application that logs in for each message has a million in a month; nobody looks at so many.
MAX_SESSIONS = 1000


@dataclass(frozen=True, slots=True)
class CreatedApiKey:
    """A new key with its secret, which is nowhere else and cannot be shown again."""

    api_key: ApiKey
    secret: str = field(repr=False)


def new_api_key(sources: Sources, account: int, new: NewApiKey) -> CreatedApiKey:
    """A key for the account of this number, not stored yet. Hashing takes long: call it outside a transaction."""
    key, secret = _new_key(sources), sources.token(SECRET_BYTES)
    return CreatedApiKey(
        ApiKey(
            public_id=sources.public_id(),
            account=account,
            name=new.name,
            role=new.role,
            key=key,
            secret_hash=hash_secret(secret),
            created_at=sources.now(),
        ),
        secret,
    )


def new_password(sources: Sources, account: int, password: str) -> ApiKey:
    """A password of the account of this number, not stored yet. Hashing takes long: as `new_api_key`."""
    return ApiKey(
        public_id=sources.public_id(),
        account=account,
        name="password",
        role=Role.STANDARD,
        key=_new_key(sources),
        secret_hash=hash_secret(password),
        is_password=True,
        created_at=sources.now(),
    )


def set_password(database: Database, sources: Sources, account: UUID, password: str) -> ApiKey:
    """Give an account a password; the one before ends, with its sessions.

    Raises:
        NotFoundError: there is no such account.
    """
    with database.reading() as session:
        number = _account_number(session, account)
    wanted = new_password(sources, number, password)
    with database.writing() as session:
        if (row := insert_new(session, wanted)) is not None:
            return row
        held = select(ApiKey).where(ApiKey.account == number, ApiKey.is_password).with_for_update()
        row = session.scalars(held).one()
        row.secret_hash, row.created_at = wanted.secret_hash, wanted.created_at
        row.last_used_at = row.revoked_at = None
        still_good = (AuthSession.api_key == row.number, AuthSession.revoked_at.is_(None))
        session.execute(update(AuthSession).where(*still_good).values(revoked_at=wanted.created_at))
    return row


def create_api_key(database: Database, sources: Sources, account: UUID, new: NewApiKey) -> CreatedApiKey:
    """Give an account a key.

    Raises:
        NotFoundError: there is no such account.
    """
    with database.reading() as session:
        number = _account_number(session, account)
    created = new_api_key(sources, number, new)
    with database.writing() as session:
        session.add(created.api_key)
    return created


def list_api_keys(database: Database, account: UUID) -> Sequence[ApiKey]:
    """Every key of an account, oldest first, revoked ones included.

    Raises:
        NotFoundError: there is no such account.
    """
    with database.reading() as session:
        number = _account_number(session, account)
        return session.scalars(select(ApiKey).where(ApiKey.account == number).order_by(ApiKey.number)).all()


def find_api_key(database: Database, account: Account, api_key: UUID) -> ApiKey:
    """A key of the account.

    Raises:
        NotFoundError: none of this id, or another account's.
    """
    with database.reading() as session:
        return _owned(session, account, api_key)


def list_sessions(database: Database, sources: Sources, account: Account, api_key: UUID) -> Sequence[AuthSession]:
    """The newest `MAX_SESSIONS` of a key of the account whose refresh tokens have not expired, newest first.

    Raises:
        NotFoundError: no such key, or another account's.
    """
    with database.reading() as session:
        key = _owned(session, account, api_key)
        return session.scalars(
            select(AuthSession)
            .where(AuthSession.api_key == key.number, AuthSession.expires_at > sources.now())
            .order_by(AuthSession.number.desc())
            .limit(MAX_SESSIONS)
        ).all()


def revoke_api_key(database: Database, sources: Sources, api_key: UUID) -> ApiKey:
    """End a key: its logins fail and its access tokens are refused from now on. Doing it twice changes nothing.

    Raises:
        NotFoundError: there is no such key.
    """
    with database.writing() as session:
        row = session.scalars(select(ApiKey).where(ApiKey.public_id == api_key)).one_or_none()
        if row is None:
            raise NotFoundError("API key")
        row.revoked_at = row.revoked_at or sources.now()
    return row


def revoke_idle_keys(database: Database, sources: Sources) -> int:
    """Revoke every key that nobody has logged in with for `IDLE_LIMIT`; how many there were."""
    now = sources.now()
    idle = update(ApiKey).where(
        ApiKey.revoked_at.is_(None), func.coalesce(ApiKey.last_used_at, ApiKey.created_at) < now - IDLE_LIMIT
    )
    with database.writing() as session:
        return len(session.execute(idle.values(revoked_at=now).returning(ApiKey.number)).all())


def authenticate(database: Database, sources: Sources, key: str, secret: str) -> ApiKey | None:
    """The key that `key` and `secret` stand for; None when they do not, or when it is revoked or idle too long.

    Args:
        database: the control database.
        sources: clock.
        key: or the e-mail address of an account that has a password.
        secret: or that password.
    """
    query = select(ApiKey).where(ApiKey.key == key)
    if "@" in key:
        of_account = select(Account.number).where(Account.email == key).scalar_subquery()
        query = select(ApiKey).where(ApiKey.is_password, ApiKey.account == of_account)
    with database.reading() as session:
        # What cannot be a key is not looked for: PostgreSQL takes a NUL in a text for an error.
        row = session.scalars(query).one_or_none() if key.isprintable() else None
    if not secret_matches(row.secret_hash if row else None, secret) or row is None or row.revoked_at:
        return None
    if sources.now() - (row.last_used_at or row.created_at) > IDLE_LIMIT:
        revoke_api_key(database, sources, row.public_id)
        return None
    return row


def _new_key(sources: Sources) -> str:
    return f"wp_{sources.token(KEY_BYTES)}"


def _account_number(session: Session, account: UUID) -> int:
    number = session.scalars(select(Account.number).where(Account.public_id == account)).one_or_none()
    if number is None:
        raise NotFoundError("account")
    return number


def _owned(session: Session, account: Account, api_key: UUID) -> ApiKey:
    row = session.scalars(
        select(ApiKey).where(ApiKey.public_id == api_key, ApiKey.account == account.number)
    ).one_or_none()
    if row is None:
        raise NotFoundError("API key")
    return row
