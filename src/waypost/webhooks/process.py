"""The webhooks process: tells endpoints what is due, until it is told to stop."""

import asyncio
import logging
import random
import ssl
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from waypost.config.settings import Settings
from waypost.db import ControlKey, Database
from waypost.db.states import AttemptOutcome
from waypost.db.tables import WebhookEndpoint
from waypost.webhooks.connect import Names, Resolve
from waypost.webhooks.counts import Counts
from waypost.webhooks.dispatch import Dispatcher, Events, EventsOf
from waypost.webhooks.queue import Attempt, Claim, Queue, Turn
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
_UNREADABLE_PAUSE_SECONDS: Final = 5.0
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
        seconds=seconds,
    )
    queue = Queue(database)
    dispatcher = Dispatcher(queue, sender, control_key, private, clock=clock, chance=chance, counts=raised)
    worker = _Worker(queue, dispatcher, sender, events_of, clock, slots=settings.webhooks.connections)
    keep = timedelta(days=settings.webhooks.keep_days)
    cleaning = asyncio.create_task(_clean(queue, lambda: clock() - keep))
    try:
        await worker.work(stop)
    finally:
        cleaning.cancel()
        await worker.end()
        sender.close()


class _Worker:
    """Keeps up to `slots` attempts under way as long as anything is due, and a few of one endpoint."""

    def __init__(
        self,
        queue: Queue,
        dispatcher: Dispatcher,
        sender: Sender,
        events_of: EventsOf,
        clock: Callable[[], datetime],
        *,
        slots: int,
    ) -> None:
        self._queue = queue
        self._dispatcher = dispatcher
        self._sender = sender
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
                self._start(await self._claim(), stop)
                self._sender.close_idle()
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

    async def _claim(self) -> list[Turn]:
        now = asyncio.get_running_loop().time()
        free = self._slots - len(self._under_way)
        if free <= 0 or now < self._paused_until:
            return []
        busy = Counter(self._under_way.values())

        def room(endpoint: WebhookEndpoint) -> int:
            if endpoint.failing_since is not None or endpoint.number in self._slow:
                return _TROUBLED_REQUESTS - busy[endpoint.number]
            # Requests of a turn end about together: what waits for half of them is read together.
            return ENDPOINT_REQUESTS - busy[endpoint.number] if busy[endpoint.number] <= ENDPOINT_REQUESTS // 2 else 0

        try:
            return await asyncio.to_thread(self._queue.claim, self._clock(), free, room)
        except SQLAlchemyError:
            _log.exception("the webhooks to be sent could not be read")
            self._paused_until = now + _DATABASE_DOWN_PAUSE_SECONDS
            return []

    def _start(self, turns: Sequence[Turn], stop: asyncio.Event) -> None:
        if not turns:
            return
        reading = asyncio.create_task(self._read([claim for turn in turns for claim in turn.claims]))
        for turn in turns:
            left = deque(turn.claims)
            for _ in range(turn.requests):
                task = asyncio.create_task(self._tell(turn.endpoint, left, reading, stop))
                self._under_way[task] = turn.endpoint
                task.add_done_callback(self._under_way.pop)

    async def _read(self, claims: Sequence[Claim]) -> Events | None:
        """What they are about; None when it cannot be read, which is nobody's fault."""
        wanted = {
            (claim.endpoint.account, claim.notice.send_id, claim.notice.event_id)
            for claim in claims
            if claim.notice.send_id is not None
        }
        if not wanted:
            return {}
        try:
            async with self._reading:
                return await asyncio.to_thread(self._events_of, wanted)
        except Exception:  # noqa: BLE001 -- whatever the store's client raises
            _log.exception("events to be told cannot be read and will be again")
            self._paused_until = asyncio.get_running_loop().time() + _UNREADABLE_PAUSE_SECONDS
            return None

    async def _tell(
        self, endpoint: int, left: deque[Claim], reading: asyncio.Task[Events | None], stop: asyncio.Event
    ) -> None:
        """Attempt what is left of a turn, beside others who do so, until the endpoint turns out to be in trouble."""
        known = await asyncio.shield(reading)
        if known is None:
            await self._put_back(left, timedelta(seconds=_UNREADABLE_PAUSE_SECONDS))
        recording: list[asyncio.Task[None]] = []
        while left and known is not None:
            if not await self._attempt(endpoint, left.popleft(), known, recording) or stop.is_set():
                await self._put_back(left, timedelta())
        await asyncio.gather(*recording)

    async def _attempt(self, endpoint: int, claim: Claim, known: Events, recording: list[asyncio.Task[None]]) -> bool:
        """Make one, and begin to record it; whether more may follow at once."""
        try:
            attempt = await self._dispatcher.attempt(claim, known)
        except Exception:  # noqa: BLE001 - one message must not stop the others
            _log.exception("webhook %d could not be sent; its lease will bring it back", claim.notice.number)
            return False
        # Not waited for: what is sent meanwhile is recorded together.
        recording.append(asyncio.create_task(self._record(claim, attempt)))
        slow = attempt.duration_ms >= _SLOW_MS
        (self._slow.add if slow else self._slow.discard)(endpoint)
        return not slow and attempt.answer.outcome in {AttemptOutcome.DELIVERED, AttemptOutcome.MISSING}

    async def _record(self, claim: Claim, attempt: Attempt) -> None:
        try:
            await self._dispatcher.record(claim, attempt)
        except Exception:  # noqa: BLE001 - likewise
            _log.exception("webhook %d could not be recorded; its lease will bring it back", claim.notice.number)

    async def _put_back(self, left: deque[Claim], pause: timedelta) -> None:
        claims = list(left)
        left.clear()
        if not claims:
            return
        try:
            await asyncio.to_thread(self._queue.put_back, claims, self._clock() + pause)
        except SQLAlchemyError:
            _log.exception("%d webhooks could not be put back; their lease will bring them back", len(claims))


async def _clean(queue: Queue, before: Callable[[], datetime]) -> None:
    """Delete what was kept long enough, every hour, for ever."""
    while True:
        try:
            while await asyncio.to_thread(queue.clean, before()):
                continue
        except SQLAlchemyError as error:
            _log.error("old webhooks could not be deleted and will be in an hour: %s", error)
        await asyncio.sleep(_CLEAN_SECONDS)
