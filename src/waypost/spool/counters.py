"""Counts of one spool directory that survive a killed process: a page of 64-bit slots in memory that outlives it.

A store into the page is in the kernel's hands at once, so `kill -9` loses nothing; a power loss loses what was counted
since the newest segment was begun. The slots are wire format: append, never reorder.
"""

import logging
import mmap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from uuid import UUID

from waypost.spool.files import PAGE_BYTES, Files
from waypost.spool.page import Page, read_page, slots_of

COUNTERS_NAME = "counters"
_MAGIC = int.from_bytes(b"WPCOUNT\x01", "little")

log = logging.getLogger(__name__)


class Count(StrEnum):
    """What is counted; the values are metric labels."""

    ANSWERED = "answered"
    """Hits whose reader was answered."""
    KEPT = "kept"
    """Hits written (and, with group commit, synced). A kill may leave it short by the batch in flight."""
    UNSYNCED = "unsynced"
    """Hits answered after the wait limit, before they were known to be on the disk. A flag on top of kept and lost."""
    LOST_NO_SPACE = "lost_no_space"
    LOST_IO_ERROR = "lost_io_error"
    LOST_OVERFLOW = "lost_overflow"
    """The disk is so far behind that the queue to it is full."""
    LOST_WRITER = "lost_writer"
    """The writer failed on something else than the disk: a bug."""
    LOST_KILLED = "lost_killed"
    """Answered after the wait limit, not yet written, and then the process was killed."""
    QUARANTINED = "quarantined"
    """Segments set aside because nothing in them could be read."""
    DROPPED = "dropped"
    """Hits in segments deleted unread because the backlog outgrew `spool.max_bytes`."""
    UNANSWERED = "unanswered"
    """Hits kept, but the process was killed before their reader was answered."""
    QUARANTINED_HITS = "quarantined_hits"
    """Hits counted as kept in the segments that are counted as quarantined."""


LOST = tuple(count for count in Count if count.startswith("lost_"))


class Seen(StrEnum):
    """What became of a request; the values are metric labels. Every request is one of these."""

    CLICK = "click"
    """Redirected to what its token says."""
    OPEN = "open"
    BLOCKED = "blocked"
    DEFAULT_REDIRECT = "default_redirect"
    WHERE = "where"
    FIXED = "fixed"
    """robots.txt, and the proof of being an edge."""
    REFUSED_METHOD = "refused_method"
    REFUSED_PATH = "refused_path"
    REFUSED_MALFORMED = "refused_malformed"
    REFUSED_UNKNOWN_KEY = "refused_unknown_key"
    REFUSED_BAD_SEAL = "refused_bad_seal"
    REPAIRED = "repaired"
    """On top of another: the token opened only after damage was undone."""


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What a worker says of itself, once a second."""

    heartbeat_at_ms: int
    """Milliseconds since 1970, when its event loop last said so."""
    failing: Count | None
    """Why clicks are not kept; None while they are."""
    snapshot_version: int
    """0: it has none."""
    key_ids: frozenset[int]
    """It can open tokens of these."""
    connections: int


_COUNTS = {count: slot for slot, count in enumerate(Count, start=1)}
# After room for more counts: one note on the segment that must lose its tail, and what a kill would lose.
_OWED = 64
_CUT_OFFSET = 65
_CUT_SEGMENT = 66  # and 67
_OPEN_SEGMENT = 68  # and 69
_KEPT_BEFORE = 70
_DROPPED_AFTER = 71
_HEARTBEAT = 72
_FAILING = 73
_SNAPSHOT = 74
_CONNECTIONS = 75
_KEYS = 76  # to 79
_LOST_AFTER = 80
_LOST_UNDER = 81
# 82 is the page's own.
_SEEN = {seen: slot for slot, seen in enumerate(Seen, start=128)}
_SLOT_BITS = 64
_KEY_SLOTS = 4


class Counters:
    """The counts; safe to use from several threads of the one process that owns the directory."""

    def __init__(self, memory: mmap.mmap, page: Page | None = None) -> None:
        self._slots = slots_of(memory, _MAGIC)
        self._page = page
        self._is_saved = True
        self._lock = Lock()
        self.to_be_kept = False
        """These are in memory, and `keep_in` is still to be called."""
        self._found = 0
        """Hits of earlier processes, kept or lost, beyond those they answered. Below zero until all is recovered."""
        self._settled = False
        self._early_owed = 0
        self._early_answered = 0
        """Of this process, less those it counted lost: before the account of the one before it was closed."""

    @classmethod
    def open(cls, directory: Path, files: Files) -> "Counters":
        """The counts of a spool directory, begun at zero where there are none.

        Raises:
            OSError: the file cannot be made or mapped.
        """
        page = Page.open(directory / COUNTERS_NAME, _MAGIC, files)
        return cls(page.memory, page)

    @classmethod
    def in_memory(cls, *, until_kept: bool = False) -> "Counters":
        """Counts that end with the process, or, for a disk that does not take the file yet, until `keep_in`."""
        counters = cls(mmap.mmap(-1, PAGE_BYTES))
        counters.to_be_kept = until_kept
        return counters

    @classmethod
    def copied(cls, directory: Path) -> "Counters":
        """The counts of another process, to reckon with: what is done to them changes no file.

        Raises:
            OSError: the file is there and cannot be read.
        """
        memory = mmap.mmap(-1, PAGE_BYTES)
        memory[:] = _read_slots(directory).tobytes()
        return cls(memory)

    def keep_in(self, directory: Path, files: Files) -> None:
        """Go on in a file, on top of what earlier processes counted there. Before anything is recovered or written.

        Raises as `open`.
        """
        page = Page.open(directory / COUNTERS_NAME, _MAGIC, files)
        earlier = Counters(page.memory)
        earlier.settle()
        with self._lock:
            ours, self._slots, self._found = self._slots, earlier._slots, earlier._found
            self._page = page
            # What was answered last: a kill before it leaves hits that are lost or kept, and unanswered.
            for slot in (*_COUNTS.values(), *_SEEN.values(), _OWED):
                if slot != _COUNTS[Count.ANSWERED]:
                    self._slots[slot] += ours[slot]
            self._slots[_COUNTS[Count.ANSWERED]] += ours[_COUNTS[Count.ANSWERED]]
            self.to_be_kept = False
            self._settled = True

    def save(self) -> None:
        """Copy them to the disk, for when the machine starts anew. One that fails is tried again with the next."""
        if self._page is not None:
            self._save(self._page.save)

    def close(self) -> None:
        """Leave them on the disk only. Nothing is counted any more."""
        if self._page is not None:
            self._save(self._page.close)

    def _save(self, save: Callable[[], None]) -> None:
        try:
            save()
        except OSError as error:
            if self._is_saved:
                log.error("counts cannot be copied to the disk, and a loss of power would lose them: %s", error)  # noqa: TRY400 -- the disk's error
            self._is_saved = False
        else:
            self._is_saved = True

    def add(self, count: Count, amount: int) -> None:
        """Raise one count."""
        with self._lock:
            self._slots[_COUNTS[count]] += amount
            if self._settled:
                return
            if count is Count.ANSWERED:
                self._early_answered += amount
            elif count in LOST:
                self._early_answered -= amount

    def __getitem__(self, count: Count) -> int:
        return self._slots[_COUNTS[count]]

    def snapshot(self) -> Mapping[Count, int]:
        """All counts."""
        return MappingProxyType({count: self._slots[slot] for count, slot in _COUNTS.items()})

    def seen(self, seen: Seen) -> None:
        """Count one request. For one thread, the event loop's: no lock."""
        self._slots[_SEEN[seen]] += 1

    def report(self, status: WorkerStatus) -> None:
        """Say how this worker is."""
        slots = self._slots
        slots[_FAILING] = _COUNTS[status.failing] if status.failing else 0
        slots[_SNAPSHOT] = status.snapshot_version
        slots[_CONNECTIONS] = status.connections
        bits = sum(1 << key_id for key_id in status.key_ids)
        for place in range(_KEY_SLOTS):
            slots[_KEYS + place] = bits >> _SLOT_BITS * place & (1 << _SLOT_BITS) - 1
        slots[_HEARTBEAT] = status.heartbeat_at_ms

    def begin(self, segment: UUID) -> None:
        """What is counted as kept from now on is in this segment: one store counts a batch, no kill falls between."""
        with self._lock:
            self._slots[_KEPT_BEFORE] = self[Count.KEPT]
            self._slots[_OPEN_SEGMENT], self._slots[_OPEN_SEGMENT + 1] = _halves(segment)

    def kept_in(self, segment: UUID) -> int | None:
        """How many hits of a segment are counted as kept; None when it is not the newest one."""
        if not segment.int or (self._slots[_OPEN_SEGMENT], self._slots[_OPEN_SEGMENT + 1]) != _halves(segment):
            return None
        return _kept_since(self._slots)

    def recovered(self, segment: UUID, amount: int) -> None:
        """Count a segment that a kill left behind as what is in it: `amount` hits, whatever was counted before."""
        kept = self.kept_in(segment)
        if kept is None or kept == amount:
            return
        with self._lock:
            self._slots[_COUNTS[Count.KEPT]] += amount - kept
            self._slots[_COUNTS[Count.LOST_IO_ERROR]] += max(0, kept - amount)
            self._found += max(0, amount - kept)
            self._slots[_COUNTS[Count.UNANSWERED]] = max(0, self._found)

    def set_aside(self, segment: UUID) -> None:
        """Count a segment that cannot be read, and its hits: those once, should a power loss undo its new name."""
        with self._lock:
            self._slots[_COUNTS[Count.QUARANTINED]] += 1
            self._slots[_COUNTS[Count.QUARANTINED_HITS]] += self.kept_in(segment) or 0
            if self.kept_in(segment) is not None:
                self._slots[_OPEN_SEGMENT] = self._slots[_OPEN_SEGMENT + 1] = 0

    def owe(self, amount: int) -> None:
        """Hits answered before they were written (negative: now they are). A kill loses as many."""
        with self._lock:
            self._slots[_OWED] += amount
            if not self._settled:
                self._early_owed += amount

    def settle(self) -> None:
        """Close the account of the process before this one. Once, before anything is recovered or written.

        What it owed is lost; what it kept, or lost, and could not answer any more is unanswered. Where the disk fails
        at first, this process has answered before that: what it owes itself it may still write.
        """
        with self._lock:
            self._count_cut()
            self._slots[_COUNTS[Count.LOST_KILLED]] += self._slots[_OWED] - self._early_owed
            self._slots[_OWED] = self._early_owed
            early = self[Count.ANSWERED] - self._early_answered
            self._found = self[Count.KEPT] + sum(self[count] for count in LOST) - early
            self._slots[_COUNTS[Count.UNANSWERED]] = max(0, self._found)
            self._settled = True

    def dropping(self, amount: int) -> None:
        """A segment of so many hits is about to be taken away unread. Say with `dropped` what came of it."""
        self._slots[_DROPPED_AFTER] = self[Count.DROPPED] + amount

    def dropped(self, *, is_gone: bool) -> None:
        """Count the segment that was about to be taken away, if one was: once, in whichever process."""
        after = self._slots[_DROPPED_AFTER]
        if is_gone:  # of a page that power loss tore, the count may be newer than what it was to become
            self._slots[_COUNTS[Count.DROPPED]] = max(after, self[Count.DROPPED])
        self._slots[_DROPPED_AFTER] = 0

    @property
    def cut(self) -> tuple[UUID, int] | None:
        """The segment (by the UUID of its id) whose bytes from an offset on were counted lost and must go."""
        if not self._slots[_CUT_OFFSET]:
            return None
        high, low = self._slots[_CUT_SEGMENT], self._slots[_CUT_SEGMENT + 1]
        return UUID(int=high << _SLOT_BITS | low), self._slots[_CUT_OFFSET]

    def cut_back(self, segment: UUID, offset: int, reason: Count, lost: int) -> None:
        """Note that a segment's bytes from an offset on must go, and count its lost hits: no kill falls between."""
        with self._lock:
            self._slots[_LOST_UNDER] = _COUNTS[reason]
            self._slots[_LOST_AFTER] = self[reason] + lost
            self._slots[_CUT_SEGMENT], self._slots[_CUT_SEGMENT + 1] = _halves(segment)
            self._slots[_CUT_OFFSET] = offset  # with it, the note is whole
            self._count_cut()

    def cut_is_done(self) -> None:
        """Those bytes are gone, and so is the note."""
        self._slots[_CUT_OFFSET] = 0

    def _count_cut(self) -> None:
        """Count the loss that came with the note: once, in whichever process."""
        slot = self._slots[_LOST_UNDER]
        if self._slots[_CUT_OFFSET] and slot:
            self._slots[slot] = max(self._slots[_LOST_AFTER], self._slots[slot])
        self._slots[_LOST_UNDER] = 0


def _kept_since(slots: memoryview) -> int:
    """Hits of the newest segment that are counted as kept. Of a page that power loss tore, one slot may be older."""
    return max(0, slots[_COUNTS[Count.KEPT]] - slots[_KEPT_BEFORE])


def _halves(segment: UUID) -> tuple[int, int]:
    return segment.int >> _SLOT_BITS, segment.int & (1 << _SLOT_BITS) - 1


def read_counters(directory: Path) -> Mapping[Count, int]:
    """Counts of a spool directory as another process sees them; all zero before its first edge.

    Raises:
        OSError: the file is there and cannot be read.
    """
    slots = _read_slots(directory)
    return MappingProxyType({count: slots[slot] for count, slot in _COUNTS.items()})


def read_seen(directory: Path) -> Mapping[Seen, int]:
    """Requests by what became of them. Raises as `read_counters`."""
    slots = _read_slots(directory)
    return MappingProxyType({seen: slots[slot] for seen, slot in _SEEN.items()})


def read_status(directory: Path) -> WorkerStatus | None:
    """What the worker of a spool directory said last; None when none ever did. Raises as `read_counters`."""
    slots = _read_slots(directory)
    if not slots[_HEARTBEAT]:
        return None
    bits = sum(slots[_KEYS + place] << _SLOT_BITS * place for place in range(_KEY_SLOTS))
    return WorkerStatus(
        heartbeat_at_ms=slots[_HEARTBEAT],
        failing=next((count for count, slot in _COUNTS.items() if slot == slots[_FAILING]), None),
        snapshot_version=slots[_SNAPSHOT],
        key_ids=frozenset(key_id for key_id in range(_KEY_SLOTS * _SLOT_BITS) if bits >> key_id & 1),
        connections=slots[_CONNECTIONS],
    )


def read_newest(directory: Path) -> tuple[UUID, int]:
    """The newest segment of a spool directory, and how many hits of it count as kept. Raises as `read_counters`."""
    slots = _read_slots(directory)
    uuid = UUID(int=slots[_OPEN_SEGMENT] << _SLOT_BITS | slots[_OPEN_SEGMENT + 1])
    return uuid, _kept_since(slots)


def _read_slots(directory: Path) -> memoryview:
    """Every slot; all zero when there is no file of ours."""
    slots = memoryview(read_page(directory / COUNTERS_NAME)).cast("Q")
    return slots if slots[0] == _MAGIC else memoryview(bytes(PAGE_BYTES)).cast("Q")
