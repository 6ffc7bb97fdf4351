"""Which sends were erased, known by digests under `control.key`: the list of erased people is not one itself."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from waypost.db.control_key import ControlKey
from waypost.db.engine import Database
from waypost.db.tables import Tombstone

# What IN takes at once: SQLite has a limit of 32,766.
_AT_ONCE = 1000


class Tombstones:
    """All of them in memory, a hundred bytes each. For one thread."""

    def __init__(self, database: Database, control_key: ControlKey) -> None:
        """Nothing is read yet."""
        self._database = database
        self._control_key = control_key
        self._digests: set[bytes] = set()
        self._last = 0

    def look(self) -> None:
        """Read those that are new.

        Raises:
            SQLAlchemyError: the database cannot be read.
        """
        since = select(Tombstone.number, Tombstone.digest).where(Tombstone.number > self._last)
        with self._database.reading() as session:
            for number, digest in session.execute(since.order_by(Tombstone.number)):
                self._digests.add(digest)
                self._last = number

    def has(self, send_id: UUID | None) -> bool:
        """Whether this send, or the one that this pseudonym stands for, was erased."""
        return bool(self._digests) and send_id is not None and self._digest(send_id) in self._digests

    def put(self, session: Session, send_ids: Iterable[UUID]) -> None:
        """Write those that are not there yet."""
        digests = [self._digest(send_id) for send_id in send_ids]
        for at in range(0, len(digests), _AT_ONCE):
            some = digests[at : at + _AT_ONCE]
            there = set(session.scalars(select(Tombstone.digest).where(Tombstone.digest.in_(some))))
            if missing := [{"digest": digest} for digest in some if digest not in there]:
                session.execute(insert(Tombstone), missing)

    def _digest(self, send_id: UUID) -> bytes:
        return self._control_key.digest(send_id.bytes, "tombstone of a send")
