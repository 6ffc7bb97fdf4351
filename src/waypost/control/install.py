"""The control plane's part of a data directory: made on the first start, opened on every later one."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import select

from waypost.config import Settings
from waypost.control.keys.schema import NewApiKey
from waypost.control.keys.service import CreatedApiKey, new_api_key
from waypost.control.profiles.dkim import add_missing_dkim_keys
from waypost.control.sources import SYSTEM, Sources
from waypost.db import (
    CONTROL_KEY_FILE,
    UNAVAILABLE,
    ControlKey,
    Database,
    alone,
    create_control_key,
    create_engine,
    database_url,
    is_migrated,
    load_control_key,
    migrate,
)
from waypost.db.states import AccountState, Role
from waypost.db.tables import Account, AccountDecision, DkimKey, SigningKey

_log = logging.getLogger(__name__)

OPERATOR_EMAIL = "operator@localhost"
# Only while starting, and beside a core that starts.
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Install:
    """What the processes of the core share."""

    database: Database
    control_key: ControlKey
    operator: CreatedApiKey | None
    """The operator's credential, on the first start only: print it, for it cannot be had again."""


def open_database(settings: Settings) -> Database:
    """The control database, migrated to this release; made if there is none.

    Raises:
        DatabaseUrlError: `db.url` names no database we can use.
        UnknownRevisionError: a newer release has used it.
    """
    database = Database(create_engine(database_url(settings.db.url.reveal(), settings.data)))
    with _closed_on_error(database):
        migrate(database)
    return database


def open_install(settings: Settings, sources: Sources = SYSTEM) -> Install:
    """Open the control database and `control.key`; on the first start make both, and the operator's account.

    The data directory must exist. Profiles made by a release that knew no DKIM keys get theirs.

    Raises:
        ControlKeyError: `control.key` is missing beside data that needs it, or cannot be read.
        DatabaseUrlError: `db.url` names no database we can use.
        UnknownRevisionError: a newer release has used the database.
    """
    database = open_database(settings)
    with _closed_on_error(database), alone(database):
        # A new key beside sealed secrets would lock them up for good: then the file must be restored, not replaced.
        fresh = not (settings.data / CONTROL_KEY_FILE).exists() and not _holds_secrets(database)
        control_key = create_control_key(settings.data) if fresh else load_control_key(settings.data)
        add_missing_dkim_keys(database, sources, control_key)
        # Last: nothing after it may fail, or its credential would be shown to nobody.
        return Install(database, control_key, _first_operator(database, sources))


def join_install(settings: Settings) -> tuple[Database, ControlKey]:
    """The control database and `control.key` of an install, once a core has prepared them for this release; waits.

    For a process that takes `MESSAGES_AT_ONCE` connections and two.

    Raises:
        ControlKeyError: `control.key` cannot be read.
        DatabaseUrlError: `db.url` names no database we can use.
        UnknownRevisionError: a newer release has used the database.
    """
    database = Database(create_engine(database_url(settings.db.url.reveal(), settings.data), connections_extra=0))
    with _closed_on_error(database):
        problem = ""
        while found := _unprepared(settings, database):
            if found != problem:
                _log.info("waits for the core: %s", found)
            problem = found
            time.sleep(_LOOK_SECONDS)
        return database, load_control_key(settings.data)


def _unprepared(settings: Settings, database: Database) -> str:
    """What is missing; empty: nothing."""
    try:
        if not is_migrated(database):
            return "the control database is not that of this release"
    except UNAVAILABLE as error:
        return f"the control database cannot be asked: {error}"
    return "" if (settings.data / CONTROL_KEY_FILE).exists() else f"there is no {CONTROL_KEY_FILE}"


@contextmanager
def _closed_on_error(database: Database) -> Iterator[None]:
    try:
        yield
    except BaseException:
        database.close()
        raise


def _holds_secrets(database: Database) -> bool:
    with database.reading() as session:
        held = (select(SigningKey.key_id), select(DkimKey.selector))
        return any(session.scalars(sealed.limit(1)).first() is not None for sealed in held)


def _first_operator(database: Database, sources: Sources) -> CreatedApiKey | None:
    """In one transaction, so that a start that is killed leaves either nothing or all of it."""
    now = sources.now()
    account = Account(
        public_id=sources.public_id(),
        name="Operator",
        email=OPERATOR_EMAIL,
        is_operator=True,
        state=AccountState.APPROVED,
        created_at=now,
        modified_at=now,
    )
    with database.writing() as session:
        if session.scalars(select(Account.number).limit(1)).first() is not None:
            return None
        session.add(account)
        session.flush()
        created = new_api_key(sources, account.number, NewApiKey(name="operator", role=Role.IAC))
        decision = AccountDecision(
            account=account.number, state=account.state, decided_by="first start", decided_at=now
        )
        session.add_all([decision, created.api_key])
    return created
