"""Bring the schema of an event store up to date.

Migrations are the numbered `.sql` files in `migrations/`: applied in order, each once, never edited after a release.
ClickHouse has no transaction around DDL, so each statement is written to be repeatable (`IF NOT EXISTS`): a
migration that a crash cut short runs again from its beginning.
"""

import re
from importlib.resources import files

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from waypost.store.errors import StoreTooNew

_LEDGER = """
CREATE TABLE IF NOT EXISTS migrations (number UInt32, name String, applied_at DateTime64(6, 'UTC') DEFAULT now64(6))
ENGINE = MergeTree ORDER BY number SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
"""
_FILE_NAME = re.compile(r"(?P<number>[0-9]{4})_(?P<name>[a-z0-9_]+)\.sql")
# A statement ends with a semicolon at the end of a line; none may stand there in a string or a comment.
_STATEMENT_END = re.compile(r";[ \t]*(?:\n|$)")


class Migration(Struct, frozen=True, order=True):
    """One step of the schema."""

    number: int
    name: str
    statements: tuple[str, ...]


def shipped() -> list[Migration]:
    """The migrations in this package, in order."""
    found = []
    for file in files("waypost.store").joinpath("migrations").iterdir():
        if match := _FILE_NAME.fullmatch(file.name):
            statements = tuple(s.strip() for s in _STATEMENT_END.split(file.read_text(encoding="utf-8")) if s.strip())
            found.append(Migration(int(match["number"]), match["name"], statements))
    return sorted(found)


def migrate(client: Client, migrations: list[Migration]) -> list[Migration]:
    """Apply those of `migrations` that the store has not seen, and return them.

    Raises:
        StoreTooNew: the store has seen one that is not among them.
    """
    client.command(_LEDGER)
    applied = {int(number) for (number,) in client.query("SELECT DISTINCT number FROM migrations").result_rows}
    known = {migration.number for migration in migrations}
    if unknown := applied - known:
        raise StoreTooNew(found=max(unknown), known=max(known, default=0))
    missing = [migration for migration in migrations if migration.number not in applied]
    for migration in missing:
        for statement in migration.statements:
            client.command(statement)
        client.insert("migrations", [[migration.number, migration.name]], column_names=["number", "name"])
    return missing
