"""The pipeline as the core process runs it: a real spool, a real control database, a real store."""

import asyncio
import threading
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from tests.unit.store.rows import hit, send_id

from waypost.config import load
from waypost.db import ControlKey, Database, create_engine, database_url, migrate
from waypost.db.outbox import LinkRecord, SendEvent, SendRecord, rows
from waypost.db.states import OutboxTopic, SendState
from waypost.db.tables import Outbox
from waypost.db.tombstones import Tombstones
from waypost.events.name import EventName
from waypost.pipeline.counts import Count, Counts
from waypost.pipeline.errors import CollectorRunningError
from waypost.pipeline.hold import hold
from waypost.pipeline.outbox import OutboxDrain
from waypost.pipeline.process import run
from waypost.spool.counters import Counters
from waypost.spool.files import Files
from waypost.spool.segments import SegmentWriter
from waypost.store import EventLink

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
CONTROL_KEY = ControlKey(b"k" * 32)


@pytest.fixture
def database(tmp_path):
    opened = Database(create_engine(database_url("", tmp_path)))
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def settings(tmp_path):
    return load(None, {}, tmp_path)


def send_record(account, send):
    return SendRecord(
        send_id=send,
        send_key="2aUyqjCzEIiEcYMKj7TZtw2zcY3",
        account=account,
        profile=7,
        sending_profile_id=UUID(int=77),
        recipient_email_address="reader@example.com",
        tags=["spring"],
        links=[LinkRecord(index=2, name="buy")],
        created_at=NOW,
    )


def send_event(account, send, state=SendState.ACCEPTED, **changes):
    event = SendEvent(
        event_id=send_id(), event=state, occurred_at=NOW, account=account, profile=7, send_id=send, detail="as said"
    )
    return msgspec.structs.replace(event, **changes)


def note(database, *facts):
    with database.writing() as session:
        session.add_all(rows(facts, NOW))


def noted(database):
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Outbox))


def drain(database, store, counts=None):
    return OutboxDrain(database, store, counts or Counts(), now=lambda: NOW + timedelta(seconds=1))


@asynccontextmanager
async def running(settings, store, database, counts):
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as parts:
        parts.create_task(run(settings, store, database, stop, CONTROL_KEY, counts=counts))
        yield
        stop.set()


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        time.sleep(0.02)


def write(spool: Path, hits):
    """Write and seal, as the edge does after at most a second."""
    writer = SegmentWriter(
        spool / "edge-0",
        "edge-0",
        Counters.in_memory(),
        sync=True,
        segment_bytes=1 << 20,
        segment_seconds=1.0,
        files=Files(),
    )
    assert writer.write(hits) is None
    writer.sync()
    writer.close()


def test_a_click_and_the_states_of_its_send_can_be_read_moments_after_they_were_written(
    settings, store, database, account
):
    send = send_id()
    click = hit(account, send, headers={"user-agent": "curl/8.5.0"})
    counts = Counts()

    async def scenario():
        async with running(settings, store, database, counts):
            note(database, send_record(account, send), send_event(account, send))
            write(settings.data / "spool", [click])
            # One second more is the segment's, which this test seals at once.
            await asyncio.to_thread(wait_until, lambda: len(store.send_events(account, send)) == 2, seconds=20)

    asyncio.run(scenario())

    accepted, clicked = sorted(store.send_events(account, send), key=lambda event: event.event)
    assert (accepted.event, accepted.detail) == (EventName.ACCEPTED, "as said")
    assert clicked.link == EventLink(2, "buy", click.destination, "html")
    assert clicked.client.browser == "curl"
    assert noted(database) == 0
    others = {Count.SETTLED, Count.RECLASSIFIED}  # what other tests left in the store is settled too
    assert {count: n for count, n in counts.snapshot().items() if n and count not in others} == {
        Count.STORED: 1,
        Count.SENDS: 1,
        Count.SEND_EVENTS: 1,
    }


def test_a_database_that_is_down_at_the_start_ends_nothing_and_no_event_is_stored_before_it_tells_who_was_erased(
    settings, store, database, account, monkeypatch, caplog
):
    look = Tombstones.look
    down = threading.Event()
    down.set()

    def look_if_up(tombstones):
        if down.is_set():
            raise OperationalError("SELECT", {}, Exception("it is down"))
        look(tombstones)

    monkeypatch.setattr(Tombstones, "look", look_if_up)
    send = send_id()
    counts = Counts()

    async def scenario():
        async with running(settings, store, database, counts):
            write(settings.data / "spool", [hit(account, send)])
            await asyncio.to_thread(wait_until, lambda: "list of erased sends" in caplog.text, seconds=60)
            assert counts.snapshot()[Count.STORED] == 0
            down.clear()
            await asyncio.to_thread(wait_until, lambda: store.send_events(account, send), seconds=60)

    asyncio.run(scenario())


def test_the_pipeline_ends_soon_after_it_is_told_to(settings, store, database):
    """Once in three times: on a busy machine it may wait for a processor at any one."""

    async def ended_after_seconds():
        async with running(settings, store, database, Counts()):
            await asyncio.sleep(0.5)
            told = time.monotonic()
        return time.monotonic() - told

    assert any(asyncio.run(ended_after_seconds()) < 4.5 for _ in range(3))


def test_a_second_pipeline_on_the_same_spool_is_refused(settings, store, database):
    with hold(settings.data / "spool"), pytest.raises(CollectorRunningError):
        asyncio.run(run(settings, store, database, asyncio.Event(), CONTROL_KEY))


class BrokenDelete:
    """The control database, which fails when rows are to be deleted."""

    def __init__(self, database):
        self.reading = database.reading

    def writing(self):
        raise OperationalError("DELETE", {}, Exception("gone"))


def test_facts_whose_outbox_rows_could_not_be_deleted_are_stored_once(store, database, account):
    send = send_id()
    note(database, send_record(account, send), send_event(account, send))
    with pytest.raises(OperationalError):
        drain(BrokenDelete(database), store).drain()
    assert noted(database) == 2
    note(database, send_event(account, send, SendState.QUEUED, occurred_at=NOW + timedelta(seconds=1)))
    counts = Counts()
    assert drain(database, store, counts).drain() == 3
    assert noted(database) == 0
    assert [event.event for event in store.send_events(account, send)] == [EventName.ACCEPTED, EventName.QUEUED]
    assert counts.snapshot()[Count.SEND_EVENTS] == 1


def test_a_fact_that_cannot_be_understood_or_held_stays_and_stops_nothing(store, database, account, caplog):
    send = send_id()
    note(database, send_event(account, send, profile=-1))
    with database.writing() as session:
        session.add(Outbox(topic=OutboxTopic.SEND, payload={"send_id": "none"}, created_at=NOW))
    note(database, send_event(account, send))
    counts = Counts()
    draining = drain(database, store, counts)
    assert draining.drain() == 1
    assert draining.drain() == 0
    assert noted(database) == 2
    assert len(store.send_events(account, send)) == 1
    assert counts.snapshot()[Count.UNREADABLE_FACTS] == 2
    assert len([record for record in caplog.records if record.name == "waypost.pipeline.outbox"]) == 2


def test_a_long_outbox_is_moved_in_batches_oldest_first(store, database, account, monkeypatch):
    monkeypatch.setattr("waypost.pipeline.outbox._BATCH_ROWS", 3)
    send = send_id()
    note(database, *(send_event(account, send, occurred_at=NOW + timedelta(seconds=n)) for n in range(7)))
    draining = drain(database, store)
    assert draining.drain() == 3
    assert [event.occurred_at.second for event in store.send_events(account, send)] == [0, 1, 2]
    assert [draining.drain() for _ in range(3)] == [3, 1, 0]
    assert len(store.send_events(account, send)) == 7
