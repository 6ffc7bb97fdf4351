"""Sending profiles: which domain may send, and on which domain its links live."""

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from waypost.control.errors import ConflictError, InvalidFieldError, NoActiveProfileError, NotFoundError
from waypost.control.profiles.dkim import add_dkim_keys, new_dkim_keys
from waypost.control.profiles.schema import NewProfile
from waypost.control.publishing.service import snapshot_changes
from waypost.control.sources import Sources
from waypost.control.verification.suffixes import registrable_domain
from waypost.db import ControlKey, Database, insert_new
from waypost.db.states import ProfileState
from waypost.db.tables import Account, LinkDomain, Profile, ProfileCheck

CHECKS_APART: Final = timedelta(seconds=10)
"""Requests for a check come true no oftener: each may order a certificate, and authorities count orders that fail."""

# Run at each send, and made once: see `waypost.control.oauth.sessions`.
ACTIVE_PROFILE: Final = (
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
"""The profile of account `account_number` that sends for `domain`; the oldest one when several could."""


def create_profile(
    database: Database,
    sources: Sources,
    account: Account,
    new: NewProfile,
    development_domains: Collection[str],
    *,
    control_key: ControlKey,
    remember: Callable[[Session, Profile], None] = lambda _session, _profile: None,
) -> Profile:
    """Create a profile with its DKIM keys.

    It is `active` at once on a development link domain, else `creating` until its DNS is verified.

    Args:
        database: the control database.
        sources: clock and randomness.
        account: whose profile it is.
        new: its name and domains.
        development_domains: the setting `links.development_domains`.
        control_key: seals the DKIM keys.
        remember: called in the transaction once all is written.

    Raises:
        InvalidFieldError: a domain is a public suffix, and none for development.
        ConflictError: the link domain is another account's, which has proven it.
    """
    _refuse_public_suffixes(new, development_domains)
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
    keys = new_dkim_keys(sources, control_key)
    with database.writing() as session:
        if not development:
            _claim(session, LinkDomain(domain=new.link_domain, account=account.number, claimed_at=now))
        session.add(profile)
        session.flush()
        add_dkim_keys(session, profile.number, keys)
        session.add(ProfileCheck(profile=profile.number, watched_from=now, next_check_at=now))
        snapshot_changes(session, now)
        remember(session, profile)
    return profile


def find_profile(database: Database, account: Account | None, profile_id: UUID) -> Profile:
    """A profile by its public id.

    Args:
        database: the control database.
        account: whose it must be; None: an operator may see anybody's.
        profile_id: its public id.

    Raises:
        NotFoundError: there is none, it is another account's, or it is deleted.
    """
    with database.reading() as session:
        return _find(session, account, profile_id)


def list_profiles(database: Database, account: Account) -> Sequence[Profile]:
    """An account's profiles, oldest first, deleted ones left out."""
    with database.reading() as session:
        return session.scalars(
            select(Profile)
            .where(Profile.account == account.number, Profile.deleted_at.is_(None))
            .order_by(Profile.number)
        ).all()


def request_check(database: Database, sources: Sources, account: Account | None, profile_id: UUID) -> Profile:
    """Have a profile's DNS and TLS checked at once, or `CHECKS_APART` after the check before.

    Raises:
        NotFoundError: as `find_profile`.
    """
    now = sources.now()
    with database.writing() as session:
        profile = _find(session, account, profile_id)
        check = session.get(ProfileCheck, profile.number, with_for_update=True)
        if check is None:
            insert_new(session, ProfileCheck(profile=profile.number, watched_from=now, next_check_at=now))
        else:
            soonest = max(now, check.checked_at + CHECKS_APART) if check.checked_at else now
            sooner = now < check.next_check_at < soonest
            check.watched_from, check.next_check_at = now, check.next_check_at if sooner else soonest
        session.refresh(profile, with_for_update=True)
        if profile.deleted_at is not None:  # while this waited for the check: nobody would ever end that one
            raise NotFoundError("profile")
    return profile


def delete_profile(database: Database, sources: Sources, account: Account | None, profile_id: UUID) -> None:
    """Delete a profile: nothing is sent with it any more. Its links go on working, on their link domain.

    Its row, its keys and its link domain stay: links outlive profiles, and mail on its way is still verified.

    Raises:
        NotFoundError: as `find_profile`.
    """
    now = sources.now()
    with database.writing() as session:
        profile = _find(session, account, profile_id)
        # Before the profile is written: a check that ends now locks the two in this order.
        check = session.get(ProfileCheck, profile.number, with_for_update=True)
        profile.deleted_at = profile.modified_at = now
        profile.state = ProfileState.DISABLED
        if check is not None:
            session.delete(check)
        snapshot_changes(session, now)  # where the bare link domain leads is said by the profiles that are left


def active_profile(session: Session, account: int, sending_domain: str) -> Profile:
    """The profile that sends for a domain; the oldest one when several could.

    Raises:
        NoActiveProfileError: there is none.
    """
    profile = session.scalars(ACTIVE_PROFILE, {"account_number": account, "domain": sending_domain}).one_or_none()
    if profile is None:
        raise NoActiveProfileError(sending_domain)
    return profile


def sending_profile_id(session: Session, number: int) -> UUID:
    """The public id of the profile with this number, deleted or not."""
    return session.scalars(select(Profile.public_id).where(Profile.number == number)).one()


def _find(session: Session, account: Account | None, profile_id: UUID) -> Profile:
    query = select(Profile).where(Profile.public_id == profile_id, Profile.deleted_at.is_(None))
    if account is not None:
        query = query.where(Profile.account == account.number)
    profile = session.scalars(query).one_or_none()
    if profile is None:
        raise NotFoundError("profile")
    return profile


def _refuse_public_suffixes(new: NewProfile, development_domains: Collection[str]) -> None:
    """Nobody registers one, so no record at it would prove whose mail, links or bounces they are."""
    for field in ("sending_domain", "link_domain", "bounce_domain"):
        domain = getattr(new, field)
        if domain and domain not in development_domains and registrable_domain(domain) is None:
            rule = f"must be a domain that can be registered, or one below it: {domain} is a public suffix"
            raise InvalidFieldError(field, rule)


def _claim(session: Session, claim: LinkDomain) -> None:
    """Note who waits for the domain. A claim that is not proven keeps nobody out: see docs/adr/0009."""
    while insert_new(session, claim) is None:
        held = session.get(LinkDomain, claim.domain)
        if held is None:
            continue  # released just now
        if held.proven_at is not None and held.account != claim.account:
            raise ConflictError(f"link_domain: {claim.domain} belongs to another account")
        return
