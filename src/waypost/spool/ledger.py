"""What became of the segments that were read away: records stored and quarantined, each segment counted once.

Written by whoever reads a spool directory, one process at a time: the collector, or on a machine of its own the agent
that ships segments. A mapped file like the writer's counters: it needs no room on a full disk and survives a kill. The
slots are wire format: append, never reorder.
"""

import logging
import mmap
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from waypost.spool.files import COUNTERS_BYTES, Files
from waypost.spool.segments import SEALED_SUFFIX, segment_uuid

LEDGER_NAME = "ledger"
_MAGIC = int.from_bytes(b"WPLEDGE\x01", "little")
_STORED = 1
_QUARANTINED = 2
# One entry under way: what the two become once the file of that segment is gone.
_PENDING = 8
_PENDING_SEGMENT = 9  # and 10
_PENDING_STORED = 11
_PENDING_QUARANTINED = 12
_SLOT_BITS = 64

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entries:
    """Sums of a ledger, in records."""

    stored: int
    quarantined: int


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
        self._slots = memoryview(memory).cast("Q")
        if self._slots[0] != _MAGIC:
            for slot in range(len(self._slots)):
                self._slots[slot] = 0
            self._slots[0] = _MAGIC
        if self._slots[_PENDING]:
            self._finish_pending()

    @classmethod
    def open(cls, directory: Path, files: Files | None = None) -> "Ledger":
        """The ledger of a directory, begun where there is none; on a disk without room for it, one in memory."""
        files = files or Files()
        try:
            memory = files.map_counters(directory / LEDGER_NAME)
        except OSError as error:
            log.error("counts of stored clicks will not survive this process: %s", error)  # noqa: TRY400 -- the disk's error
            memory = mmap.mmap(-1, COUNTERS_BYTES)
        return cls(directory, memory, files)

    @property
    def entries(self) -> Entries:
        """The sums so far."""
        return Entries(self._slots[_STORED], self._slots[_QUARANTINED])

    def settle(self, path: Path, suffix: str | None, *, stored: int, quarantined: int = 0) -> None:
        """Enter a sealed segment and take it away, in one step that a kill cannot halve.

        Args:
            path: of the segment.
            suffix: of the name it is kept under: DONE_SUFFIX, or QUARANTINE_SUFFIX for one that is set aside; None: it
                is deleted.
            stored: its records that are in the store.
            quarantined: its records that are not and will not be.

        Raises:
            OSError: it could not be taken away; nothing is entered. FileNotFoundError: the writer deleted it unread
                meanwhile, to stay within its bound, and counted it itself.
        """
        self._begin(path, self._slots[_STORED] + stored, self._slots[_QUARANTINED] + quarantined)
        try:
            if suffix:
                self._files.rename(path, path.with_suffix(suffix))
            else:
                self._files.unlink(path)
        except OSError:
            self._slots[_PENDING] = 0
            raise
        self._enter()

    def replay(self, path: Path, *, stored: int = 0, quarantined: int = 0) -> Path:
        """Put a segment back among the sealed ones and take its records off the sums. Returns its new name.

        Raises:
            OSError: it could not be put back; nothing is changed.
        """
        sealed = path.with_suffix(SEALED_SUFFIX)
        self._files.rename(path, sealed)
        self._slots[_STORED] = max(0, self._slots[_STORED] - stored)
        self._slots[_QUARANTINED] = max(0, self._slots[_QUARANTINED] - quarantined)
        return sealed

    def _begin(self, path: Path, stored: int, quarantined: int) -> None:
        uuid = segment_uuid(path)
        self._slots[_PENDING_SEGMENT] = uuid.int >> _SLOT_BITS
        self._slots[_PENDING_SEGMENT + 1] = uuid.int & (1 << _SLOT_BITS) - 1
        self._slots[_PENDING_STORED] = stored
        self._slots[_PENDING_QUARANTINED] = quarantined
        self._slots[_PENDING] = 1  # last: with it, the entry is whole

    def _enter(self) -> None:
        self._slots[_STORED] = self._slots[_PENDING_STORED]
        self._slots[_QUARANTINED] = self._slots[_PENDING_QUARANTINED]
        self._slots[_PENDING] = 0

    def _finish_pending(self) -> None:
        """After a kill: enter what is pending if its segment is gone from among the sealed ones."""
        uuid = UUID(int=self._slots[_PENDING_SEGMENT] << _SLOT_BITS | self._slots[_PENDING_SEGMENT + 1])
        if any(self._directory.glob(f"*.{uuid}{SEALED_SUFFIX}")):
            self._slots[_PENDING] = 0
        else:
            self._enter()


def read_ledger(directory: Path) -> Entries:
    """The sums as another process sees them; zero where there is no ledger.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        data = (directory / LEDGER_NAME).read_bytes()
    except FileNotFoundError:
        data = b""
    slots = memoryview(data.ljust(COUNTERS_BYTES, b"\0")[:COUNTERS_BYTES]).cast("Q")
    return Entries(slots[_STORED], slots[_QUARANTINED]) if slots[0] == _MAGIC else Entries(0, 0)
