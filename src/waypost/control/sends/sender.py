"""What an account sends with."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from waypost.control.errors import NoActiveProfileError
from waypost.control.profiles.service import ACTIVE_PROFILE
from waypost.control.sends.privacy import Privacy
from waypost.db.tables import Account, Profile

# Columns and no entities: run at each send, for a few values.
_SENDER = ACTIVE_PROFILE.join(Account, Account.number == Profile.account).with_only_columns(
    Profile.number, Profile.public_id, Account.privacy_mode, Account.ip_policy
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


def sender_of(session: Session, account: int, domain: str) -> Sender:
    """Who sends for a domain of an account.

    Raises:
        NoActiveProfileError: nobody may.
    """
    found = session.connection().execute(_SENDER, {"account_number": account, "domain": domain}).one_or_none()
    if found is None:
        raise NoActiveProfileError(domain)
    profile, sending_profile_id, mode, ip_policy = found
    return Sender(account, profile, sending_profile_id, Privacy(mode, ip_policy))
