"""What the control plane does as time passes: at its start and every hour, whatever the database does."""

import asyncio
import os
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from tests.integration.control.conftest import START

from waypost.control import housekeeping
from waypost.control.accounts.schema import NewAccount
from waypost.control.accounts.service import sign_up
from waypost.control.housekeeping import keep_house
from waypost.control.sources import Sources
from waypost.db.tables import ApiKey


def at(now):
    return Sources(lambda: now, os.urandom)


@pytest.fixture
def a_key(database):
    sign_up(database, at(START), NewAccount(name="Shop", email="owner@shop.example"))


async def until_revoked(database, stop, seconds=60):
    async with asyncio.timeout(seconds):
        while True:
            with database.reading() as session:
                if session.scalars(select(ApiKey.revoked_at)).one() is not None:
                    break
            await asyncio.sleep(0.01)
    stop.set()


def run(database):
    async def both():
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_house(database, at(START + timedelta(days=91)), 45, stop))
            tasks.create_task(until_revoked(database, stop))

    asyncio.run(both())


@pytest.mark.usefixtures("a_key")
def test_it_begins_at_once_and_stops_when_asked(database):
    run(database)


@pytest.mark.usefixtures("a_key")
def test_a_database_that_fails_is_tried_again(database, monkeypatch, caplog):
    monkeypatch.setattr(housekeeping, "PERIOD_SECONDS", 0.01)
    times = iter([OperationalError("", {}, Exception("gone away"))])
    clean = housekeeping.clean

    def failing_once(*parts):
        if error := next(times, None):
            raise error
        clean(*parts)

    monkeypatch.setattr(housekeeping, "clean", failing_once)
    run(database)

    assert "gone away" in caplog.text
