"""A spool's disk, watched: what was asked of it and which clicks were answered, in the order in which it happened."""

import mmap
import threading
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from tests.unit.spool.conftest import FailingFiles

from torture.load import number_of
from waypost.events.hit import Hit
from waypost.spool.commit import GroupCommit, Release
from waypost.spool.counters import Count


class What(StrEnum):
    """Something that happened."""

    MAKE_DIRECTORY = "make_directory"
    CREATE = "create"
    WRITE = "write"
    SYNC = "sync"
    FAIL_SYNC = "failing sync"
    TRUNCATE = "truncate"
    RENAME = "rename"
    UNLINK = "unlink"
    SYNC_DIRECTORY = "sync_directory"
    WRITE_PAGE = "write_page"
    ANSWER = "answer"
    CALL = "call"
    """A call begins, or one that changes nothing: a moment to look at the counters."""


class Event(NamedTuple):
    """What happened, and what the counters were just after it.

    Attributes:
        name: of the file; of a directory, below the root; of a call that begins, its own.
        new_name: after a rename.
        data: that was written.
        length: after a truncation.
        click: number of the one that is answered.
        outcome: of its answer.
        page: the counters; empty before there are any.
    """

    what: What
    name: str = ""
    new_name: str = ""
    data: bytes = b""
    length: int = 0
    click: int = 0
    outcome: Count | None = None
    page: bytes = b""


class RecordingFiles(FailingFiles):
    """The file system of a spool, which can be made to fail or to be stuck, with a record of everything.

    What begins is noted before, what is done after it: `events` is in the order of effects, across threads.

    Args:
        root: exists already, and for good.
    """

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.events: list[Event] = []
        self._root = root
        self.stuck: dict[str, threading.Event] = {}
        """Calls that wait."""
        self._memory: mmap.mmap | None = None
        self._mapped: mmap.mmap | None = None
        self._names: dict[int, str] = {}
        self._lock = threading.Lock()

    def note(self, what: What, name: str = "", **more: object) -> None:
        """Something happened."""
        with self._lock:
            page = bytes(self._memory) if self._memory is not None else b""
            self.events.append(Event(what, name, **{"page": page, **more}))

    def _call(self, name: str) -> None:
        self.note(What.CALL, name)
        if name in self.stuck:
            self.stuck[name].wait()
        super()._call(name)

    def make_directory(self, path: Path) -> None:
        for each in reversed([path, *path.parents]):
            if not each.exists():
                self.note(What.MAKE_DIRECTORY, str(each.relative_to(self._root)))
        super().make_directory(path)

    def create(self, path: Path) -> int:
        descriptor = super().create(path)
        self._names[descriptor] = path.name
        self.note(What.CREATE, path.name)
        return descriptor

    def open(self, path: Path) -> int:
        descriptor = super().open(path)
        self._names[descriptor] = path.name
        return descriptor

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        taken = super().write(descriptor, data)
        self.note(What.WRITE, self._names[descriptor], data=bytes(data[:taken]))
        return taken

    def sync(self, descriptor: int) -> None:
        try:
            super().sync(descriptor)
        except OSError:
            self.note(What.FAIL_SYNC, self._names[descriptor])
            raise
        self.note(What.SYNC, self._names[descriptor])

    def truncate(self, descriptor: int, length: int) -> None:
        super().truncate(descriptor, length)
        self.note(What.TRUNCATE, self._names[descriptor], length=length)

    def close(self, descriptor: int) -> None:
        self.note(What.CALL, "close")
        super().close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        self.note(What.RENAME, old.name, new_name=new.name)

    def sync_directory(self, path: Path) -> None:
        super().sync_directory(path)
        self.note(What.SYNC_DIRECTORY, str(path.relative_to(self._root)))

    def unlink(self, path: Path) -> None:
        super().unlink(path)
        if path.is_relative_to(self._root):
            self.note(What.UNLINK, path.name)

    def map_shared(self, path: Path) -> mmap.mmap:
        self._mapped = super().map_shared(path)
        return self._mapped

    def write_page(self, path: Path, page: bytes) -> None:
        super().write_page(path, page)
        self.note(What.WRITE_PAGE, path.name, page=page)
        self._memory = self._mapped  # it has been filled in only now


class RecordingCommit(GroupCommit):
    """Group commit over recording files: every answer is noted, just before it is given."""

    def append(self, hit: Hit, release: Release) -> None:
        files: RecordingFiles = self._segments._files

        def answer(outcome: Count) -> None:
            files.note(What.ANSWER, click=number_of(hit.send_id), outcome=outcome)
            release(outcome)

        super().append(hit, answer)
