"""Sends that were accepted before there was a search can be found after an upgrade."""

import asyncio
import logging
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select
from tests.older import make_older

from waypost.control.sends import backfill
from waypost.control.sends.backfill import index_some, left, run
from waypost.control.sends.search import search
from waypost.db import Database, create_engine, database_url, migrate
from waypost.db.states import AccountState, DeliveryState, ProfileState, SendState
from waypost.db.tables import Account, Base, Delivery, Profile, SearchEntry, Send

NOW = datetime(2026, 3, 29, 1, 30, 15, tzinfo=UTC)
SENDS = 25
TABLES = Base.metadata.tables
TIMES = {"created_at": NOW, "modified_at": NOW}


@pytest.fixture
def old(new_database, tmp_path):
    """A database as the release before the search left it, opened by this one."""
    opened = Database(create_engine(database_url(new_database, tmp_path)))
    make_older(opened, "0005", fill)
    migrate(opened)
    yield opened
    opened.close()


def fill(connection):
    account = {"name": "Shop", "is_operator": False, "state": AccountState.APPROVED, **TIMES}
    for number in (1, 2):
        row = account | {"public_id": UUID(int=number), "email": f"owner{number}@shop.example"}
        connection.execute(insert(TABLES[Account.__tablename__]).values(row))
        profile = {
            "public_id": UUID(int=number),
            "account": number,
            "profile_name": "p",
            "sending_domain": "shop.example",
            "link_domain": "localhost",
            "link_domain_default_redirect": "",
            "bounce_domain": "",
            "state": ProfileState.ACTIVE,
            **TIMES,
        }
        connection.execute(insert(TABLES[Profile.__tablename__]).values(profile))
    for number in range(1, SENDS + 1):
        add_send(connection, number)


def add_send(connection, number, account=1):
    connection.execute(
        insert(TABLES[Send.__tablename__]).values(
            send_id=UUID(int=number),
            send_key=f"{number:027}",
            account=account if number % 5 else 2,
            profile=account,
            from_email_address="shop@shop.example",
            from_name="",
            reply_to="",
            recipient_email_address=f"reader{number}@inbox.example",
            recipient_name="",
            subject="Spring planting",
            open_tracking=False,
            click_tracking=False,
            tags=["garden"],
            state=SendState.DELIVERED,
            **TIMES,
        )
    )
    connection.execute(
        insert(TABLES[Delivery.__tablename__]).values(
            send_id=UUID(int=number),
            state=DeliveryState.DELIVERED,
            attempts=1,
            next_attempt_at=NOW,
            created_at=NOW,
        )
    )


def found(database, *words, account=1):
    with database.reading() as session:
        return [send.send_id.int for _, send in search(session, account, words, before=None, limit=1000)]


def test_the_newest_are_findable_first_and_at_last_all_are_each_by_its_own_account(old):
    assert found(old, "plant") == []
    assert left(old) == SENDS

    assert index_some(old, 10) == 10
    assert found(old, "plant") == [24, 23, 22, 21, 19, 18, 17, 16]
    assert left(old) == 15
    assert [index_some(old, 10) for _ in range(3)] == [10, 5, 0]

    assert found(old, "garden", "reader7") == [7]
    assert found(old, "plant") == [number for number in range(SENDS, 0, -1) if number % 5]
    assert found(old, "plant", account=2) == [25, 20, 15, 10, 5]
    assert left(old) == 0


def test_it_goes_on_where_it_was_stopped_also_when_sends_are_deleted_meanwhile(old):
    index_some(old, 10)
    with old.writing() as session:
        session.delete(session.get_one(Send, UUID(int=16)))  # the oldest one that can be found
        session.delete(session.get_one(Send, UUID(int=3)))

    while index_some(old, 10):
        pass

    with old.reading() as session:
        assert session.scalars(select(func.count()).select_from(SearchEntry)).one() == SENDS - 2


def test_it_works_in_the_background_and_says_how_far_it_is(old, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "waypost.control.sends.backfill")
    monkeypatch.setattr(backfill, "BATCH", 10)
    monkeypatch.setattr(backfill, "PAUSE_SECONDS", 0.01)

    asyncio.run(asyncio.wait_for(run(old, asyncio.Event()), 60))

    assert left(old) == 0
    assert [record.getMessage() for record in caplog.records] == [
        f"about {SENDS} sends of an earlier release are being made findable by the search",
        f"all {SENDS} sends of an earlier release can be found by the search",
    ]


def test_two_processes_at_once_make_each_send_findable_once(old):
    async def both():
        await asyncio.gather(*(asyncio.to_thread(lambda: [index_some(old, 5) for _ in range(6)]) for _ in range(3)))

    asyncio.run(both())

    assert len(found(old, "plant")) + len(found(old, "plant", account=2)) == SENDS


def test_a_new_install_has_nothing_to_do(database):
    assert (index_some(database, 10), left(database)) == (0, 0)
