"""What an account sends with."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy.orm import Session

from waypost.control.errors import NoActiveProfileError, UnconfirmedError
from waypost.control.oauth.sessions import NOT_REVOKED
from waypost.control.profiles.service import ACTIVE_PROFILE
from waypost.control.sends.privacy import Privacy
from waypost.db.states import AccountState
from waypost.db.tables import Account, ApiKey, AuthSession, Profile

# Columns and no entities: run at each send, for a few values.
_SENDER = ACTIVE_PROFILE.join(Account, Account.number == Profile.account).with_only_columns(
    Profile.number, Profile.public_id, Account.privacy_mode, Account.ip_policy
)

_CONFIRMED = (
    _SENDER.join(ApiKey, ApiKey.account == Account.number)
    .join(AuthSession, AuthSession.api_key == ApiKey.number)
    .where(AuthSession.public_id == bindparam("session_id"), *NOT_REVOKED, Account.state == AccountState.APPROVED)
)


@dataclass(frozen=True, slots=True)
class Sender:
    """An account with the profile that sends for one of its domains.

    Attributes:
        account: its number.
        profile: its number.
        sending_profile_id: the profile's public id.
        privacy: what the account says of its recipients.
    """

    account: int
    profile: int
    sending_profile_id: UUID
    privacy: Privacy


def sender_of(session: Session, account: int, domain: str, unconfirmed: UUID | None) -> Sender:
    """Who sends for a domain of an account.

    Args:
        session: of the control database.
        account: its number.
        domain: of the sender's address.
        unconfirmed: a session of the account that is to be confirmed; None: it was already.

    Raises:
        NoActiveProfileError: nobody may.
        UnconfirmedError: nobody may, or the session or its key was revoked, or the account is not approved.
    """
    asked = {"account_number": account, "domain": domain}
    if unconfirmed is None:
        found = session.connection().execute(_SENDER, asked).one_or_none()
    else:
        found = session.connection().execute(_CONFIRMED, asked | {"session_id": unconfirmed}).one_or_none()
    if found is None:
        raise NoActiveProfileError(domain) if unconfirmed is None else UnconfirmedError
    profile, sending_profile_id, mode, ip_policy = found
    return Sender(account, profile, sending_profile_id, Privacy(mode, ip_policy))
