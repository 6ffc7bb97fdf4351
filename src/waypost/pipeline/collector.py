"""From sealed segments to stored events, each record exactly once.

A record is known by its segment and its number. The collector asks the store which records of a segment it has,
inserts the missing ones, tells the webhooks, and only then deletes the segment. Killed at any instant, it finds the
segment again and the question gives the right answer again. Deduplication by the engine is not relied on
(docs/adr/0004-event-store.md).
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

from waypost.events.hit import Hit
from waypost.events.verdict import first_verdicts
from waypost.fleet.courier import NotNow, Receipt
from waypost.pipeline.anonymous import anonymous
from waypost.pipeline.counts import Count, Counts
from waypost.pipeline.enrich import Enricher
from waypost.pipeline.hold import Hold
from waypost.pipeline.intake import Intake, Offered
from waypost.pipeline.refusal import insert_all
from waypost.spool.errors import UnreadableSegmentError
from waypost.spool.framing import Segment, decode_segment
from waypost.spool.ledger import Ledger
from waypost.spool.names import DONE_SUFFIX, QUARANTINE_SUFFIX, segment_id
from waypost.spool.reader import purge_done, purge_quarantined, read_segment, replayed_segments, sealed_segments
from waypost.store import EventStore, HitRow, SegmentSpan

log = logging.getLogger(__name__)

# One insert is one part on the disk and some twenty syncs, so small segments go together; a hit takes about 4 KB
# until it is stored, the engine's share included, so a batch stays below 100 MB.
_BATCH_RECORDS: Final = 20_000
# Between looks for segments kept long enough: the setting counts in minutes.
_PURGE_SECONDS: Final = 5
# When an edge is to hand a segment over again: one that another collector has in hand, one that could not be stored.
_HELD_SECONDS: Final = 5
_FAILED_SECONDS: Final = 2


Origin = TypeVar("Origin")


def _in_batches(read: Iterable[tuple[Origin, Segment]]) -> Iterator[list[tuple[Origin, Segment]]]:
    """Segments in memory, each with where it came from, until they hold `_BATCH_RECORDS`."""
    batch: list[tuple[Origin, Segment]] = []
    records = 0
    for origin, segment in read:
        batch.append((origin, segment))
        records += len(segment.records)
        if records >= _BATCH_RECORDS:
            yield batch
            batch, records = [], 0
    if batch:
        yield batch


class Collector:
    """Empties the spool of all edges into the store. For one thread, which holds the spool (`hold`)."""

    def __init__(
        self,
        spool: Path,
        store: EventStore,
        enricher: Enricher,
        counts: Counts,
        *,
        now: Callable[[], datetime],
        keep_seconds: float = 0,
        quarantine_days: int = 0,
        stopping: Callable[[], bool] = lambda: False,
        erased: Callable[[UUID | None], bool] = lambda _: False,
        tell: Callable[[Iterable[Hit]], None] = lambda _: None,
    ) -> None:
        """Do nothing yet.

        Args:
            spool: the directory that holds the directories of all edges.
            store: where events go.
            enricher: what is found out about each.
            counts: raised as things happen.
            now: aware, UTC.
            keep_seconds: how long a stored segment is kept; 0: not at all.
            quarantine_days: how long one is kept that was set aside; 0: for ever.
            stopping: asked between batches.
            erased: which sends are to leave no trace.
            tell: told of what is stored, and again when it is not known whether it was.
        """
        self._spool = spool
        self._store = store
        self._enricher = enricher
        self._counts = counts
        self._now = now
        self._keep_seconds = keep_seconds
        self._quarantine_days = quarantine_days
        self._stopping = stopping
        self._erased = erased
        self._tell = tell
        self._ledgers: dict[Path, Ledger] = {}
        self._purge_at: datetime | None = None
        self._skipped: set[Path] = set()

    def collect(self) -> int:
        """Store and remove every segment sealed by now, and a batch of replayed ones; returns how many are gone.

        Raises:
            StoreFailed: the segments not yet stored are all still there.
        """
        removed = 0
        replayed = islice(self._batches(replayed_segments(self._spool)), 1)
        for batch in chain(self._batches(sealed_segments(self._spool)), replayed):
            if self._stopping():
                break
            removed += self._collect(batch)
        self._purge()
        return removed

    def collect_offered(self, intake: Intake, held: Hold) -> int:
        """Store what edges elsewhere handed over, and answer them; returns how many segments are stored.

        Args:
            intake: where the segments wait.
            held: holds segments against other collectors while a block runs.
        """
        offered = intake.take()
        if not offered:
            return 0
        stored = 0
        try:
            with held([each.segment_id for each in offered]) as mine:
                stored = self._store_offered([each for each in offered if each.segment_id in mine])
            for each in offered:
                if each.segment_id not in mine:
                    each.answer.set_exception(NotNow("another collector has this segment in hand", _HELD_SECONDS))
        except Exception:
            for each in offered:
                if not each.answer.done():
                    each.answer.set_exception(NotNow("the segment could not be stored", _FAILED_SECONDS))
            raise
        return stored

    def _store_offered(self, offered: Iterable[Offered]) -> int:
        return sum(self._store_batch(batch) for batch in _in_batches(_decoded(offered)))

    def _store_batch(self, batch: Sequence[tuple[Offered, Segment]]) -> int:
        refused = self._insert([segment for _, segment in batch])
        for each, segment in batch:
            lost = refused[segment.segment_id] + segment.missing
            self._counts.add(Count.DAMAGED, segment.missing)
            each.answer.set_result(Receipt(len(segment.records) - refused[segment.segment_id], lost))
        return len(batch)

    def _batches(self, paths: Iterable[Path]) -> Iterator[list[tuple[Path, Segment]]]:
        return _in_batches((path, segment) for path in paths if (segment := self._read(path)) is not None)

    def _read(self, path: Path) -> Segment | None:
        """The segment, or None when there is nothing to store of it now: no segment stops the others."""
        try:
            return read_segment(path)
        except UnreadableSegmentError as error:
            if error.reason == "version":
                self._skip(path, error)
            else:
                self._set_aside(path, str(error), damaged=error.known)
        except OSError as error:
            self._skip(path, error)
        return None

    def _collect(self, batch: Sequence[tuple[Path, Segment]]) -> int:
        refused = self._insert([segment for _, segment in batch])
        return sum(self._remove(path, segment, refused[segment.segment_id]) for path, segment in batch)

    def _remove(self, path: Path, segment: Segment, refused: int) -> bool:
        """Take away a segment all of whose records are stored; set one aside that holds others."""
        stored = len(segment.records) - refused
        if segment.damaged:
            reason = f"{len(segment.damaged)} damaged stretches: {segment.damaged[:3]}"
            return self._set_aside(path, reason, stored, refused, damaged=segment.missing)
        if refused:
            return self._set_aside(path, "the store cannot hold some of its records", stored, refused)
        return self._settle(path, DONE_SUFFIX if self._keep_seconds else None, stored)

    def _insert(self, segments: list[Segment]) -> Counter[str]:
        """Insert what is missing; returns how many records of each segment were refused."""
        # By segment and number: the same segment may lie there twice, restored from a quarantine or a backup.
        records: dict[str, dict[int, Hit]] = {}
        for segment in segments:
            records.setdefault(segment.segment_id, {}).update(segment.records)
        stored = self._store.stored_records([_span(name, hits.values()) for name, hits in records.items() if hits])
        received_at = self._now()
        names: list[str] = []
        numbers: list[int] = []
        missing: list[Hit] = []
        for name, hits in records.items():
            there = stored.get(name)
            left = {number: hit for number, hit in hits.items() if number not in there} if there else hits
            names += [name] * len(left)
            numbers += left
            missing += left.values()
        facts = self._enricher.enrich(missing)
        verdicts = first_verdicts(missing, facts.clients, [each.as_organisation for each in facts.locations])
        rows = [
            HitRow(
                hit=hit,
                client=client,
                location=location,
                segment=name,
                record=number,
                received_at=received_at,
                verdict=verdict,
                unenriched=unenriched,
            )
            for name, number, hit, client, location, verdict, unenriched in zip(
                names, numbers, missing, facts.clients, facts.locations, verdicts, facts.unenriched, strict=True
            )
        ]
        rows = [anonymous(row) if self._erased(row.hit.send_id) else row for row in rows]
        self._counts.add(Count.REPEATED, sum(map(len, records.values())) - len(rows))
        refused = insert_all(self._store.insert_hits, rows)
        self._counts.add(Count.STORED, len(rows) - len(refused))
        self._counts.add(Count.REFUSED, len(refused))
        untold = {(row.segment, row.record) for row in refused}
        # Those that were stored before too: who stored them may have died before it told. None is of an erased send.
        self._tell(
            hit
            for name, hits in records.items()
            for number, hit in hits.items()
            if (name, number) not in untold and not self._erased(hit.send_id)
        )
        return Counter(row.segment for row in refused)

    def _set_aside(self, path: Path, reason: str, stored: int = 0, refused: int = 0, damaged: int = 0) -> bool:
        aside = self._settle(path, QUARANTINE_SUFFIX, stored, refused + damaged)
        if aside:
            self._counts.add(Count.DAMAGED, damaged)
            self._counts.add(Count.QUARANTINED_SEGMENTS)
            log.error("segment %s was set aside as %s: %s", segment_id(path), QUARANTINE_SUFFIX, reason)
        return aside

    def _settle(self, path: Path, suffix: str | None, stored: int, quarantined: int = 0) -> bool:
        if (ledger := self._ledgers.get(path.parent)) is None:
            ledger = self._ledgers[path.parent] = Ledger.open(path.parent)
        try:
            ledger.settle(path, suffix, stored=stored, quarantined=quarantined)
        except FileNotFoundError:
            return False  # the edge deleted it meanwhile to stay within its bound, and counted it as dropped
        except OSError as error:
            self._skip(path, error)
            return False
        return True

    def _purge(self) -> None:
        """Delete what was kept long enough, now and then."""
        now = self._now()
        if self._purge_at is not None and now < self._purge_at:
            return
        self._purge_at = now + timedelta(seconds=_PURGE_SECONDS)
        try:
            purge_done(self._spool, now.timestamp(), self._keep_seconds)
            purge_quarantined(self._spool, now.timestamp(), self._quarantine_days)
        except OSError as error:
            log.error("old segments cannot be deleted: %s", error)  # noqa: TRY400 -- the disk's error

    def _skip(self, path: Path, error: Exception) -> None:
        """Leave a segment where it is, and say so once."""
        if path not in self._skipped:
            self._skipped.add(path)
            self._counts.add(Count.SKIPPED_SEGMENTS)
            log.error("segment %s stays in the spool for now: %s", segment_id(path), error)


def _span(segment: str, hits: Collection[Hit]) -> SegmentSpan:
    times = [hit.occurred_at for hit in hits]
    return SegmentSpan(segment, frozenset([hit.account for hit in hits]), min(times), max(times))


def _decoded(offered: Iterable[Offered]) -> Iterator[tuple[Offered, Segment]]:
    """Those that can be read; of the others it is answered that they cannot."""
    for each in offered:
        try:
            yield each, decode_segment(each.data, each.segment_id)
        except UnreadableSegmentError as error:
            log.error("segment %s, handed over, cannot be read: %s", each.segment_id, error)  # noqa: TRY400 -- the error says it all
            each.answer.set_result(Receipt(stored=0, quarantined=error.known, reason=error.reason))
