"""Counts of one spool directory that survive a killed process: a memory-mapped file of 64-bit slots.

A store into a mapped page is in the kernel's hands at once, so `kill -9` loses nothing; a power loss may lose the
newest counts. The slots are wire format: append, never reorder.
"""

import mmap
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from uuid import UUID

from waypost.spool.files import COUNTERS_BYTES, Files

COUNTERS_NAME = "counters"
_MAGIC = int.from_bytes(b"WPCOUNT\x01", "little")


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


LOST = tuple(count for count in Count if count.startswith("lost_"))

_COUNTS = {count: slot for slot, count in enumerate(Count, start=1)}
# After room for more counts: one note on the segment that must lose its tail, and what a kill would lose.
_OWED = 64
_CUT_OFFSET = 65
_CUT_SEGMENT = 66  # and 67


class Counters:
    """The counts; safe to use from several threads of the one process that owns the directory."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._slots = memoryview(memory).cast("Q")
        self._lock = Lock()
        if self._slots[0] != _MAGIC:
            for slot in range(len(self._slots)):
                self._slots[slot] = 0
            self._slots[0] = _MAGIC

    @classmethod
    def open(cls, directory: Path, files: Files) -> "Counters":
        """The counts of a spool directory, begun at zero where there are none.

        Raises:
            OSError: the file cannot be made or mapped.
        """
        return cls(files.map_counters(directory / COUNTERS_NAME))

    @classmethod
    def in_memory(cls) -> "Counters":
        """Counts that end with the process: for a disk that has no room for the file."""
        return cls(mmap.mmap(-1, COUNTERS_BYTES))

    def add(self, count: Count, amount: int) -> None:
        """Raise one count."""
        with self._lock:
            self._slots[_COUNTS[count]] += amount

    def __getitem__(self, count: Count) -> int:
        return self._slots[_COUNTS[count]]

    def snapshot(self) -> Mapping[Count, int]:
        """All counts."""
        return MappingProxyType({count: self._slots[slot] for count, slot in _COUNTS.items()})

    def owe(self, amount: int) -> None:
        """Hits answered before they were written (negative: now they are). A kill loses as many."""
        with self._lock:
            self._slots[_OWED] += amount

    def settle_owed(self) -> None:
        """Count as lost what the process before this one owed. Only at start."""
        with self._lock:
            self._slots[_COUNTS[Count.LOST_KILLED]] += self._slots[_OWED]
            self._slots[_OWED] = 0

    @property
    def cut(self) -> tuple[UUID, int] | None:
        """The segment (by the UUID of its id) whose bytes from an offset on were counted lost and must go."""
        if not self._slots[_CUT_OFFSET]:
            return None
        high, low = self._slots[_CUT_SEGMENT], self._slots[_CUT_SEGMENT + 1]
        return UUID(int=high << 64 | low), self._slots[_CUT_OFFSET]

    @cut.setter
    def cut(self, value: tuple[UUID, int] | None) -> None:
        # The offset is stored last and cleared first: with it, the note is whole.
        self._slots[_CUT_OFFSET] = 0
        if value is None:
            return
        segment, offset = value
        self._slots[_CUT_SEGMENT] = segment.int >> 64
        self._slots[_CUT_SEGMENT + 1] = segment.int & (1 << 64) - 1
        self._slots[_CUT_OFFSET] = offset


def read_counters(directory: Path) -> Mapping[Count, int]:
    """Counts of a spool directory as another process sees them; all zero before its first edge.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        data = (directory / COUNTERS_NAME).read_bytes()
    except FileNotFoundError:
        data = b""
    slots = memoryview(data.ljust(COUNTERS_BYTES, b"\0")[:COUNTERS_BYTES]).cast("Q")
    known = slots[0] == _MAGIC
    return MappingProxyType({count: slots[slot] if known else 0 for count, slot in _COUNTS.items()})
