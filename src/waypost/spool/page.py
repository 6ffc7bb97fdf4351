"""The page with the counters of a spool directory: in memory that outlives the process, copied to the disk.

A store into a page that is mapped from a disk waits while its file system is frozen, or its journal waits for a disk
that does not answer. The event loop counts each answer, and must wait for neither. So the page is a file in MEMORY,
which a `kill -9` leaves as it is; the writer's thread copies it to the disk at each segment, for when the machine has
started anew. Each process that takes the page over, under the directory's lock, numbers it at random, copy first: where
both have the same number the one in memory is the newer one, and otherwise it belongs to another process or another
machine, and the copy counts.
"""

import logging
import mmap
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from waypost.spool.files import PAGE_BYTES, Files

MEMORY: Final = Path("/dev/shm")  # noqa: S108 -- only a file of our own user is opened there
RUN_SLOT: Final = 82
_RUN: Final = slice(RUN_SLOT * 8, RUN_SLOT * 8 + 8)

log = logging.getLogger(__name__)


def slots_of(memory: mmap.mmap | bytearray, magic: int) -> memoryview:
    """The 64-bit slots of a page, all zero but the magic unless it has that already."""
    slots = memoryview(memory).cast("Q")
    if slots[0] != magic:
        for slot in range(len(slots)):
            slots[slot] = 0
        slots[0] = magic
    return slots


class Page:
    """The page of one spool directory, for the process that owns it.

    Attributes:
        memory: to count in.
    """

    def __init__(self, memory: mmap.mmap, files: Files, copy: Path, place: Path | None) -> None:
        self.memory = memory
        self._files = files
        self._copy = copy
        self._place = place

    @classmethod
    def open(cls, copy: Path, magic: int, files: Files) -> "Page":
        """Take a page over from the process before, or begin one.

        Where the machine has no memory that outlives a process, the file on the disk is mapped instead.

        Args:
            copy: the file on the disk.
            magic: in slot 0 of a page that is one.
            files: the file system.

        Raises:
            OSError: the disk does not take the file.
        """
        place = place_of(copy.parent)
        try:
            memory = files.map_shared(place)
        except OSError as error:
            log.warning("counts are kept on the disk only, and readers wait when it stands still: %s", error)
            memory = files.map_page(copy)
            slots_of(memory, magic)[RUN_SLOT] = _new_run()
            return cls(memory, files, copy, None)
        kept = files.read_page(copy)
        same = _same_run(memory, kept)
        slots = slots_of(bytearray(memory if same else kept), magic)
        slots[RUN_SLOT] = run = _new_run()
        files.write_page(copy, slots.tobytes())
        # A kill from here on finds two numbers, and the copy counts, until the number in memory is the copy's.
        shared = memoryview(memory).cast("Q")
        if not same:
            shared[RUN_SLOT] = slots[RUN_SLOT] = 0
            shared[:] = slots
        shared[RUN_SLOT] = run
        return cls(memory, files, copy, place)

    def save(self) -> None:
        """Copy it to the disk.

        Raises:
            OSError: the disk does not take it.
        """
        if self._place is not None:
            self._files.write_page(self._copy, bytes(self.memory))

    def close(self) -> None:
        """Leave it on the disk only. Nothing is counted any more. Raises as `save`: then it stays where it is."""
        self.save()
        if self._place is not None:
            with suppress(FileNotFoundError):  # somebody's tidiness
                self._files.unlink(self._place)
            self._place = None


def place_of(directory: Path) -> Path:
    """Where in memory the page of a spool directory is. Raises OSError: there is no such directory."""
    found = directory.stat()
    return MEMORY / f"waypost-{found.st_dev:x}-{found.st_ino:x}"


def read_page(copy: Path) -> bytes:
    """A page as another process sees it; zero where there is none.

    Raises:
        OSError: the file is there and cannot be read.
    """
    files = Files()
    kept = files.read_page(copy)
    while True:
        shared = _read_shared(copy)
        if shared and _same_run(shared, kept):
            return shared
        before, kept = kept, files.read_page(copy)
        if before[_RUN] == kept[_RUN]:  # otherwise it was taken over meanwhile
            return kept


def _read_shared(copy: Path) -> bytes:
    """What is in memory; empty when nothing is, or not by whom the spool belongs to."""
    try:
        owner = copy.stat().st_uid
        descriptor = os.open(place_of(copy.parent), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        found = os.fstat(descriptor)
        if found.st_uid not in (owner, os.geteuid()) or not stat.S_ISREG(found.st_mode):
            return b""
        return os.read(descriptor, PAGE_BYTES)
    finally:
        os.close(descriptor)


def _same_run(page: mmap.mmap | bytes, other: bytes) -> bool:
    return page[_RUN] == other[_RUN] != bytes(8)


def _new_run() -> int:
    return secrets.randbits(64) | 1
