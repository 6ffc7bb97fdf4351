"""Lives of a worker's spool with its disk recorded: clicks on a disk that is well, stuck, failing or bounded."""

import asyncio
import errno
import itertools
import pickle
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.unit.spool.conftest import AT, Clock, FailingFiles

from torture.load import ACCOUNT, LINK_DOMAIN, PROFILE, click_once, destination, send_id
from torture.power import DIRECTORY
from torture.processes import WORKER_COMMAND, Install
from torture.recording import Event, RecordingCommit, RecordingFiles
from waypost.events.hit import Hit, HitKind, Outcome
from waypost.events.ids import uuid7
from waypost.spool.counters import Count, Counters
from waypost.spool.segments import RETRY_SECONDS, SegmentWriter

WAIT_SECONDS = 0.02
SEGMENT_BYTES = 1_200
"""A few clicks: sealing is in every life."""
FILLING = 6
"""Clicks that fill one, which is then sealed."""


class Life(NamedTuple):
    """What a worker goes through.

    Attributes:
        act: does it.
        sync: group commit; otherwise process durability.
        max_bytes: of the backlog.
    """

    act: Callable[["Worker"], Awaitable[None]]
    sync: bool = True
    max_bytes: int = 0


class Worker:
    """The spool of a worker in this process, with its disk recorded."""

    def __init__(self, root: Path, life: Life, rng: Random) -> None:
        self.files = RecordingFiles(root)
        self.sync = life.sync
        self.rng = rng
        self._clock = Clock()
        self._numbers = itertools.count(1)
        writer, counters = open_spool(root, life, self.files, self._clock)
        loop = asyncio.get_running_loop()
        self._commit = RecordingCommit(writer, counters, wait_seconds=WAIT_SECONDS, loop=loop, soon=loop.call_soon)

    async def clicks(self, count: int) -> None:
        """So many in one turn of the loop, until all are answered."""
        answers = []
        for _ in range(count):
            answered: asyncio.Future[Count] = asyncio.get_running_loop().create_future()
            self._commit.append(make_hit(next(self._numbers), self.rng), answered.set_result)
            answers.append(answered)
        await asyncio.gather(*answers)

    def later(self, seconds: float) -> None:
        self._clock.seconds += seconds

    async def close(self) -> None:
        await self._commit.close()


def make_hit(number: int, rng: Random) -> Hit:
    """A click, of a length of its own."""
    return Hit(
        event_id=uuid7(int(AT.timestamp() * 1000), rng.randbytes(10)),
        occurred_at=AT,
        edge="edge-0",
        kind=HitKind.CLICK,
        outcome=Outcome.ANSWERED,
        send_id=send_id(number),
        account=ACCOUNT,
        profile=PROFILE,
        destination=destination(number),
        link_domain=LINK_DOMAIN,
        headers={"user-agent": "x" * rng.randrange(40)},
    )


async def _click(worker: Worker) -> None:
    """Clicks in turns of several, over two segments."""
    for _ in range(8):
        await worker.clicks(worker.rng.randint(1, 3))


async def _stall(worker: Worker) -> None:
    """The disk is stuck, in a sync and in a write: clicks are answered after the wait limit."""
    for call in ("sync", "write"):
        await worker.clicks(1)
        gate = worker.files.stuck[call] = threading.Event()
        await worker.clicks(2)
        await worker.clicks(1)
        del worker.files.stuck[call]
        gate.set()
        await worker.clicks(1)


async def _fail(worker: Worker) -> None:
    """Each call fails, once or for a while, in a segment with clicks and in a new one; a write stops half way."""
    for (call, code), new in itertools.product(FAILURES.items(), (False, True)):
        if call == "sync" and not worker.sync:
            continue  # what such a segment has on the disk is anybody's guess, and process durability promises nothing
        await worker.clicks(FILLING if new else 1)
        worker.files.torn = 100
        worker.files.fail = {call: code}
        await worker.clicks(2)
        worker.files.fail |= {"truncate": errno.EIO, "unlink": errno.EIO}
        await worker.clicks(1)
        worker.files.fail = {}
        worker.later(RETRY_SECONDS)
    await worker.clicks(1)


FAILURES = {
    "write": errno.ENOSPC,
    "sync": errno.EIO,
    "sync_directory": errno.EIO,
    "create": errno.ENOSPC,
    "rename": errno.EIO,
}
LIVES = {
    "clicks": Life(_click),
    "a stuck disk": Life(_stall),
    "a failing disk": Life(_fail),
    "a bounded backlog": Life(_click, max_bytes=SEGMENT_BYTES),
    "process durability": Life(_click, sync=False),
    "process durability, a failing disk": Life(_fail, sync=False),
}


def open_spool(root: Path, life: Life, files: FailingFiles, clock: Clock) -> tuple[SegmentWriter, Counters]:
    """As a worker's process does, which recovers what it finds."""
    counters = Counters.in_memory(until_kept=True)
    writer = SegmentWriter(
        root / DIRECTORY,
        "edge-0",
        counters,
        sync=life.sync,
        segment_bytes=SEGMENT_BYTES,
        segment_seconds=1.0,
        max_bytes=life.max_bytes,
        files=files,
        monotonic=clock,
        now=clock.now,
    )
    writer.prepare()
    return writer, counters


def record(root: Path, life: Life, rng: Random) -> list[Event]:
    """What happened in a life, from beginning to end."""

    async def live() -> list[Event]:
        worker = Worker(root, life, rng)
        await life.act(worker)
        await worker.close()
        return worker.files.events

    return asyncio.run(live())


def record_worker(folder: Path, clicks: int) -> list[Event]:
    """What happened in the life of a real worker that had so many clicks, one after the other."""
    happened = folder / "events"
    with Install(folder / "install", {"PYTHONPATH": str(Path(__file__).parents[1])}, listeners=False) as install:
        command = [sys.executable, "-m", "torture.recorded_worker", str(happened), WORKER_COMMAND, "--worker", "0"]
        worker = install.start("edge-0", command)
        worker.wait_ready()
        if not all(click_once(install.edge_port, install.keyring, number) for number in range(clicks)):
            raise AssertionError("a click was not redirected")
        worker.stop()
    return pickle.loads(happened.read_bytes())
