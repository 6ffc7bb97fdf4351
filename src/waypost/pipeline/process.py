"""The pipeline's composition root: one thread that empties the spool and the outbox into the event store."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import Struct

from waypost.config.settings import Settings
from waypost.db import UNAVAILABLE, ControlKey, Database
from waypost.db.tombstones import Tombstones
from waypost.events.client_parser import ClientParser
from waypost.geoip.locator import Locator
from waypost.geoip.paths import database_paths
from waypost.geoip.state import DatabaseState, State, write_state
from waypost.pipeline.answer import Answering
from waypost.pipeline.collector import Collector
from waypost.pipeline.counts import Counts
from waypost.pipeline.enrich import Enricher, client_step, location_step
from waypost.pipeline.erasing import Erasing
from waypost.pipeline.hold import hold, hold_segments
from waypost.pipeline.intake import Intake
from waypost.pipeline.outbox import OutboxDrain
from waypost.pipeline.reclassify import Reclassification
from waypost.pipeline.reenrich import Reenrichment
from waypost.pipeline.retention import Retention
from waypost.pipeline.tell import Teller
from waypost.pipeline.verdicts import Settler
from waypost.store import EventStore
from waypost.telemetry.pause import pause
from waypost.webhooks.notices import Notices

log = logging.getLogger(__name__)

# A store or a database that comes back is noticed within this many seconds; the first pauses are shorter.
_PAUSE_MAX_SECONDS: Final = 2.0
# The shortest poll that may be set, 0.01 s, is past the longest pause after 8.
_DOUBLINGS_MAX: Final = 8


class Source(Struct):
    """Something to empty, and how long to leave it alone after it failed."""

    name: str
    empty: Callable[[], int]
    """Do what there is to do; how much it was."""
    failures: int = 0
    """In a row."""

    def attempt(self) -> int:
        """As `empty`; 0 when it failed, be it the world or a bug: API, mail and the other source go on."""
        try:
            done = self.empty()
        except Exception:
            self.failures += 1
            if self.failures == 1:
                log.exception("the %s is not emptied and will be tried again", self.name)
            return 0
        if self.failures:
            log.warning("the %s is emptied again, after %d failures", self.name, self.failures)
            self.failures = 0
        return done


async def run(
    settings: Settings,
    store: EventStore,
    database: Database,
    stop: asyncio.Event,
    control_key: ControlKey,
    *,
    counts: Counts | None = None,
    intake: Intake | None = None,
    notices: Notices | None = None,
) -> None:
    """Run until `stop` is set; then finish the batch in hand and return.

    Args:
        settings: `pipeline`, `retention` and `data` are used.
        store: open; stays open.
        database: the control database, for its outbox.
        stop: set to end.
        control_key: opens addresses that are to be erased, and tells erased sends.
        counts: raised as things happen, for metrics.
        intake: of segments that edges elsewhere hand over.
        notices: told of what is stored, for webhooks.

    Raises:
        CollectorRunningError: another process collects this spool.
    """
    with hold(_spool(settings)), ThreadPoolExecutor(1, thread_name_prefix="pipeline") as thread:
        loop = asyncio.get_running_loop()
        tombstones = Tombstones(database, control_key)
        while not stop.is_set() and not await loop.run_in_executor(thread, _read, tombstones):
            await pause(stop, _PAUSE_MAX_SECONDS)
        made = partial(
            _sources,
            settings,
            store,
            database,
            control_key,
            tombstones,
            counts=counts or Counts(),
            intake=intake or Intake(),
            teller=Teller(notices or Notices.open(settings, database)),
            stopping=stop.is_set,
        )
        sources = await loop.run_in_executor(thread, made)
        while not stop.is_set():
            done = [await loop.run_in_executor(thread, source.attempt) for source in sources]
            if not any(done):
                await pause(stop, _seconds(settings.pipeline.poll_seconds, sources))


def _read(tombstones: Tombstones) -> bool:
    """Whether it is known who was erased: before that nothing may be stored."""
    try:
        tombstones.look()
    except UNAVAILABLE as error:
        log.warning("no event is stored before the list of erased sends can be read: %s", error)
        return False
    return True


def _sources(
    settings: Settings,
    store: EventStore,
    database: Database,
    control_key: ControlKey,
    tombstones: Tombstones,
    *,
    counts: Counts,
    intake: Intake,
    teller: Teller,
    stopping: Callable[[], bool],
) -> tuple[Source, ...]:
    def say(databases: list[DatabaseState]) -> None:
        write_state(settings.data, State(databases=databases, stale_days=settings.geoip.stale_days))

    locator = Locator(database_paths(settings), say)
    parser = ClientParser()
    held = partial(hold_segments, database)
    erasing = Erasing(database, store, control_key, tombstones, held, spool=_spool(settings), now=_now)
    enricher = Enricher(counts, client=client_step(parser), location=location_step(locator))
    collector = Collector(
        _spool(settings),
        store,
        enricher,
        counts,
        now=_now,
        keep_seconds=settings.spool.keep_seconds,
        quarantine_days=settings.spool.quarantine_days,
        stopping=stopping,
        erased=tombstones.has,
        tell=teller.hits,
    )
    outbox = OutboxDrain(database, store, counts, now=_now, erased=tombstones.has, tell=teller.send_events)
    settler = Settler(store, counts, held, now=_now, changed=teller.changes, settled=teller.settled)
    return (
        # The outbox first: a click may be as fast as the send it belongs to.
        Source("outbox", outbox.drain),
        Source("geoip databases", locator.look),
        Source("spool", collector.collect),
        Source("questions", Answering(settings.data, store, now=_now).work),
        Source("history", Reenrichment(settings.data, store.history, parser, locator).work),
        Source("intake", lambda: collector.collect_offered(intake, held)),
        Source("verdicts of history", Reclassification(settings.data, store, held, now=_now).work),
        Source("erasures", erasing.work),
        Source("verdicts", settler.settle),
        Source("retention", Retention(database, store, settings.retention, held, now=_now).work),
    )


def _spool(settings: Settings) -> Path:
    return settings.data / "spool"


def _seconds(poll_seconds: float, sources: tuple[Source, ...]) -> float:
    doublings = min(_DOUBLINGS_MAX, max(source.failures for source in sources))
    return max(poll_seconds, min(poll_seconds * (1 << doublings), _PAUSE_MAX_SECONDS))


def _now() -> datetime:
    return datetime.now(UTC)
