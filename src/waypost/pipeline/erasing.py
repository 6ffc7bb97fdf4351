"""Erasure by recipient address: what was asked for is done, in both stores, and then purged from their files.

The one place that deletes from tables of others (invariant 7): a trace that each part removed by itself would be one
that some part forgets. Each step may be repeated, so a crash costs a step. docs/adr/0018 has the reasons.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import select

from waypost.db import ControlKey, Database
from waypost.db.erasing import AT_ONCE, PURPOSE, erase_answers, erase_facts, erase_sends, purge, sends_to
from waypost.db.pseudonym import pseudonym
from waypost.db.states import ErasureState
from waypost.db.tables import Erasure
from waypost.db.tombstones import Tombstones
from waypost.pipeline.hold import Hold
from waypost.spool.errors import UnreadableSegmentError
from waypost.spool.forget import forget
from waypost.spool.names import DONE_SUFFIX, QUARANTINE_SUFFIX, segment_id
from waypost.spool.reader import oldest_first
from waypost.store import EventStore

log = logging.getLogger(__name__)

LOCK: Final = "erasures"
_LOOK_SECONDS: Final = 1
# A segment that was open when the erasure began is stored within seconds, and kept as `spool.keep_seconds` has it.
_SPOOL_SECONDS: Final = 60


class Erasing:
    """For the pipeline's thread."""

    def __init__(
        self,
        database: Database,
        store: EventStore,
        control_key: ControlKey,
        tombstones: Tombstones,
        held: Hold,
        *,
        spool: Path,
        now: Callable[[], datetime],
    ) -> None:
        """Do nothing yet; `held` holds a name against other processes, `now` is aware, UTC."""
        self._database = database
        self._store = store
        self._control_key = control_key
        self._tombstones = tombstones
        self._held = held
        self._spool = spool
        self._now = now
        self._look_at: datetime | None = None

    def work(self) -> int:
        """Do one step of what is asked for; returns how many were done.

        Raises:
            StoreFailed, SQLAlchemyError: the step is done again next time.
        """
        now = self._now()
        if self._look_at is not None and now < self._look_at:
            return 0
        self._look_at = now + timedelta(seconds=_LOOK_SECONDS)
        self._tombstones.look()
        with self._held([LOCK]) as mine:
            return self._step() if LOCK in mine else 0

    def _step(self) -> int:
        unfinished = select(Erasure).where(Erasure.state != ErasureState.PURGED).order_by(Erasure.number)
        with self._database.reading() as session:
            erasures = session.scalars(unfinished).all()
        if requested := [each for each in erasures if each.state is ErasureState.REQUESTED]:
            self._erase(requested[0])
            self._look_at = None
            return 1
        return self._purge(erasures)

    def _erase(self, erasure: Erasure) -> None:
        assert erasure.sealed_address is not None  # noqa: S101 -- until it is erased
        address = self._control_key.open(erasure.sealed_address, PURPOSE).decode()
        with self._database.reading() as session:
            sends = set(sends_to(session, address, erasure.account))
        sends.update(self._store.erasing.sends_to(address, erasure.account))
        send_ids = {send_id for _, send_id in sends}
        names = [(account, each) for account, send_id in sends for each in (send_id, self._pseudonym(send_id))]
        # First of all: from here on, what is stored of them is anonymous.
        with self._database.writing() as session:
            self._tombstones.put(session, [name for _, name in names])
        self._tombstones.look()
        counts = self._from_control(address, send_ids, erasure.account)
        erased = self._store.erasing.erase(names, address)
        counts.update({"events": erased.events, "slim_sends": erased.sends})
        unsearched = self._from_quarantine(counts)
        with self._database.writing() as session:
            row = session.get_one(Erasure, erasure.number)
            row.state, row.erased_at, row.sealed_address = ErasureState.ERASED, self._now(), None
            row.counts = dict(counts)
            row.quarantined_segments = unsearched
        log.info("an address is erased: %d sends, %d events", len(send_ids), erased.events)

    def _from_control(self, address: str, send_ids: Collection[UUID], account: int | None) -> Counter[str]:
        counts: Counter[str] = Counter()
        ids = sorted(send_ids)
        for at in range(0, len(ids), AT_ONCE):
            some = ids[at : at + AT_ONCE]
            with self._database.writing() as session:
                counts.update(erase_sends(session, some, [self._pseudonym(each) for each in some], address))
        with self._database.writing() as session:
            counts["outbox"] += erase_facts(session, send_ids)
            counts["idempotency_keys"] += erase_answers(session, address, send_ids, account)
        return counts

    def _from_quarantine(self, counts: Counter[str]) -> int:
        """Segments that are set aside tell of nobody either; returns of how many that cannot be said."""
        unsearched = 0
        counts.update({"quarantined_records": 0, "quarantined_unreadable_bytes": 0})
        for path in oldest_first(self._spool, QUARANTINE_SUFFIX):
            try:
                forgotten = forget(path, self._tombstones.has)
            except FileNotFoundError:
                continue  # handed back meanwhile: what is read now is stored anonymous
            except (UnreadableSegmentError, OSError) as error:
                log.error("segment %s, set aside, may tell of somebody who is erased: %s", segment_id(path), error)  # noqa: TRY400 -- the error says it all
                unsearched += 1
            else:
                counts["quarantined_records"] += forgotten.records
                counts["quarantined_unreadable_bytes"] += forgotten.unreadable_bytes
        return unsearched

    def _pseudonym(self, send_id: UUID) -> UUID:
        return pseudonym(self._control_key, send_id)

    def _purge(self, erasures: Collection[Erasure]) -> int:
        """Purge once for all that are erased, as soon as the files of the newest are gone."""
        times = [each.erased_at for each in erasures if each.erased_at is not None]
        if not times or not self._store.erasing.is_purged(max(times)) or self._is_spooled(max(times)):
            return 0
        # What was on its way when they were erased may have been set aside since.
        self._from_quarantine(Counter())
        if not purge(self._database):
            return 0
        with self._database.writing() as session:
            for each in erasures:
                row = session.get_one(Erasure, each.number)
                row.state, row.purged_at = ErasureState.PURGED, self._now()
        return len(erasures)

    def _is_spooled(self, erased_at: datetime) -> bool:
        until = erased_at + timedelta(seconds=_SPOOL_SECONDS)
        times = [path.stat().st_ctime for path in oldest_first(self._spool, DONE_SUFFIX)]
        return any(datetime.fromtimestamp(time, UTC) <= until for time in times)
