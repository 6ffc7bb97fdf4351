"""Sending profiles: which domain may send, and on which domain its links live."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from waypost.control.errors import ConflictError, NoActiveProfileError, NotFoundError
from waypost.control.profiles.schema import NewProfile
from waypost.control.publishing.service import snapshot_changes
from waypost.control.sources import Sources
from waypost.db import Database
from waypost.db.states import ProfileState
from waypost.db.tables import Account, LinkDomain, Profile

# Run at each send, and made once: see `waypost.control.oauth.service`.
_ACTIVE = (
    select(Profile)
    .where(
        Profile.account == bindparam("account_number"),
        Profile.sending_domain == bindparam("domain"),
        Profile.state == ProfileState.ACTIVE,
        Profile.deleted_at.is_(None),
    )
    .order_by(Profile.number)
    .limit(1)
)


def create_profile(
    database: Database, sources: Sources, account: Account, new: NewProfile, development_domains: Collection[str]
) -> Profile:
    """Create a profile: `active` at once on a development link domain, else `creating` until its DNS is verified.

    Args:
        database: the control database.
        sources: clock and randomness.
        account: whose profile it is.
        new: its name and domains.
        development_domains: the setting `links.development_domains`.

    Raises:
        ConflictError: the link domain belongs to another account.
    """
    now = sources.now()
    development = new.link_domain in development_domains
    profile = Profile(
        public_id=sources.public_id(),
        account=account.number,
        profile_name=new.profile_name,
        sending_domain=new.sending_domain,
        link_domain=new.link_domain,
        link_domain_default_redirect=new.link_domain_default_redirect or "",
        bounce_domain=new.bounce_domain or "",
        state=ProfileState.ACTIVE if development else ProfileState.CREATING,
        created_at=now,
        modified_at=now,
    )
    with database.writing() as session:
        if not development:
            _claim(session, LinkDomain(domain=new.link_domain, account=account.number, claimed_at=now))
        session.add(profile)
        snapshot_changes(session, now)
    return profile


def list_profiles(database: Database, account: Account) -> Sequence[Profile]:
    """An account's profiles, oldest first, deleted ones left out."""
    with database.reading() as session:
        return session.scalars(
            select(Profile)
            .where(Profile.account == account.number, Profile.deleted_at.is_(None))
            .order_by(Profile.number)
        ).all()


def find_profile(database: Database, account: Account, profile_id: UUID) -> Profile:
    """A profile of the account.

    Raises:
        NotFoundError: none of this id, a deleted one, or another account's.
    """
    with database.reading() as session:
        profile = session.scalars(
            select(Profile).where(
                Profile.public_id == profile_id, Profile.account == account.number, Profile.deleted_at.is_(None)
            )
        ).one_or_none()
    if profile is None:
        raise NotFoundError("sending profile")
    return profile


def active_profile(session: Session, account: int, sending_domain: str) -> Profile:
    """The profile that sends for a domain; the oldest one when several could.

    Raises:
        NoActiveProfileError: there is none.
    """
    profile = session.scalars(_ACTIVE, {"account_number": account, "domain": sending_domain}).one_or_none()
    if profile is None:
        raise NoActiveProfileError(sending_domain)
    return profile


def sending_profile_id(session: Session, number: int) -> UUID:
    """The public id of the profile with this number, deleted or not."""
    return session.scalars(select(Profile.public_id).where(Profile.number == number)).one()


def _claim(session: Session, claim: LinkDomain) -> None:
    """First come, first served; the primary key decides between two at once."""
    held = session.get(LinkDomain, claim.domain)
    if held is None:
        session.add(claim)
        session.flush()
    elif held.account != claim.account:
        raise ConflictError(f"link_domain: {claim.domain} belongs to another account")
