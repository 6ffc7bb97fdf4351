import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from waypost.store import StoreTooNew
from waypost.store.migrate import Migration, migrate, shipped

FIRST = Migration(
    1,
    "first",
    tuple(f"CREATE TABLE IF NOT EXISTS {table} (x UInt8) ENGINE = Memory" for table in "ab"),
)
SECOND = Migration(2, "second", ("ALTER TABLE a ADD COLUMN IF NOT EXISTS y UInt8",))


@pytest.fixture
def client(store, account):
    """A connection to an empty database beside the session's store: chDB has one path per process."""
    name = f"migrations_{account}"
    store._connection.writer.command(f"CREATE DATABASE {name}")
    path = store._connection.writer.path
    options = dict(
        pair.split("=") for pair in store._connection.writer._backend.connection_string.split("?")[1].split("&")
    )
    opened = clickhouse_connect.get_client(interface="chdb", path=path, chdb_options=options, database=name)
    yield opened
    opened.close()


def names(client):
    return [name for (name,) in client.query("SELECT name FROM migrations ORDER BY number").result_rows]


def columns(client, table):
    return [row[0] for row in client.query(f"DESCRIBE TABLE {table}").result_rows]


def test_migrations_are_applied_in_order_each_once(client):
    assert migrate(client, [FIRST]) == [FIRST]
    assert migrate(client, [FIRST, SECOND]) == [SECOND]
    assert migrate(client, [FIRST, SECOND]) == []
    assert names(client) == ["first", "second"]
    assert columns(client, "a") == ["x", "y"]


def test_a_migration_that_was_cut_short_is_applied_again_from_its_beginning(client):
    broken = Migration(1, "first", (*FIRST.statements, "CREATE NONSENSE"))
    with pytest.raises(DatabaseError):
        migrate(client, [broken])
    assert names(client) == []
    assert migrate(client, [FIRST]) == [FIRST]


def test_a_store_written_by_a_later_version_is_left_alone(client):
    migrate(client, [FIRST, SECOND])
    with pytest.raises(StoreTooNew, match="migration 2, this version of Waypost knows 1"):
        migrate(client, [FIRST])


def test_migrations_are_numbered_without_gaps_and_hold_statements():
    migrations = shipped()
    assert [migration.number for migration in migrations] == list(range(1, len(migrations) + 1))
    assert all(migration.statements for migration in migrations)


def test_every_statement_may_be_repeated(client):
    for _ in range(2):
        for migration in shipped():
            for statement in migration.statements:
                client.command(statement)
    assert "send_id" in columns(client, "events")


@pytest.mark.parametrize("table", ["events", "sends", "migrations"])
def test_an_insert_that_returned_is_synced(client, table):
    migrate(client, shipped())
    (statement,) = client.query(f"SHOW CREATE TABLE {table}").first_row
    assert "fsync_after_insert = 1" in statement
    assert "fsync_part_directory = 1" in statement


@pytest.mark.parametrize(
    ("setting", "value"), [("async_insert", "0"), ("insert_deduplicate", "0"), ("max_partitions_per_insert_block", "0")]
)
def test_inserts_are_neither_buffered_nor_deduplicated_nor_refused(store, setting, value):
    for connection in (store._connection.writer, store._connection.reader):
        assert str(connection.command(f"SELECT getSetting('{setting}')")).lower() in (value, "false")
