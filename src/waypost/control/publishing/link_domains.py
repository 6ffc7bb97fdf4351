"""Which link domains edges know: they enter once their DNS is right, and leave only by an operator's command."""

from collections.abc import Sequence

from sqlalchemy import select

from waypost.control.errors import NotFoundError
from waypost.control.publishing.service import snapshot_changes
from waypost.control.sources import Sources
from waypost.db import Database
from waypost.db.tables import Account, LinkDomain


def list_link_domains(database: Database) -> Sequence[tuple[LinkDomain, Account]]:
    """Every claimed link domain with its account, by name."""
    with database.reading() as session:
        rows = session.execute(
            select(LinkDomain, Account).join(Account, Account.number == LinkDomain.account).order_by(LinkDomain.domain)
        ).all()
        return [(row[0], row[1]) for row in rows]


def publish_link_domain(database: Database, sources: Sources, domain: str) -> LinkDomain:
    """Tell edges of a link domain, so that they answer for it and a certificate may be had.

    Raises:
        NotFoundError: no profile has claimed it.
    """
    now = sources.now()
    with database.writing() as session:
        found = session.get(LinkDomain, domain)
        if found is None:
            raise NotFoundError("link domain")
        if found.published_at is None:
            found.published_at = now
            snapshot_changes(session, now)
    return found


def release_link_domain(database: Database, sources: Sources, domain: str) -> None:
    """Take a link domain from its account and from the snapshot. Its tokens go on opening where it still leads to us.

    Raises:
        NotFoundError: no profile has claimed it.
    """
    with database.writing() as session:
        found = session.get(LinkDomain, domain)
        if found is None:
            raise NotFoundError("link domain")
        session.delete(found)
        snapshot_changes(session, sources.now())
