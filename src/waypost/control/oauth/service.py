"""Sessions: from a key and its secret to access tokens, and from an access token to whom it stands for."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update

from waypost.control.context import Control, SendingParts
from waypost.control.errors import (
    AccountNotApprovedError,
    BearerInvalidError,
    CredentialsInvalidError,
    RefreshTokenInvalidError,
)
from waypost.control.keys.service import authenticate
from waypost.control.permissions import scope
from waypost.control.sources import Sources
from waypost.db import Database
from waypost.db.states import AccountState, Role
from waypost.db.tables import Account, ApiKey, AuthSession

REFRESH_LIFE = timedelta(days=30)
REFRESH_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a request comes from: read at each request, so that revoking and suspending work at once."""

    account: Account
    api_key: ApiKey
    expires_at: datetime
    """Of the access token."""
    unconfirmed: UUID | None = None
    """None; or the session, when all this was read for an earlier request: what is done for this one has to confirm, in
    its transaction, that neither session nor key was revoked and that the account is approved."""

    @property
    def role(self) -> Role:
        """Of the key."""
        return self.api_key.role

    @property
    def is_approved(self) -> bool:
        """Whether the account may send."""
        return self.account.state is AccountState.APPROVED

    def require_approved(self) -> None:
        """Stop here unless the account may send.

        Raises:
            AccountNotApprovedError: it may not.
        """
        if not self.is_approved:
            raise AccountNotApprovedError(self.account.state, self.account.rejected_reason)


@dataclass(frozen=True, slots=True)
class Grant:
    """A new access token with the refresh token of its session."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in_seconds: int
    expires_at: datetime
    scope: list[str]


def grant_by_password(control: Control, key: str, secret: str) -> Grant:
    """Begin a session; the refresh tokens this key had before end.

    Raises:
        CredentialsInvalidError: no such key, wrong secret, or revoked.
    """
    api_key = authenticate(control.database, control.sources, key, secret)
    if api_key is None:
        raise CredentialsInvalidError
    now, refresh_token = control.sources.now(), control.sources.token(REFRESH_TOKEN_BYTES)
    session_row = AuthSession(
        public_id=control.sources.public_id(),
        api_key=api_key.number,
        refresh_token_hash=_hash(refresh_token),
        created_at=now,
        last_used_at=now,
        expires_at=now + REFRESH_LIFE,
    )
    with control.database.writing() as session:
        of_this_key = AuthSession.api_key == api_key.number
        # First, for it locks the key's row: of two logins at once the later one ends the earlier one's session.
        same_secret = (ApiKey.number == api_key.number, ApiKey.secret_hash == api_key.secret_hash)
        used = update(ApiKey).where(*same_secret).values(last_used_at=now).returning(ApiKey.number)
        if session.scalars(used).one_or_none() is None:  # a new password was set since it was compared
            raise CredentialsInvalidError
        session.execute(
            update(AuthSession).where(of_this_key, AuthSession.superseded_at.is_(None)).values(superseded_at=now)
        )
        session.add(session_row)
        account = session.get_one(Account, api_key.account)
    return _grant(control, account, api_key, session_row, refresh_token)


def grant_by_refresh(control: Control, refresh_token: str) -> Grant:
    """Continue a session with a new access token and the same refresh token: SMTPD's client keeps its first one.

    Raises:
        RefreshTokenInvalidError: unknown, expired, superseded or revoked.
    """
    now = control.sources.now()
    with control.database.writing() as session:
        found = session.execute(
            select(AuthSession, ApiKey, Account)
            .join(ApiKey, AuthSession.api_key == ApiKey.number)
            .join(Account, ApiKey.account == Account.number)
            .where(
                AuthSession.refresh_token_hash == _hash(refresh_token),
                AuthSession.expires_at > now,
                AuthSession.superseded_at.is_(None),
                AuthSession.revoked_at.is_(None),
                ApiKey.revoked_at.is_(None),
            )
        ).one_or_none()
        if found is None:
            raise RefreshTokenInvalidError
        session_row, api_key, account = found
        session_row.last_used_at = api_key.last_used_at = now
    return _grant(control, account, api_key, session_row, refresh_token)


def revoke(control: Control, refresh_token: str) -> None:
    """End a session with its access tokens; an unknown token is no error (RFC 7009, section 2.2)."""
    now = control.sources.now()
    with control.database.writing() as session:
        session.execute(
            update(AuthSession)
            .where(AuthSession.refresh_token_hash == _hash(refresh_token), AuthSession.revoked_at.is_(None))
            .values(revoked_at=now)
        )


def delete_expired_sessions(database: Database, sources: Sources) -> None:
    """Forget sessions whose refresh token has expired: no access token of theirs is good any more either."""
    with database.writing() as session:
        session.execute(delete(AuthSession).where(AuthSession.expires_at <= sources.now()))


async def principal_of(control: SendingParts, access_token: str) -> Principal:
    """Whom an access token stands for, as things are now.

    Raises:
        BearerInvalidError: it is not ours, has expired, or its session or key was revoked.
    """
    claims = control.signing_keys.verify(access_token)
    if claims is None:
        raise BearerInvalidError
    found = await control.sessions.find(UUID(claims["sid"]))
    if found is None:
        raise BearerInvalidError
    return _principal(found, claims)


def unconfirmed_principal_of(control: SendingParts, access_token: str) -> Principal | None:
    """Whom an access token stood for when an earlier request came with it; None when none did, or it is not good."""
    claims = control.signing_keys.verify(access_token)
    if claims is None:
        return None
    session_id = UUID(claims["sid"])
    found = control.sessions.found_before(session_id)
    return None if found is None else _principal(found, claims, unconfirmed=session_id)


def _principal(found: tuple[ApiKey, Account], claims: Mapping[str, Any], unconfirmed: UUID | None = None) -> Principal:
    api_key, account = found
    return Principal(account, api_key, datetime.fromtimestamp(claims["exp"], tz=UTC), unconfirmed)


def _grant(control: Control, account: Account, api_key: ApiKey, session: AuthSession, refresh_token: str) -> Grant:
    now = control.sources.now()
    # A session's row goes when it expires, so no access token may outlive it.
    life = min(timedelta(seconds=control.settings.control.access_token_seconds), session.expires_at - now)
    expires_at = (now + life).replace(microsecond=0)  # as `exp` has it
    scopes = scope(api_key.role)
    access_token = control.signing_keys.sign(
        {
            "account_id": str(account.public_id),
            "exp": int(expires_at.timestamp()),
            "id": str(api_key.public_id),
            "is_account_verified": account.state is AccountState.APPROVED,
            "name": api_key.name,
            "scope": scopes,
            "sub": str(api_key.public_id),
            "subject": str(api_key.public_id),
            "sid": str(session.public_id),
        }
    )
    return Grant(access_token, refresh_token, math.floor((expires_at - now).total_seconds()), expires_at, scopes)


def _hash(refresh_token: str) -> str:
    return hashlib.sha256(refresh_token.encode()).hexdigest()
