"""Lists and search of sends: p50 and p95 of whole queries, over a million sends on SQLite and ten on PostgreSQL.

    python -m bench.api_search [--sqlite 1000000] [--postgresql 10000000] [--rounds 20]

The sends are of a large account (nine in ten) and a small one, over a year. Each kind of query is asked `--rounds`
times by both, with other words each time, after one round that warms the caches; the first page counts, and the tenth.
Filling takes minutes for each million.
"""

import argparse
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import insert, text
from tests.postgresql import running

from waypost.control.ksuid import ksuid
from waypost.control.sends.search import entry_of
from waypost.control.sends.service import list_sends, search_sends
from waypost.control.sends.words import wanted_words
from waypost.db import Database, create_engine, database_url, migrate
from waypost.db.states import ProfileState, SendState
from waypost.db.tables import Account, Base, Profile
from waypost.events.ids import uuid7

START = datetime(2025, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
BATCH = 10_000
TABLES = ("sends", "search_entries")
PAGE = 100
SMALL = 2
"""Number of the small account, of which each tenth send is."""
FIRST_NAMES = [a + b for a in ("anna", "bert", "carl", "dora", "emil", "fran", "gust", "hans") for b in "abcdefghijkl"]
LAST_NAMES = [f"{a}{b}" for a in ("smith", "jones", "weber", "rossi", "dubois", "novak") for b in range(300)]
# Half of all mail goes to a few providers, the rest to many domains.
PROVIDERS = ["gmail.com", "outlook.com", "yahoo.com", "web.de"]
SUBJECT = ["your", "order", "invoice", "news", "offer", "weekly", "receipt", "password", "spring", "garden", "books"]
TAGS = ["newsletter", "transactional", "onboarding", *(f"campaign-{n}" for n in range(500))]


def addresses(chance: random.Random) -> str:
    """Somebody's."""
    domain = chance.choice(PROVIDERS) if chance.random() < 0.5 else f"company{chance.randrange(20_000)}.example"
    return f"{chance.choice(FIRST_NAMES)}.{chance.choice(LAST_NAMES)}{chance.randrange(1000)}@{domain}"


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Rows of sends, the oldest first."""
    chance = random.Random(1)
    for number in range(1, count + 1):
        at = START + YEAR * (number / count)
        yield {
            "send_id": uuid7(int(at.timestamp() * 1000), chance.randbytes(10)),
            "send_key": ksuid(int(at.timestamp()), chance.randbytes(16)),
            "account": SMALL if number % 10 == 0 else 1,
            "profile": SMALL if number % 10 == 0 else 1,
            "content_id": None,
            "from_email_address": "news@shop.example",
            "from_name": "Shop",
            "reply_to": "",
            "recipient_email_address": addresses(chance),
            "recipient_name": "",
            "subject": " ".join(chance.sample(SUBJECT, 4)),
            "open_tracking": True,
            "click_tracking": True,
            "tags": chance.sample(TAGS, 2),
            "state": SendState.DELIVERED,
            "error": None,
            "created_at": at,
            "modified_at": at,
        }


def fill(database: Database, count: int) -> None:
    """Two accounts with so many sends between them."""
    with database.writing() as session:
        for number in (1, SMALL):
            who = {"public_id": uuid7(number, bytes(10)), "created_at": START, "modified_at": START}
            session.add(Account(**who, name="Shop", email=f"{number}@shop.example"))
            session.flush()
            session.add(
                Profile(
                    **who,
                    account=number,
                    profile_name="p",
                    sending_domain="shop.example",
                    link_domain="localhost",
                    state=ProfileState.ACTIVE,
                )
            )
            session.flush()
    if database.engine.dialect.name == "postgresql":
        copy(database, count)
    else:
        insert_into(database, count)


def insert_into(database: Database, count: int) -> None:
    """As control does."""
    sends, entries = (insert(Base.metadata.tables[name]) for name in TABLES)
    for batch in batches(count):
        with database.writing() as session:
            session.execute(sends, [row for _, row in batch])
            session.execute(entries, [entry_of(number, row) for number, row in batch])


def copy(database: Database, count: int) -> None:
    """As PostgreSQL takes many, the index afterwards."""
    connection = database.engine.raw_connection()
    cursor = connection.cursor()
    cursor.execute("DROP INDEX ix_search_entries_words")
    dialect = database.engine.dialect
    for batch in batches(count):
        entries = [entry_of(number, row) for number, row in batch]
        for name, rows_ in zip(TABLES, ([row for _, row in batch], entries), strict=True):
            columns = [column for column in Base.metadata.tables[name].columns if column.name in rows_[0]]
            processors = [
                column.type.dialect_impl(dialect).bind_processor(dialect) or (lambda value: value) for column in columns
            ]
            with cursor.copy(f"COPY {name} ({', '.join(column.name for column in columns)}) FROM STDIN") as sink:
                for row in rows_:
                    sink.write_row(
                        [process(row[column.name]) for process, column in zip(processors, columns, strict=True)]
                    )
        connection.commit()
    cursor.execute("CREATE INDEX ix_search_entries_words ON search_entries USING gin (words)")
    connection.commit()
    connection.driver_connection.autocommit = True
    cursor.execute("VACUUM ANALYZE")
    connection.close()


def batches(count: int) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """Rows with their numbers, many at once."""
    source = enumerate(rows(count), start=1)
    while batch := list(itertools.islice(source, BATCH)):
        yield batch


@dataclass
class Kind:
    """A kind of query: makes one of another word each time."""

    name: str
    words: Callable[[random.Random], str]


KINDS = [
    Kind("address", addresses),
    Kind("name", lambda chance: chance.choice(LAST_NAMES)),
    Kind("two letters", lambda chance: chance.choice(["an", "sm", "gm", "co", "yo", "ne", "01"])),
    Kind("provider", lambda chance: chance.choice(PROVIDERS)),
    Kind("subject word", lambda chance: chance.choice(SUBJECT)),
    Kind("tag", lambda chance: chance.choice(TAGS)),
    Kind("two words", lambda chance: f"{chance.choice(FIRST_NAMES)} {chance.choice(SUBJECT)}"),
    Kind(
        "rare and common",
        lambda chance: f"{chance.choice(LAST_NAMES)}{chance.randrange(1000)} {chance.choice(PROVIDERS)}",
    ),
    Kind("nothing like it", lambda chance: f"zz{chance.randrange(10**6)}"),
]


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came of it."""
    start = time.perf_counter()
    found = act()
    return time.perf_counter() - start, found


def measure(database: Database, rounds: int) -> None:
    """Print a line for each kind of query."""
    control = SimpleNamespace(database=database)
    every: list[float] = []
    with database.reading() as session:
        accounts = [SimpleNamespace(account=session.get_one(Account, number)) for number in (1, SMALL)]
    kinds = [*KINDS, Kind("list", lambda _chance: "")]
    for kind in kinds:
        times: list[float] = []
        for round_ in range(-1, rounds):
            for asker in accounts:
                chance = random.Random(round_)
                words = wanted_words(kind.words(chance))
                taken = [*pages(control, asker, words)]
                if round_ >= 0:
                    times += taken
                    every += taken
        print(f"  {kind.name:<18}{statistics.median(times) * 1e3:>8.1f} ms{p95(times) * 1e3:>10.1f} ms")
    print(f"  {'all':<18}{statistics.median(every) * 1e3:>8.1f} ms{p95(every) * 1e3:>10.1f} ms")


def pages(control: Any, asker: Any, words: list[str]) -> Iterator[float]:
    """Seconds for the first page and for the tenth, as far as there are."""
    before = None
    for page in range(10):
        if words:
            seconds, found = timed(lambda at=before: search_sends(control, asker, words, before=at, limit=PAGE + 1))
            before = found[PAGE - 1][0] if len(found) > PAGE else None
        else:
            seconds, found = timed(lambda at=before: list_sends(control, asker, before=at, limit=PAGE + 1))
            before = found[PAGE - 1].send.send_id if len(found) > PAGE else None
        if page in {0, 9}:
            yield seconds
        if before is None:
            return


def p95(times: list[float]) -> float:
    """95 of 100 took no longer."""
    return sorted(times)[int(len(times) * 0.95)]


def run(name: str, url: str, data: Path, count: int, rounds: int) -> None:
    """Fill a database, and print its table."""
    database = Database(create_engine(database_url(url, data)))
    migrate(database)
    seconds, _ = timed(lambda: fill(database, count))
    print(f"{name}, {count:,} sends (filled in {seconds:.0f} s)\n  {'':<18}{'p50':>11}{'p95':>13}")
    measure(database, rounds)
    for table, size in sizes(database).items():
        print(f"  {size / count:.0f} bytes a send in {table}")
    database.close()


def sizes(database: Database) -> dict[str, int]:
    """Bytes of tables with their indexes."""
    with database.engine.connect() as connection:
        if database.engine.dialect.name == "postgresql":
            return {
                table: connection.scalar(text("SELECT pg_total_relation_size(:table)"), {"table": table})
                for table in TABLES
            }
        pages = text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        return {"the whole database": connection.scalar(pages)}


def main() -> None:
    """Run and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sqlite", type=int, default=1_000_000)
    parser.add_argument("--postgresql", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    if options.sqlite:
        with tempfile.TemporaryDirectory() as data:
            run("SQLite", "", Path(data), options.sqlite, options.rounds)
    if options.postgresql:
        with running(durable=False) as server, tempfile.TemporaryDirectory() as data:
            run("PostgreSQL", server.new_database(), Path(data), options.postgresql, options.rounds)


if __name__ == "__main__":
    main()
