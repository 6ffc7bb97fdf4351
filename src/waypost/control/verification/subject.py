"""What a check is about, as it stands in the database when it begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from waypost.config import Settings
from waypost.control.profiles.dkim import dkim_keys, dkim_record
from waypost.control.verification.records import Expected, Names, expected_records, names_of, related
from waypost.db.states import ProfileState
from waypost.db.tables import Account, LinkDomain, Profile


@dataclass(frozen=True, slots=True)
class Subject:
    """A profile to be checked.

    Attributes:
        number: of the profile.
        account: its number.
        state: of the profile.
        link_domain: its link domain.
        development: the link domain is one for development: nothing is looked at.
        related: the DKIM record of the sending domain proves the link domain too.
        records: what is to be looked up.
        names: of this install.
    """

    number: int
    account: int
    state: ProfileState
    link_domain: str
    development: bool
    related: bool
    records: Sequence[Expected]
    names: Names


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose a link domain is.

    Attributes:
        owned: the checked profile's account's.
        taken: another account's.
        published_at: since when edges know it; None: they do not.
    """

    owned: bool
    taken: bool
    published_at: datetime | None


def subject_of(session: Session, settings: Settings, profile: Profile) -> Subject:
    """Read it."""
    dkim = [dkim_record(profile.sending_domain, key) for key in dkim_keys(session, profile.number)]
    development = profile.link_domain in settings.links.development_domains
    account_id = session.get_one(Account, profile.account).public_id
    names = names_of(settings)
    return Subject(
        profile.number,
        profile.account,
        profile.state,
        profile.link_domain,
        development,
        related(profile.link_domain, profile.sending_domain),
        expected_records(profile, dkim, names, account_id=account_id, development=development),
        names,
    )


def claim_of(row: LinkDomain | None, account: int) -> Claim:
    """Whose a link domain is, seen from an account."""
    if row is None or row.proven_at is None:
        return Claim(owned=False, taken=False, published_at=None)
    mine = row.account == account
    return Claim(owned=mine, taken=not mine, published_at=row.published_at if mine else None)
