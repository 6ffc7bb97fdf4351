"""The webhooks process: tells endpoints what is due, until it is told to stop."""

import asyncio
import logging
import random
import ssl
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from waypost.config.settings import Settings
from waypost.db import ControlKey, Database
from waypost.db.tables import WebhookEndpoint
from waypost.webhooks.connect import Names, Resolve
from waypost.webhooks.counts import Counts
from waypost.webhooks.dispatch import Dispatcher, Events, EventsOf
from waypost.webhooks.queue import Claim, Queue
from waypost.webhooks.sender import ATTEMPT_SECONDS, Sender
from waypost.webhooks.target import private_networks

_log = logging.getLogger(__name__)

# Somebody who clicks is told of within this time; looking costs one indexed read for each endpoint.
_POLL_SECONDS: Final = 0.25
_DATABASE_DOWN_PAUSE_SECONDS: Final = 1.0
_CLEAN_SECONDS: Final = 3600.0
# What is then still under way is left to its lease. An attempt ends sooner; `waypost up` waits 25 s.
_STOP_SECONDS: Final = 20.0
# Of the event store at once, which takes eight and has the API to serve.
_READS: Final = 2
ENDPOINT_REQUESTS: Final = 8
"""At one endpoint at once."""
# One that failed last, or took its time, gets one: many of them then leave room for the others.
_TROUBLED_REQUESTS: Final = 1
_SLOW_MS: Final = 3000


async def run(
    settings: Settings,
    database: Database,
    control_key: ControlKey,
    events_of: EventsOf,
    stop: asyncio.Event,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    chance: Callable[[], float] = random.random,
    resolve: Resolve | None = None,
    trust: ssl.SSLContext | None = None,
    seconds: float = ATTEMPT_SECONDS,
    counts: Counts | None = None,
) -> None:
    """Deliver until `stop` is set, then finish what is under way.

    Several may run over one database, in one process or many. Nothing that a receiver, the database or the event store
    does ends it.

    Args:
        settings: `webhooks` and `dns` are used.
        database: shared with others.
        control_key: opens the secrets of endpoints.
        events_of: reads what is told; called in threads.
        stop: set it to end.
        clock: aware UTC now.
        chance: random numbers from 0 to 1.
        resolve: names to addresses; DNS by default.
        trust: what certificates are judged by; the system's trust store by default.
        seconds: for one attempt.
        counts: raised as things happen.
    """
    private = private_networks(settings)
    raised = Counts() if counts is None else counts
    sender = Sender(
        resolve or Names(settings.dns.resolvers),
        private,
        trust or ssl.create_default_context(),
        connections=settings.webhooks.connections,
        seconds=seconds,
    )
    queue = Queue(database)
    dispatcher = Dispatcher(queue, sender, control_key, private, clock=clock, chance=chance, counts=raised)
    worker = _Worker(queue, dispatcher, events_of, clock, slots=settings.webhooks.connections)
    keep = timedelta(days=settings.webhooks.keep_days)
    cleaning = asyncio.create_task(_clean(queue, lambda: clock() - keep))
    try:
        await worker.work(stop)
    finally:
        cleaning.cancel()
        await worker.end()
        await sender.close()


class _Worker:
    """Keeps up to `slots` attempts under way as long as anything is due, and a few of one endpoint."""

    def __init__(
        self,
        queue: Queue,
        dispatcher: Dispatcher,
        events_of: EventsOf,
        clock: Callable[[], datetime],
        *,
        slots: int,
    ) -> None:
        self._queue = queue
        self._dispatcher = dispatcher
        self._events_of = events_of
        self._clock = clock
        self._slots = slots
        self._under_way: dict[asyncio.Task[None], int] = {}
        """The endpoint of each attempt."""
        self._slow: set[int] = set()
        self._reading = asyncio.Semaphore(_READS)
        self._paused_until = 0.0

    async def work(self, stop: asyncio.Event) -> None:
        """Claim and start until `stop` is set; then wait for what is under way."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                claimed = await self._claim()
                self._start(claimed)
                await asyncio.wait(
                    {stopping, *self._under_way},
                    timeout=_POLL_SECONDS,
                    # What ends makes room; with nothing due it may as well wait.
                    return_when=asyncio.FIRST_COMPLETED,
                )
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=_STOP_SECONDS)
        finally:
            stopping.cancel()

    async def end(self) -> None:
        """Cancel what is still under way."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _claim(self) -> list[Claim]:
        now = asyncio.get_running_loop().time()
        free = self._slots - len(self._under_way)
        if free <= 0 or now < self._paused_until:
            return []
        busy = Counter(self._under_way.values())

        def room(endpoint: WebhookEndpoint) -> int:
            troubled = endpoint.failing_since is not None or endpoint.number in self._slow
            return (_TROUBLED_REQUESTS if troubled else ENDPOINT_REQUESTS) - busy[endpoint.number]

        try:
            return await asyncio.to_thread(self._queue.claim, self._clock(), free, room)
        except SQLAlchemyError:
            _log.exception("the webhooks to be sent could not be read")
            self._paused_until = now + _DATABASE_DOWN_PAUSE_SECONDS
            return []

    def _start(self, claims: list[Claim]) -> None:
        # Several events of one send, and one event for several endpoints, are read at once.
        reading: dict[tuple[int, UUID | None], asyncio.Task[Events]] = {}
        for claim in claims:
            account, send_id = claim.endpoint.account, claim.notice.send_id
            if (account, send_id) not in reading:
                reading[account, send_id] = asyncio.create_task(self._read(account, send_id))
            task = asyncio.create_task(self._attempt(claim, reading[account, send_id]))
            self._under_way[task] = claim.endpoint.number
            task.add_done_callback(self._under_way.pop)

    async def _read(self, account: int, send_id: UUID | None) -> Events:
        if send_id is None:
            return {}
        async with self._reading:
            return await asyncio.to_thread(self._events_of, account, send_id)

    async def _attempt(self, claim: Claim, events: asyncio.Task[Events]) -> None:
        try:
            attempt = await self._dispatcher.attempt(claim, asyncio.shield(events))
        except Exception:  # noqa: BLE001 - one message must not stop the others; its lease brings it back
            _log.exception("webhook %d could not be recorded; its lease will bring it back", claim.notice.number)
            return
        if attempt is not None:
            slow = attempt.duration_ms >= _SLOW_MS
            (self._slow.add if slow else self._slow.discard)(claim.endpoint.number)


async def _clean(queue: Queue, before: Callable[[], datetime]) -> None:
    """Delete what was kept long enough, every hour, for ever."""
    while True:
        try:
            while await asyncio.to_thread(queue.clean, before()):
                continue
        except SQLAlchemyError as error:
            _log.error("old webhooks could not be deleted and will be in an hour: %s", error)
        await asyncio.sleep(_CLEAN_SECONDS)
