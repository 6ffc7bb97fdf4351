"""One way to reach the control database, the same on SQLite and PostgreSQL."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Engine, event, make_url
from sqlalchemy import create_engine as sqlalchemy_engine
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.orm import Session

from waypost.db.errors import DatabaseUrlError

SQLITE_FILE = "control.sqlite3"

# How long a writer of another process (the CLI beside a running core) is waited for before "database is locked".
SQLITE_BUSY_MS = 10_000

# A server that does not answer is given up after this; psycopg's own 130 s would hold every request thread meanwhile.
CONNECT_SECONDS = 5

# A connection that was used a moment ago is not asked whether it still is one.
PING_AFTER_SECONDS = 1
_USED_AT = "waypost_used_at"

# FastAPI runs at most 40 routes at once in threads (anyio's default); each needs at most one connection.
CONNECTIONS_KEPT = 10
CONNECTIONS_EXTRA = 40


class Database:
    """The control database: `reading()` and `writing()` are the only ways in.

    Safe to share between threads; one per process.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(writes=True)
        # SQLite has one writer at a time and lets others poll for it, up to 100 ms apart. Within the process a lock
        # hands over at once and in turn; between processes busy_timeout still applies.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one consistent state (SQLite) or committed rows (PostgreSQL) and is not committed."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session committed, durably, when the block ends well, and rolled back when it raises.

        On SQLite it holds the write lock from its first statement on (BEGIN IMMEDIATE), so a transaction that reads
        and then writes cannot fail halfway. Do not nest: the inner one would wait for the outer one for ever.
        """
        with self._turn, Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def database_url(configured: str, data: Path) -> URL:
    """The URL to connect to: `configured` (the setting `db.url`), or SQLite in the data directory when empty.

    Raises:
        DatabaseUrlError: neither PostgreSQL nor an SQLite file.
    """
    if not configured:
        return URL.create("sqlite", database=str(data / SQLITE_FILE))
    try:
        url = make_url(configured)
    except (ArgumentError, ValueError) as error:  # ValueError: the port is no number
        raise DatabaseUrlError("db.url is not a URL: postgresql+psycopg://user:password@host/name is one") from error
    match url.get_backend_name():
        case "postgresql":
            timeout = {"connect_timeout": str(CONNECT_SECONDS)} | url.query
            return url.set(drivername="postgresql+psycopg", query=timeout)
        case "sqlite" if url.database not in (None, "", ":memory:"):
            return url.set(drivername="sqlite")
        case "sqlite":
            raise DatabaseUrlError(
                "db.url: an SQLite database must be a file: one in memory is gone with its connection"
            )
        case other:
            raise DatabaseUrlError(f"db.url: {other} is neither postgresql nor sqlite")


def create_engine(url: URL, connections_extra: int = CONNECTIONS_EXTRA) -> Engine:
    """An engine for `url` whose commits are durable; it has `CONNECTIONS_KEPT` connections, and so many beyond.

    SQLite: WAL, foreign keys on, synchronous FULL (in WAL mode NORMAL may lose the last commits with the power, and
    a 202 promises that the message is kept). PostgreSQL: the server's own `synchronous_commit` decides.
    """
    engine = sqlalchemy_engine(
        url,
        pool_size=CONNECTIONS_KEPT,
        max_overflow=connections_extra,
        json_serializer=_json,
        hide_parameters=True,  # errors are logged, and parameters are whole messages, addresses and hashes
    )
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "checkin", _remember_use)
        event.listen(engine, "checkout", _ping_after_a_pause(engine.dialect.loaded_dbapi.Error))
    return engine


def _json(value: Any) -> str:  # noqa: ANN401 - any JSON
    return msgspec.json.encode(value).decode()


def _remember_use(_connection: Any, record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
    record.info[_USED_AT] = time.monotonic()


def _ping_after_a_pause(lost: type[Exception]) -> Callable[[Any, Any, Any], None]:
    """Lets a connection that the server has closed meanwhile be replaced.

    As `pool_pre_ping` does, but not each time: a request takes a connection twice, and each ping is a round trip.
    """

    def ping(connection: Any, record: Any, _proxy: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
        if time.monotonic() - record.info.get(_USED_AT, -math.inf) < PING_AFTER_SECONDS:
            return
        try:
            connection.execute("SELECT 1").close()
            connection.rollback()
        except lost as error:
            raise DisconnectionError from error

    return ping


def _prepare_sqlite(connection: SqliteConnection, _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own record
    # The driver must not open transactions by itself: it would defer them, and a deferred transaction that turns
    # writer fails with "database is locked" at once, whatever busy_timeout says.
    connection.isolation_level = None
    for pragma in (f"busy_timeout = {SQLITE_BUSY_MS}", "journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
