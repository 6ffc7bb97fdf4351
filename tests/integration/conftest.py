"""A real PostgreSQL of this test run, and the control database on it and on SQLite alike."""

import pytest
from tests.postgresql import running

from waypost.db import Database, create_engine, database_url, migrate


@pytest.fixture(scope="session")
def postgresql():
    # Nothing here has to survive a power cut, and a sync on a shared disk takes what a whole test does.
    with running(durable=False) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request, tmp_path):
    """The URL of an empty control database, on each of the two kinds in turn."""
    if request.param == "sqlite":
        return str(database_url("", tmp_path).render_as_string())
    return request.getfixturevalue("postgresql").new_database()


@pytest.fixture
def database(new_database, tmp_path):
    """A migrated control database."""
    opened = Database(create_engine(database_url(new_database, tmp_path)))
    migrate(opened)
    yield opened
    opened.close()
