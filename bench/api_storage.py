"""Bytes that a million sends take in the control database, part by part, on SQLite and on PostgreSQL.

    python -m bench.api_storage [--sends 5000] [--links 30] [--kilobytes 50]

So many messages are taken in, each to one recipient, as the API does; a batch keeps its content and report but once.
What is on its way to the event store is left out: it is gone a moment later.
"""

import argparse
import asyncio
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from bench.api import message, sending_account
from sqlalchemy import Connection, LargeBinary, func, select, text, type_coerce
from tests.postgresql import running

from waypost.config import load
from waypost.control.install import open_install
from waypost.control.sends.acceptance import Acceptance, Order
from waypost.control.sends.schema import NewSend
from waypost.control.sends.views import accepted_view
from waypost.control.sources import SYSTEM
from waypost.db.tables import Content
from waypost.keyfile import create_keyring, keyring_path

MILLION = 1_000_000
AT_ONCE = 32
PARTS = {
    "sends": "slim records, with indexes",
    "deliveries": "places in the queue, with indexes",
    "search_entries": "words for the search, with their index",
    "contents": "content and reports, with indexes",
}
"""By table."""

_SQLITE = """
    SELECT sum(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name = :table)
    OR :table = 'search_entries' AND name LIKE 'search_words%'
"""
_POSTGRESQL = "SELECT pg_total_relation_size(:table)"


async def fill(account: int, acceptance: Acceptance, count: int, body: dict[str, Any]) -> None:
    """Take so many messages in."""
    remaining = iter(range(count))

    async def work() -> None:
        for number in remaining:
            send = NewSend.model_validate(
                body
                | {
                    "recipient_email_address": f"reader{number}.of.letters@company{number % 997}.example",
                    "subject": f"News of week {number % 52} from the shop",
                    "tags": ["newsletter", f"campaign-{number % 500}"],
                }
            )
            await acceptance.take(
                Order(
                    account=account,
                    unconfirmed=None,
                    message=send,
                    recipients=[send],
                    addressees=None,
                    request=None,
                    view_of=partial(accepted_view, send),
                )
            )

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def sizes(connection: Connection) -> dict[str, int]:
    """Bytes of each part, and of what is in `contents` by itself."""
    sizing = text(_POSTGRESQL if connection.dialect.name == "postgresql" else _SQLITE)
    found = {said: connection.scalar(sizing, {"table": table}) for table, said in PARTS.items()}
    for column in (Content.html, Content.report):
        # As it is stored: compressed.
        found[f"  of it {column.key}"] = connection.scalar(
            select(func.sum(func.length(type_coerce(column, LargeBinary))))
        )
    return found


def measure(name: str, url: str, options: argparse.Namespace) -> None:
    """Print what one database takes."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory)
        settings = load(None, os.environ | {"WAYPOST_DB__URL": url}, data)
        install = open_install(settings)
        database = install.database
        keyring = create_keyring(keyring_path(data))
        account = sending_account(install, settings)
        with database.engine.connect() as connection:
            before = sizes(connection)
        body = message(options.links, options.kilobytes)
        acceptance = Acceptance(database, SYSTEM, lambda: keyring)
        asyncio.run(fill(account.number, acceptance, options.sends, body))
        with database.engine.connect() as connection:
            after = sizes(connection)
        database.close()
    print(f"{name}, for a million sends")
    for part, size in after.items():
        print(f"  {(size - (before[part] or 0)) / options.sends * MILLION / 1e9:>8.2f} GB  {part}")


def main() -> None:
    """Run and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sends", type=int, default=5_000)
    parser.add_argument("--links", type=int, default=30)
    parser.add_argument("--kilobytes", type=int, default=50)
    options = parser.parse_args()
    print(f"{options.kilobytes} KB of HTML, {options.links} links")
    measure("SQLite", "", options)
    with running(durable=False) as postgresql:
        measure("PostgreSQL", postgresql.new_database(), options)


if __name__ == "__main__":
    main()
