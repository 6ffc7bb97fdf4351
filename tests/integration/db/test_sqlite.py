"""What SQLite has to be told before it keeps promises."""

import pytest
from sqlalchemy import text

from waypost.db import Database, create_engine, database_url, migrate


@pytest.fixture
def sqlite(tmp_path):
    opened = Database(create_engine(database_url("", tmp_path)))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("foreign_keys", 1),
        pytest.param("synchronous", 2, id="synchronous FULL: in WAL mode only that makes a commit durable"),
        ("busy_timeout", 10_000),
    ],
)
def test_every_connection_is_prepared(sqlite, pragma, value):
    with sqlite.engine.connect() as first, sqlite.engine.connect() as second:
        assert [c.scalar(text(f"PRAGMA {pragma}")) for c in (first, second)] == [value, value]


def test_a_writing_session_holds_the_write_lock_before_its_first_read(sqlite):
    """BEGIN IMMEDIATE: otherwise a transaction that reads first cannot become a writer when another has written."""
    migrate(sqlite)
    with sqlite.writing() as session:
        session.execute(text("SELECT 1"))
        with sqlite.engine.connect() as other:
            other.exec_driver_sql("PRAGMA busy_timeout = 0")
            with pytest.raises(Exception, match="database is locked"):
                other.exec_driver_sql("UPDATE accounts SET name = 'x'")
