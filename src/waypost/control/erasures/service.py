"""Asking for an erasure; the pipeline does it (`waypost.pipeline.erasing`)."""

from uuid import UUID

from sqlalchemy import select

from waypost.control.errors import NotFoundError
from waypost.control.sources import Sources
from waypost.db import ControlKey, Database
from waypost.db.erasing import PURPOSE
from waypost.db.tables import Erasure


def ask_for_erasure(
    database: Database, sources: Sources, control_key: ControlKey, address: str, *, account: int | None, asked_by: str
) -> Erasure:
    """Have every trace of a recipient erased.

    Args:
        database: the control database.
        sources: clock and ids.
        control_key: seals the address until it is erased.
        address: hers; the case of its letters makes no difference.
        account: number of the one whose mail to her is meant; None: everybody's.
        asked_by: for the record: `cli`, or an e-mail address.
    """
    erasure = Erasure(
        public_id=sources.public_id(),
        account=account,
        sealed_address=control_key.seal(address.encode(), PURPOSE),
        requested_by=asked_by,
        requested_at=sources.now(),
    )
    with database.writing() as session:
        session.add(erasure)
    return erasure


def find_erasure(database: Database, erasure_id: UUID, account: int | None) -> Erasure:
    """An erasure that this account asked for; None: anybody.

    Raises:
        NotFoundError: there is none.
    """
    wanted = select(Erasure).where(Erasure.public_id == erasure_id)
    with database.reading() as session:
        found = session.scalars(wanted if account is None else wanted.where(Erasure.account == account)).one_or_none()
    if found is None:
        raise NotFoundError("erasure")
    return found
