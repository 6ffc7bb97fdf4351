"""The mail process: takes what is due from the queue and has it delivered, until it is told to stop."""

import asyncio
import logging
import os
import random
import ssl
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from waypost.config.settings import Settings
from waypost.db import ControlKey, Database
from waypost.db.pseudonym import pseudonym
from waypost.events.ids import uuid7
from waypost.links.keyring import Keyring
from waypost.mail.deliver import Deliverer, Outcome
from waypost.mail.queue import LEASE_SECONDS, Claim, Queue
from waypost.mail.relay import RFC_TIMEOUTS, Relay, Timeouts
from waypost.mail.signing import Signers

_log = logging.getLogger(__name__)

# A sent message leaves within this time when the queue is empty; looking costs one indexed read.
_POLL_SECONDS = 0.1
# While the relay is down, its queue is not turned over for nothing: a few messages are tried, this far apart.
_RELAY_DOWN_PAUSE_SECONDS = 5
_DATABASE_DOWN_PAUSE_SECONDS = 1
# Who deletes a profile sees its mail end while she looks; profiles are few.
_ENDS_SECONDS = 2
# What is then still under way is left to its lease. Less than what `waypost up` (25 s) and systemd (90 s) wait.
_STOP_SECONDS = 20


async def run(
    settings: Settings,
    database: Database,
    keyring: Callable[[], Keyring],
    control_key: ControlKey,
    stop: asyncio.Event,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    chance: Callable[[], float] = random.random,
    timeouts: Timeouts = RFC_TIMEOUTS,
    trust: ssl.SSLContext | None = None,
    counts: Counter[str] | None = None,
) -> None:
    """Deliver until `stop` is set, then finish what is under way.

    Several may run over one database, in one process or many. Nothing a message, the relay or the database does
    ends it.

    Args:
        settings: all of them: mail, and what links need.
        database: shared with others.
        keyring: the newest one mints link tokens.
        control_key: opens the keys that messages are signed with.
        stop: set it to end.
        clock: aware UTC now.
        chance: random numbers from 0 to 1.
        timeouts: of the relay.
        trust: how to check the relay's certificate where it is checked; the system's trust store by default.
        counts: is added to, by `deliver.Outcome` and `deliver.UNTRACKED`.
    """
    queue = Queue(database, _new_event_id)
    relay = Relay(settings.mail, timeouts, trust)
    deliverer = Deliverer(
        settings,
        keyring,
        Signers(control_key),
        partial(pseudonym, control_key),
        queue=queue,
        relay=relay,
        clock=clock,
        chance=chance,
        counts=Counter() if counts is None else counts,
    )
    # One for each connection: a message that waited for one would be sent on a check of approval grown old.
    worker = _Worker(queue, relay, deliverer, clock, slots=settings.mail.connections)
    beside = [asyncio.create_task(worker.renew_leases()), asyncio.create_task(worker.hasten_ends())]
    try:
        await worker.work(stop)
    finally:
        for task in beside:
            task.cancel()
        await worker.end()
        await relay.close()


class _Worker:
    """Keeps `slots` attempts under way as long as anything is due."""

    def __init__(
        self, queue: Queue, relay: Relay, deliverer: Deliverer, clock: Callable[[], datetime], *, slots: int
    ) -> None:
        self._queue = queue
        self._relay = relay
        self._deliverer = deliverer
        self._clock = clock
        self._slots = slots
        self._under_way: dict[asyncio.Task[None], Claim] = {}
        self._paused_until = 0.0

    async def work(self, stop: asyncio.Event) -> None:
        """Claim and start until `stop` is set; then wait for what is under way."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                for claim in await self._claim():
                    task = asyncio.create_task(self._attempt(claim))
                    self._under_way[task] = claim
                    task.add_done_callback(self._under_way.pop)
                await self._relay.close_idle()
                full = len(self._under_way) >= self._slots
                await asyncio.wait(
                    {stopping, *(self._under_way if full else ())},
                    timeout=None if full else _POLL_SECONDS,
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

    async def renew_leases(self) -> None:
        """Hold what is under way, for ever."""
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)  # two renewals may fail
            try:
                await asyncio.to_thread(self._queue.renew, list(self._under_way.values()), self._clock())
            except SQLAlchemyError:
                _log.exception("leases could not be renewed")

    async def hasten_ends(self) -> None:
        """Have mail end soon after it can be sent no more, and not at its next attempt, for ever."""
        known: frozenset[int] = frozenset()
        while True:
            try:
                ended = await asyncio.to_thread(self._queue.ended_profiles)
                if ended - known:
                    await asyncio.to_thread(self._queue.hasten_ends, self._clock())
                known = ended
            except SQLAlchemyError:
                _log.exception("mail that is never to be sent could not be looked for")
            await asyncio.sleep(_ENDS_SECONDS)

    async def _claim(self) -> list[Claim]:
        now = asyncio.get_running_loop().time()
        free = self._slots - len(self._under_way)
        if not free or now < self._paused_until:
            return []
        under_way = {claim.delivery_id for claim in self._under_way.values()}
        try:
            return await asyncio.to_thread(self._queue.claim, self._clock(), free, under_way)
        except SQLAlchemyError:
            _log.exception("the queue could not be read")
            self._paused_until = now + _DATABASE_DOWN_PAUSE_SECONDS
            return []

    async def _attempt(self, claim: Claim) -> None:
        try:
            outcome = await self._deliverer.attempt(claim)
        except Exception:  # noqa: BLE001 - one message must not stop the others; its lease brings it back
            _log.exception("delivery %d could not be recorded; its lease will bring it back", claim.delivery_id)
        else:
            if outcome is Outcome.RELAY_DOWN:
                self._paused_until = asyncio.get_running_loop().time() + _RELAY_DOWN_PAUSE_SECONDS


def _new_event_id(now: datetime) -> UUID:
    return uuid7(int(now.timestamp() * 1000), os.urandom(10))
