"""What can go wrong with the control database.

DatabaseError
├── ControlKeyError      control.key is missing, unreadable, or does not open what it once sealed
└── UnknownRevisionError      the database was written by a newer release
"""

from typing import Final

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

UNAVAILABLE: Final = (OperationalError, InterfaceError, PoolTimeoutError)
"""What SQLAlchemy raises while the database is away or busy: later the same may succeed. Its other errors are bugs."""


class DatabaseError(Exception):
    """The control database cannot be used as it is; the message says what an operator can do."""


class DatabaseUrlError(DatabaseError):
    """The setting `db.url` names no database we can use; the message does not repeat it, for it may hold a password."""


class ControlKeyError(DatabaseError):
    """`control.key` is missing, unreadable, or not the key that sealed this database's secrets."""


class UnknownRevisionError(DatabaseError):
    """The database is at a schema revision that this release does not know.

    Attributes:
        revision: the revision found in the database.
    """

    def __init__(self, revision: str) -> None:
        self.revision = revision
        super().__init__(
            f"the control database is at revision {revision!r}, which this release does not know: "
            "it was last opened by a newer release; start that release, or restore a backup made before the upgrade"
        )
