"""Which link domains edges know: they enter once proven and their DNS is right, and leave only by a command."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from waypost.control.errors import ConflictError, NotFoundError
from waypost.control.publishing.service import snapshot_changes
from waypost.control.sources import Sources
from waypost.db import Database
from waypost.db.tables import Account, LinkDomain, Profile


def list_link_domains(database: Database) -> Sequence[tuple[LinkDomain, Account]]:
    """Every link domain with the account that owns it or, while `proven_at` is None, was the first to name it."""
    with database.reading() as session:
        rows = session.execute(
            select(LinkDomain, Account).join(Account, Account.number == LinkDomain.account).order_by(LinkDomain.domain)
        ).all()
        return [(row[0], row[1]) for row in rows]


def publish_link_domain(
    database: Database, sources: Sources, domain: str, account: Account | None = None
) -> LinkDomain:
    """Give a link domain to an account without asking DNS, and tell edges of it, so that a certificate may be had.

    Args:
        database: the control database.
        sources: clock.
        domain: its name.
        account: whose it is; None: the one account that has a profile on it.

    Raises:
        NotFoundError: no profile has named it.
        ConflictError: it belongs to another account, or several accounts have named it and none is said.
    """
    now = sources.now()
    with database.writing() as session:
        found = session.get(LinkDomain, domain)
        if found is None:
            raise NotFoundError("link domain")
        if found.proven_at is None:
            naming = {profile.account for profile in _profiles_on(session, domain)} or {found.account}
            if account is None and len(naming) > 1:
                raise ConflictError(f"{len(naming)} accounts have a profile on {domain}: say which one it belongs to")
            found.account = account.number if account else naming.pop()
            found.claimed_at = found.proven_at = now
        elif account is not None and account.number != found.account:
            raise ConflictError(f"{domain} belongs to another account: release it first")
        if found.published_at is None:
            found.published_at = now
            snapshot_changes(session, now)
    return found


def release_link_domain(database: Database, sources: Sources, domain: str) -> None:
    """Take a link domain from its account and from the snapshot. Its tokens go on opening where it still leads to us.

    Raises:
        NotFoundError: no profile has named it.
        ConflictError: its account has a profile on it still, which would send on it, and prove it anew.
    """
    with database.writing() as session:
        found = session.get(LinkDomain, domain)
        if found is None:
            raise NotFoundError("link domain")
        using = [profile for profile in _profiles_on(session, domain) if profile.account == found.account]
        if using:
            ids = ", ".join(str(profile.public_id) for profile in using)
            raise ConflictError(f"{domain} is used by profiles of its account still; delete them first: {ids}")
        session.delete(found)
        snapshot_changes(session, sources.now())


def _profiles_on(session: Session, domain: str) -> Sequence[Profile]:
    query = select(Profile).where(Profile.link_domain == domain, Profile.deleted_at.is_(None))
    return session.scalars(query.order_by(Profile.number)).all()
