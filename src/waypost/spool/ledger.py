"""What became of the segments that were read away: records stored and quarantined, each segment counted once.

Written by whoever reads a spool directory, one process at a time: the collector, or on a machine of its own the agent
that ships segments. A mapped file like the writer's counters: it needs no room on a full disk and survives a kill. The
slots are wire format: append, never reorder.

A segment that is read again, because it was replayed, is entered anew in place of what it was counted as: its name says
what that was. So the sums hold at every instant of a replay, and nobody but the reader has to write them.
"""

import logging
import mmap
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from waypost.spool.files import PAGE_BYTES, Files, files_in
from waypost.spool.names import QUARANTINE_SUFFIX, REPLAY_SUFFIX, SEALED_SUFFIX, Entry, entry_of, renamed, segment_uuid
from waypost.spool.page import slots_of

LEDGER_NAME = "ledger"
_MAGIC = int.from_bytes(b"WPLEDGE\x01", "little")
_STORED = 1
_QUARANTINED = 2
# One entry under way: what the two sums become once the segment is gone from the name it was read by: that
# name's suffix (one of _READ_AS, counted from 1) and, of a replayed one, its numbers.
_PENDING = 8
_PENDING_SEGMENT = 9  # and 10
_PENDING_STORED = 11
_PENDING_QUARANTINED = 12
_PENDING_BEFORE = 13  # and 14
_READ_AS = (SEALED_SUFFIX, REPLAY_SUFFIX)
_SLOT_BITS = 64
_SLOT_MASK = (1 << _SLOT_BITS) - 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entries:
    """Sums of a ledger, in records."""

    stored: int
    quarantined: int
    """Below zero when segments were stored after all that the writer set aside: its counters count those."""


class Ledger:
    """The ledger of one spool directory, for the one process that reads it.

    Args:
        directory: with the segments.
        memory: of the mapped file.
        files: the file system.
    """

    def __init__(self, directory: Path, memory: mmap.mmap, files: Files) -> None:
        self._directory = directory
        self._files = files
        self._slots = slots_of(memory, _MAGIC)
        if self._slots[_PENDING]:
            self._finish_pending()

    @classmethod
    def open(cls, directory: Path, files: Files | None = None) -> "Ledger":
        """The ledger of a directory, begun where there is none; on a disk without room for it, one in memory.

        Raises:
            OSError: whether the segment of a pending entry was taken away cannot be seen; the entry stays pending.
        """
        files = files or Files()
        try:
            memory = files.map_page(directory / LEDGER_NAME)
        except OSError as error:
            log.error("counts of stored clicks will not survive this process: %s", error)  # noqa: TRY400 -- the disk's error
            memory = mmap.mmap(-1, PAGE_BYTES)
        return cls(directory, memory, files)

    @property
    def entries(self) -> Entries:
        """The sums so far."""
        return _signed(self._slots, _STORED, _QUARANTINED)

    def settle(self, path: Path, suffix: str | None, *, stored: int, quarantined: int = 0) -> None:
        """Enter a segment and take it away, in one step that a kill cannot halve.

        Args:
            path: of the segment: a sealed one, or a replayed one, which is entered in place of what it was counted as.
            suffix: of the name it is kept under: DONE_SUFFIX, or QUARANTINE_SUFFIX for one that is set aside; None: it
                is deleted.
            stored: its records that are in the store.
            quarantined: its records that are not and will not be.

        Raises:
            OSError: it could not be taken away; nothing is entered. FileNotFoundError: the writer deleted it unread
                meanwhile, to stay within its bound, and counted it itself.
        """
        before, sums = entry_of(path), self.entries
        self._begin(
            path,
            before,
            Entries(sums.stored + stored - before.stored, sums.quarantined + quarantined - before.quarantined),
        )
        try:
            if suffix:
                entry = Entry(stored, quarantined) if suffix == QUARANTINE_SUFFIX else None
                self._files.rename(path, renamed(path, suffix, entry))
            else:
                self._files.unlink(path)
        except OSError:
            self._slots[_PENDING] = 0
            raise
        self._enter()

    def _begin(self, path: Path, before: Entry, sums: Entries) -> None:
        uuid = segment_uuid(path)
        self._slots[_PENDING_SEGMENT] = uuid.int >> _SLOT_BITS
        self._slots[_PENDING_SEGMENT + 1] = uuid.int & _SLOT_MASK
        self._slots[_PENDING_STORED] = sums.stored & _SLOT_MASK
        self._slots[_PENDING_QUARANTINED] = sums.quarantined & _SLOT_MASK
        self._slots[_PENDING_BEFORE], self._slots[_PENDING_BEFORE + 1] = before.stored, before.quarantined
        self._slots[_PENDING] = 1 + _READ_AS.index(path.suffix)  # last: with it, the entry is whole

    def _enter(self) -> None:
        self._slots[_STORED] = self._slots[_PENDING_STORED]
        self._slots[_QUARANTINED] = self._slots[_PENDING_QUARANTINED]
        self._slots[_PENDING] = 0

    def _finish_pending(self) -> None:
        """After a kill: enter what is pending, if its segment was taken away."""
        if _is_taken_away(self._slots, self._directory):
            self._enter()
        else:
            self._slots[_PENDING] = 0


def _is_taken_away(slots: memoryview, directory: Path) -> bool:
    """Whether the segment of the pending entry is gone from the name it was read by."""
    uuid = UUID(int=slots[_PENDING_SEGMENT] << _SLOT_BITS | slots[_PENDING_SEGMENT + 1])
    suffix = _READ_AS[slots[_PENDING] - 1]
    before = Entry(slots[_PENDING_BEFORE], slots[_PENDING_BEFORE + 1]) if suffix == REPLAY_SUFFIX else None
    return not files_in(directory, renamed(Path(f".{uuid}{suffix}"), suffix, before).name)


def _signed(slots: memoryview, stored: int, quarantined: int) -> Entries:
    """Two sums, in two's complement, by their slots."""
    signed = slots.cast("B").cast("q")
    return Entries(signed[stored], signed[quarantined])


def read_ledger(directory: Path) -> Entries:
    """The sums as another process sees them, what a killed reader left pending included; zero where there is no ledger.

    Raises:
        OSError: the file is there and cannot be read, or the directory cannot be listed.
    """
    slots = memoryview(Files().read_page(directory / LEDGER_NAME)).cast("Q")
    if slots[0] != _MAGIC:
        return Entries(0, 0)
    if slots[_PENDING] and _is_taken_away(slots, directory):
        return _signed(slots, _PENDING_STORED, _PENDING_QUARANTINED)
    return _signed(slots, _STORED, _QUARANTINED)
