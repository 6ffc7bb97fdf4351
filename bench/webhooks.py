"""Webhooks told a second by one process on one core, to one receiver and to twenty: make bench-webhooks

    python -m bench.webhooks [--notices N] [--profile]

As the core does it: notices in SQLite, events in the embedded event store, each send with its states and a click, and
each message read, signed, posted and recorded. Every notice is due when it begins. Receivers are on this machine, on
another core, and answer at once. CPU time is that of the sender, engine threads included.
"""

import argparse
import asyncio
import cProfile
import multiprocessing
import os
import pstats
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID, uuid4

from tests.unit.store.rows import hit, hit_row, send_event
from torture.load import ACCOUNT, PROFILE, send_id
from torture.told import fill

from waypost.config import Settings, load
from waypost.control.install import open_database
from waypost.control.webhooks.events import event_reader
from waypost.db import ControlKey, Database
from waypost.db.states import AttemptOutcome
from waypost.db.tables import WebhookEndpoint
from waypost.db.webhook_secrets import WebhookSecret, seal_webhook_secret
from waypost.events.hit import Hit
from waypost.events.name import EventName
from waypost.events.notice import NoticeType, Occurrence
from waypost.store import EventStore
from waypost.store.reading import Reader
from waypost.telemetry.garbage import spare_the_collector
from waypost.webhooks.counts import Counts
from waypost.webhooks.notices import Notices
from waypost.webhooks.process import run
from waypost.webhooks.signing import SECRET_BYTES, secret_text

KEY = ControlKey(bytes(32))
RECEIVERS = (1, 20)
STATES = (EventName.ACCEPTED, EventName.QUEUED, EventName.PROCESSED, EventName.SENT, EventName.DELIVERED)
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class Receiver(asyncio.Protocol):
    """Takes requests, and answers each when its body is there."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._transport.write(ANSWER)


def receive(receivers: int, ports: Connection) -> None:
    """A process of receivers; says their ports."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(Receiver, "127.0.0.1", 0) for _ in range(receivers)]
        ports.send([server.sockets[0].getsockname()[1] for server in servers])
        await asyncio.gather(*(server.serve_forever() for server in servers))

    asyncio.run(serve())


class Queries:
    """Counts what the event store is asked."""

    def __init__(self) -> None:
        self.count = 0
        self._ask = Reader.query
        Reader.query = self._counted(self._ask)

    def _counted(self, ask):
        def query(reader, operation, sql, **parameters):
            self.count += 1
            return ask(reader, operation, sql, **parameters)

        return query


def store_events(store: EventStore, sends: int) -> list[Hit]:
    """The states and a click of each send; the clicks."""
    at = datetime.now(UTC)
    ids = [send_id(number) for number in range(sends)]
    clicks = [hit(ACCOUNT, each, event_id=uuid4(), occurred_at=at, profile=PROFILE) for each in ids]
    store.insert_send_events(
        [
            send_event(ACCOUNT, each, state, event_id=uuid4(), occurred_at=at - timedelta(seconds=60), profile=PROFILE)
            for each in ids
            for state in STATES
        ]
    )
    store.insert_hits([hit_row(each, record=number) for number, each in enumerate(clicks)])
    return clicks


def add_endpoints(database: Database, ports: Sequence[int]) -> None:
    """One for each receiver, told of clicks."""
    now = datetime.now(UTC) - timedelta(hours=1)
    with database.writing() as session:
        for port in ports:
            endpoint_id = uuid4()
            secret = seal_webhook_secret(KEY, WebhookSecret.SIGNING, endpoint_id, secret_text(bytes(SECRET_BYTES)))
            session.add(
                WebhookEndpoint(
                    public_id=endpoint_id,
                    account=ACCOUNT,
                    url=f"http://127.0.0.1:{port}/in",
                    events=[NoticeType.CLICK],
                    sealed_secret=secret,
                    created_at=now,
                    modified_at=now,
                )
            )


async def deliver(settings: Settings, database: Database, store: EventStore, notices: int) -> None:
    """Until all are told."""
    stop, counts = asyncio.Event(), Counts()
    task = asyncio.create_task(run(settings, database, KEY, event_reader(database, store), stop, counts=counts))
    while (done := counts.attempts)[AttemptOutcome.DELIVERED] < notices:
        assert sum(done.values()) == done[AttemptOutcome.DELIVERED], done
        await asyncio.sleep(0.02)
    stop.set()
    await task


def measure(receivers: int, store: EventStore, clicks: Sequence[Hit], notices: int, queries: Queries) -> str:
    """A line of the table."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=receive, args=(receivers, theirs), daemon=True)
    process.start()
    ports = ours.recv()
    told = clicks[: notices // receivers]
    with tempfile.TemporaryDirectory() as directory:
        settings = load(None, {"WAYPOST_WEBHOOKS__PRIVATE_NETWORKS": "127.0.0.0/8"}, Path(directory))
        database = open_database(settings)
        fill(database, ACCOUNT, PROFILE, range(len(told)))
        add_endpoints(database, ports)
        noting = Notices.open(settings, database)
        began = time.process_time()
        noted = noting.occurred([_occurrence(each) for each in told])
        noting_cpu = time.process_time() - began
        assert noted == notices, noted
        asked, began, cpu_began = queries.count, time.perf_counter(), time.process_time()
        asyncio.run(deliver(settings, database, store, notices))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        database.close()
    process.terminate()
    process.join()
    return (
        f"{receivers:>9}{notices:>9,}{notices / seconds:>10,.0f}{1e3 * cpu / notices:>10.2f}"
        f"{1e3 * noting_cpu / notices:>10.3f}{(queries.count - asked) / notices:>10.3f}"
    )


def _occurrence(click: Hit) -> Occurrence:
    return Occurrence(ACCOUNT, UUID(int=click.send_id.int), click.event_id, NoticeType.CLICK, click.occurred_at)


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--notices", type=int, default=4_000, help="in each line")
    arguments.add_argument("--rounds", type=int, default=3, help="each prints a table: neighbours only slow down")
    arguments.add_argument("--profile", action="store_true", help="where the main thread's time goes, by cProfile")
    given = arguments.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    queries, profile = Queries(), cProfile.Profile()
    with tempfile.TemporaryDirectory() as directory:
        store = EventStore.open("", Path(directory))
        clicks = store_events(store, given.notices)
        spare_the_collector()
        print(f"{'':>9}{'':>9}{'a second':>10}{'ms of CPU':>10}{'to note':>10}{'queries':>10}")
        print(f"{'receivers':>9}{'notices':>9}{'':>10}{'each':>10}{'each':>10}{'each':>10}")
        for _ in range(given.rounds):
            for receivers in RECEIVERS:
                if given.profile:
                    profile.enable()
                print(measure(receivers, store, clicks, given.notices, queries), flush=True)
                profile.disable()
        store.close()
    if given.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
