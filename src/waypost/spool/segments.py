"""Segments being written: create, append, sync, seal, and put right what a failure or a kill left behind.

Synchronous and for one thread; `waypost.spool.commit` puts a thread around it. A kill and a failed disk end in the same
place: a file still named `.open`, which `recover` cuts, completes and seals. There is no second way.
"""

import errno
import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from waypost.events.hit import Hit
from waypost.events.ids import uuid7
from waypost.spool.counters import Count, Counters
from waypost.spool.errors import SpoolInUseError, UnreadableSegmentError
from waypost.spool.files import Files
from waypost.spool.framing import (
    FRAME_BYTES,
    SegmentHeader,
    encode_header,
    encode_records,
    encode_trailer,
    frame_seed,
    records_in,
    scan,
)
from waypost.spool.names import (
    DROPPED_SUFFIX,
    OPEN_SUFFIX,
    QUARANTINE_SUFFIX,
    SEALED_SUFFIX,
    Entry,
    renamed,
    segment_uuid,
)

LOCK_NAME = "lock"

RETRY_SECONDS = 0.25
"""Pause after the second failure in a row: far below the 5 s in which service must be whole again, and long enough that
a full disk costs four attempts a second rather than one per click."""

UNREADABLE_SECONDS = 2.0
"""After this, a segment that must lose its tail and cannot be read is set aside: until it is, no hit is kept."""

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Segment:
    """The segment being written. `safe_*` is what was promised to readers: a failure cuts the file back to it."""

    descriptor: int
    path: Path
    uuid: UUID
    seed: int
    opened_at: float
    records: int
    size: int
    safe_records: int
    safe_size: int
    named: bool
    """The directory entry is on the disk."""


class SegmentWriter:
    """Writes hits to the segments of one spool directory and owns that directory.

    No method raises for a failing disk: what could not be kept is counted, and the disk is tried again later.

    Args:
        directory: made when missing.
        edge: name of this worker; in every segment.
        counters: where kept and lost hits are counted.
        sync: group commit; otherwise hits count as kept once written, and segments are synced when sealed.
        segment_bytes: seal at this size.
        segment_seconds: seal at this age.
        max_bytes: delete the oldest sealed segments when more than this wait; 0: never.
        files: the file system.
        monotonic: seconds.
        now: aware UTC.
        randomness: as `os.urandom`.
    """

    def __init__(
        self,
        directory: Path,
        edge: str,
        counters: Counters,
        *,
        sync: bool,
        segment_bytes: int,
        segment_seconds: float,
        max_bytes: int = 0,
        files: Files,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        randomness: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.failing: Count | None = None
        """Why the newest attempt failed; None while hits are kept."""
        self._directory = directory
        self._edge = edge
        self._counters = counters
        self._sync = sync
        self._segment_bytes = segment_bytes
        self._segment_seconds = segment_seconds
        self._max_bytes = max_bytes
        self._waiting_bytes_max = math.inf
        """Of sealed segments: those of the last look, and those sealed since. The reader only takes away."""
        self._files = files
        self._monotonic = monotonic
        self._now = now
        self._randomness = randomness
        self._lock: int | None = None
        self._segment: _Segment | None = None
        self._leftovers = True
        self._retry_at = self._given_up_at = monotonic()

    def prepare(self) -> None:
        """Own the directory, and put right what lies there. First of all; a disk that fails is tried again later.

        Raises:
            SpoolInUseError: another process has the directory.
        """
        if self._lock is None:
            self._prepare()

    def write(self, hits: Sequence[Hit]) -> Count | None:
        """Append hits to the open segment, beginning one where there is none.

        Returns:
            None when they are written (then call `sync`); otherwise under which count they are lost.
        """
        if not self._can_write():
            reason = self.failing or Count.LOST_IO_ERROR
            self._counters.add(reason, len(hits))
            return reason
        try:
            segment = self._segment or self._begin()
            data = encode_records(hits, segment.records, segment.seed)
            self._write_all(segment.descriptor, data)
        except OSError as error:
            return self._fail(error, "write", unwritten=len(hits))
        segment.records += len(hits)
        segment.size += len(data)
        return None

    def sync(self) -> Count:
        """Keep what `write` wrote, as durably as was asked for. Returns the count it came under."""
        segment = self._segment
        if segment is None:
            return Count.KEPT
        if self._sync:
            try:
                self._sync_segment(segment)
            except OSError as error:
                return self._fail(error, "sync")
        self._counters.add(Count.KEPT, segment.records - segment.safe_records)
        segment.safe_records, segment.safe_size = segment.records, segment.size
        if self.failing:
            log.warning("clicks are kept again")
            self.failing = None
        if segment.size >= self._segment_bytes:
            self._seal(segment)
        return Count.KEPT

    def tick(self) -> float | None:
        """Do what is due: seal an aged segment, put leftovers right. Returns seconds until something is due."""
        now = self._monotonic()
        if self._segment is not None:
            due = self._segment.opened_at + self._segment_seconds
            if due > now:
                return due - now
            self._seal(self._segment)
        if self._leftovers and self._retry_at <= now:
            self._prepare()
        return max(0.0, self._retry_at - now) if self._leftovers else None

    def abandon(self, unwritten: int) -> None:
        """Something other than the disk failed: count as lost what was not promised, go on with a new segment."""
        self._give_up(Count.LOST_WRITER, unwritten)

    def close(self) -> None:
        """Seal, and let go of the directory and its counters: nothing is counted any more."""
        if self._segment is not None:
            self._seal(self._segment)
        if self._leftovers:
            self._prepare()
        if self._lock is not None:
            self._counters.close()
            self._files.close(self._lock)
            self._lock = None

    def _can_write(self) -> bool:
        """There is a segment, or one may be begun: not while the counted loss of an older one could still be read."""
        if self._segment is not None:
            return True
        waiting = self._monotonic() < self._retry_at
        if self._leftovers and not waiting:
            self._prepare()
        if self.failing and waiting:
            return False
        return self._lock is not None and self._counters.cut is None

    def _begin(self) -> _Segment:
        now = self._now()
        uuid = uuid7(int(now.timestamp() * 1000), self._randomness(10))
        segment_id = f"{self._edge}.{uuid}"
        header = encode_header(SegmentHeader(segment_id=segment_id, edge=self._edge, created_at=now))
        path = self._directory / f"{segment_id}{OPEN_SUFFIX}"
        self._counters.begin(uuid)
        self._counters.save()
        self._segment = _Segment(
            descriptor=self._files.create(path),
            path=path,
            uuid=uuid,
            seed=frame_seed(segment_id),
            opened_at=self._monotonic(),
            records=0,
            size=len(header),
            safe_records=0,
            safe_size=len(header),
            named=False,
        )
        self._write_all(self._segment.descriptor, header)
        return self._segment

    def _write_all(self, descriptor: int, data: bytes) -> None:
        while data:
            data = data[self._files.write(descriptor, data) :]

    def _sync_segment(self, segment: _Segment) -> None:
        self._files.sync(segment.descriptor)
        if not segment.named:
            self._files.sync_directory(self._directory)
            segment.named = True

    def _seal(self, segment: _Segment) -> None:
        self._counters.save()  # while recovery would still count what is in it
        try:
            self._write_all(segment.descriptor, encode_trailer(segment.records, segment.seed))
            self._files.sync(segment.descriptor)
            self._files.rename(segment.path, segment.path.with_suffix(SEALED_SUFFIX))
        except OSError as error:
            self._fail(error, "seal")
            return
        self._segment = None
        try:
            self._files.close(segment.descriptor)
            self._files.sync_directory(self._directory)
        except OSError as error:
            # Everything is in the file; at worst a power loss brings back its old name, and recovery renames it again.
            log.warning("the directory of %s could not be synced: %s", segment.path.name, error)
        self._waiting_bytes_max += segment.size + FRAME_BYTES
        if self._max_bytes and self._waiting_bytes_max > self._max_bytes:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        """Delete sealed segments, oldest first, until no more than `max_bytes` wait.

        Under another name first, in one step: a reader that is at it finds it gone and does not count it as well.
        """
        try:
            self._finish_dropping()
            sizes = [(path, self._files.size(path)) for path in self._files.names(self._directory, SEALED_SUFFIX)]
            excess = sum(size for _, size in sizes) - self._max_bytes
            self._waiting_bytes_max = float(self._max_bytes + excess)
            for path, size in sizes:
                if excess <= 0:
                    break
                hits = records_in(self._files.read(path), path.stem)
                dropped = path.with_suffix(DROPPED_SUFFIX)
                self._counters.dropping(hits)
                self._counters.save()
                self._files.rename(path, dropped)
                self._counters.dropped(is_gone=True)
                self._counters.save()
                self._files.unlink(dropped)
                excess -= size
                self._waiting_bytes_max -= size
                log.error("segment %s was deleted unread, with %d clicks: spool.max_bytes is reached", path.stem, hits)
        except FileNotFoundError:
            return  # the reader took one meanwhile, so there is less; the next seal looks again
        except OSError as error:
            _cannot_drop(error)

    def _finish_dropping(self) -> None:
        """Count and delete what a kill, or a failing disk, left halfway: there is one such segment at most."""
        left = self._files.names(self._directory, DROPPED_SUFFIX)
        self._counters.dropped(is_gone=bool(left))
        if left:
            self._counters.save()
        for path in left:
            self._files.unlink(path)

    def _fail(self, error: OSError, doing: str, unwritten: int = 0) -> Count:
        reason = Count.LOST_NO_SPACE if error.errno in _NO_SPACE else Count.LOST_IO_ERROR
        if self.failing is not reason:
            log.error("clicks are answered and not kept: %s failed: %s", doing, error)
        return self._give_up(reason, unwritten)

    def _give_up(self, reason: Count, unwritten: int) -> Count:
        """Leave the open segment, cut back to what was promised, to `recover`; count the rest as lost.

        After a failed sync the kernel may have thrown the pages away and calls them clean: what was written since the
        last good sync can be neither trusted nor synced again.
        """
        segment = self._segment
        if segment is None:
            self._counters.add(reason, unwritten)
        else:
            self._segment = None
            self._leftovers = True
            self._given_up_at = self._monotonic()
            lost = unwritten + segment.records - segment.safe_records
            self._counters.cut_back(segment.uuid, segment.safe_size, reason, lost)
            self._counters.save()
            try:
                self._files.close(segment.descriptor)
            except OSError as error:
                log.warning("closing %s failed: %s", segment.path.name, error)
        # The first failure may be the only one: every moment without a segment loses hits.
        self._retry_at = self._monotonic() + (RETRY_SECONDS if self.failing else 0)
        self.failing = reason
        return reason

    def _prepare(self) -> None:
        """Own the directory and recover what lies there; on failure try again later."""
        try:
            if self._lock is None:
                self._files.make_directory(self._directory)
                lock = self._files.lock(self._directory / LOCK_NAME)
                try:
                    self._take_counters()
                except OSError:
                    self._files.close(lock)
                    raise
                self._lock = lock
            self._leftovers = not self._recover_all()
            self._counters.save()
        except BlockingIOError as error:
            raise SpoolInUseError(self._directory) from error
        except OSError as error:
            log.error("the spool directory %s cannot be used yet, and no click is kept: %s", self._directory, error)  # noqa: TRY400 -- the error is the disk's, a traceback of ours says nothing
            self._leftovers = True
        if self._leftovers:
            self._retry_at = self._monotonic() + RETRY_SECONDS

    def _take_counters(self) -> None:
        """Close the account of the process before this one, and go on with it."""
        if self._counters.to_be_kept:
            self._counters.keep_in(self._directory, self._files)
        else:
            self._counters.settle()

    def _recover_all(self) -> bool:
        """Seal every segment left open; True when none is left."""
        try:
            self._finish_dropping()
        except OSError as error:
            _cannot_drop(error)
        cut = self._counters.cut
        done = True
        for path in self._files.names(self._directory, OPEN_SUFFIX):
            mine = cut is not None and path.stem.endswith(f".{cut[0]}")
            try:
                self._recover(path, cut[1] if cut and mine else None)
            except OSError as error:
                log.error("segment %s cannot be recovered yet: %s", path.name, error)  # noqa: TRY400 -- as above
                done = False
                if mine:
                    cut = None  # not to be cleared below
        if cut is not None:
            self._files.sync_directory(self._directory)  # a name that came back would need the note again
            self._counters.cut_is_done()
        return done

    def _recover(self, path: Path, cut: int | None) -> None:
        """Seal one segment left open: keep every good record (before `cut`, if given), drop the tail behind them."""
        try:
            data = self._files.read(path)[:cut]
        except OSError:
            if cut is None or self._monotonic() < self._given_up_at + UNREADABLE_SECONDS:
                raise
            self._cut_unread(path, cut)
            self._quarantine(path, "unreadable")
            return
        uuid = segment_uuid(path)
        try:
            found = scan(data, path.stem)
        except UnreadableSegmentError as error:
            self._quarantine(path, error.reason)
            return
        if found.header is not None and found.header.segment_id != path.stem:
            # A recycled block, brought up by a power loss: those clicks are in their own segment.
            self._quarantine(path, "another segment")
            return
        if not found.frames:
            if found.header is None and data.strip(b"\0") and cut is None:
                self._quarantine(path, "foreign")
            else:
                self._counters.recovered(uuid, 0)
                self._files.unlink(path)  # created and never written to, or all of it counted lost
            return
        number = found.frames[-1][0]
        self._counters.recovered(uuid, number + 1)
        # Also with a trailer: one that was written and not synced, when the process was killed in between.
        descriptor = self._files.open(path)
        try:
            self._files.truncate(descriptor, found.end)
            self._write_all(descriptor, encode_trailer(number + 1, frame_seed(path.stem)))
            self._files.sync(descriptor)
        finally:
            self._files.close(descriptor)
        self._files.rename(path, path.with_suffix(SEALED_SUFFIX))
        self._waiting_bytes_max = math.inf  # to be looked at
        self._files.sync_directory(self._directory)
        log.info("segment %s of a failed or killed edge recovered: %d records", path.stem, len(found.frames))

    def _cut_unread(self, path: Path, cut: int) -> None:
        try:
            descriptor = self._files.open(path)
            try:
                self._files.truncate(descriptor, cut)
            finally:
                self._files.close(descriptor)
        except OSError as error:
            log.error("what was counted lost is still in %s: %s", path.name, error)  # noqa: TRY400 -- as above

    def _quarantine(self, path: Path, reason: str) -> None:
        uuid = segment_uuid(path)
        hits = self._counters.kept_in(uuid) or 0
        self._files.rename(path, renamed(path, QUARANTINE_SUFFIX, Entry(quarantined=hits)))
        self._counters.set_aside(uuid)
        self._files.sync_directory(self._directory)
        log.error("segment %s cannot be read (%s) and was set aside as %s", path.name, reason, QUARANTINE_SUFFIX)


def _cannot_drop(error: OSError) -> None:
    log.error("the oldest segments cannot be deleted: %s", error)
