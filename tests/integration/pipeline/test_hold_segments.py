"""Two cores on one PostgreSQL: a segment is in the hands of one collector at a time."""

import pytest

from waypost.db import Database, create_engine, database_url, migrate
from waypost.pipeline.hold import hold_segments


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request, tmp_path):
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgresql").new_database()
    opened = [Database(create_engine(database_url(url, tmp_path))) for _ in range(2)]
    migrate(opened[0])
    yield opened
    for database in opened:
        database.close()


def test_what_one_holds_another_does_not_get_until_it_lets_go(databases):
    one, other = databases
    with hold_segments(one, ["a", "b"]) as mine:
        assert mine == {"a", "b"}
        with hold_segments(other, ["b", "c"]) as theirs:
            # With SQLite there is one core, and the lock of the spool.
            assert theirs == ({"c"} if one.engine.dialect.name == "postgresql" else {"b", "c"})
    with hold_segments(other, ["a", "b"]) as theirs:
        assert theirs == {"a", "b"}


def test_they_are_let_go_when_the_insert_fails(databases):
    one, other = databases

    def fail():
        with hold_segments(one, ["a"]):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with hold_segments(other, ["a"]) as theirs:
        assert theirs == {"a"}
