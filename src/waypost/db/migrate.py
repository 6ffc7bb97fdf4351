"""Brings the control database to this release's schema; run at every start."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from waypost.db.engine import Database
from waypost.db.errors import UnknownRevisionError

# Any fixed number, so long as every release uses the same one: "waypost" as seven bytes.
ADVISORY_LOCK = int.from_bytes(b"waypost")


def migrate(database: Database) -> None:
    """Apply what is missing, in one transaction; several processes may call it at once, one at a time works.

    Raises:
        UnknownRevisionError: a newer release has been here.
    """
    config = _config()
    with alone(database), database.engine.connect().execution_options(writes=True) as connection:
        _revision(connection, ScriptDirectory.from_config(config))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def is_migrated(database: Database) -> bool:
    """Whether nothing is missing.

    Raises:
        UnknownRevisionError: a newer release has been here.
    """
    scripts = ScriptDirectory.from_config(_config())
    with database.engine.connect() as connection:
        return _revision(connection, scripts) == scripts.get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _revision(connection: Connection, scripts: ScriptDirectory) -> str | None:
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise UnknownRevisionError(current)
    return current


@contextmanager
def alone(database: Database) -> Iterator[None]:
    """Hold the database for a start: others that start on it wait. Do not nest."""
    if database.engine.dialect.name == "sqlite":
        with Path(f"{database.engine.url.database}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        return
    with database.engine.connect() as connection:
        _advisory(connection, "pg_advisory_lock")
        try:
            yield
        finally:
            _advisory(connection, "pg_advisory_unlock")


def _advisory(connection: Connection, function: str) -> None:
    # A session lock, not a transaction's: nothing stays open in the database while migrations run.
    connection.execute(text(f"SELECT {function}(:key)"), {"key": ADVISORY_LOCK})
    connection.commit()
