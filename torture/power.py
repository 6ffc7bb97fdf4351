"""What a disk may hold after a power loss: all that was synced, and of the rest whatever POSIX allows.

A file's unsynced bytes may be gone, zero, torn, or what the blocks held before, from any byte on. A name that was made,
changed or removed may be the old one, the new one or none until its directory is synced. The page of the counters is
copied to the disk now and then and never synced: what is taken here is more than that, any that it ever was in memory,
or sectors of two ages.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

from torture.load import number_of
from torture.recording import Event, What
from waypost.spool import UnreadableSegmentError
from waypost.spool.counters import COUNTERS_NAME, Count
from waypost.spool.framing import decode_segment
from waypost.spool.segments import DROPPED_SUFFIX, SEALED_SUFFIX

SECTOR_BYTES = 512
"""Written as one; the counts are in the first of the page, what is owed and cut in the second."""
MIXED_PAGES = 4
"""Drawn for each state of the files."""
DIRECTORY = "spool/edge-0"

Contents = Mapping[str, bytes]
"""Of files, by name."""


class Crash(NamedTuple):
    """A state of the disk that power loss may leave.

    Attributes:
        what: for people.
        files: None: there is not even the directory.
        page: of the counters; None: there is no such file.
        newest: the counters as they were in memory.
        answered: what was answered until then.
        sealed: clicks in segments that are synced and sealed for good.
        sure: how many bytes of each segment were synced, by the segment's id.
        dropped: clicks in segments that were deleted unread; they may be there all the same.
    """

    what: str
    files: Contents | None
    page: bytes | None
    newest: bytes
    answered: Mapping[int, Count]
    sealed: frozenset[int]
    sure: Mapping[str, int]
    dropped: frozenset[int]


@dataclass
class _File:
    """A file, on the disk and in memory."""

    synced: bytes = b""
    now: bytes = b""
    older: bytes = b""
    """The longest it was since it was synced."""
    spoilt: int | None = None
    """A sync failed: from here on the kernel may have dropped what it holds for clean, and no later sync writes it."""
    names: list[str | None] = field(default_factory=list)
    """It may be found under one of these; the last is the one in memory."""

    @property
    def sure(self) -> int:
        """Bytes that are on the disk, whatever happens."""
        both = zip(self.synced, self.now, strict=False)
        common = next((at for at, (old, new) in enumerate(both) if old != new), min(len(self.synced), len(self.now)))
        return common if self.spoilt is None else min(common, self.spoilt)

    @property
    def loose(self) -> bool:
        return self.synced != self.now or self.spoilt is not None

    def apply(self, event: Event) -> None:
        """Something was done to it."""
        match event.what:
            case What.WRITE:
                self.now += event.data
            case What.SYNC:
                self.synced = self.now[: self.spoilt]
                self.older = b""
            case What.FAIL_SYNC:
                self.spoilt = self.sure
            case What.TRUNCATE:
                self.older = max(self.older, self.now, key=len)
                self.now = self.now[: event.length]
                if self.spoilt is not None and event.length <= self.spoilt:
                    self.spoilt = None
            case What.RENAME:
                self.names.append(event.new_name)
            case What.UNLINK:
                self.names.append(None)

    def contents(self, before: bytes, starts: Callable[[int, int], Iterable[int]]) -> Iterator[tuple[str, bytes]]:
        """What may be read of it; `before` is what its blocks may have held, `starts` says from which bytes on."""
        now, sure = self.now, self.sure
        yield "whole", now
        if not self.loose:
            return
        yield "as synced", self.synced
        stale = before[: len(now)].ljust(len(now), b"\xc1")
        for at in starts(sure, len(now)):
            yield f"cut at {at}", now[:at]
            yield f"zeroed from {at}", now[:at] + bytes(len(now) - at)
            yield f"torn until {at}", now[:sure] + bytes(at - sure) + now[at:]
            yield f"stale from {at}", now[:at] + stale[at:]
        for older in {self.older, self.synced}:
            for at in starts(sure, len(older)):
                yield f"not yet shortened, old from {at}", now[:at] + older[at:]


class Disk:
    """The disk under a spool directory, event by event."""

    def __init__(self, crash: Crash | None = None, *, every: int = 1, rng: Random) -> None:
        """A disk that is at rest: everything on it is synced.

        Args:
            crash: what is on it; nothing when there was none.
            every: of so many states that differ in a byte, or in the age of the counters, one is drawn.
            rng: draws.
        """
        files, page = (crash.files, crash.page) if crash else (None, None)
        self._every = every
        self._rng = rng
        self._files = {Path(name).stem: _File(data, data, names=[name]) for name, data in (files or {}).items()}
        self._unnamed: set[str] = set()
        """Directories whose parents are not synced yet."""
        self._pages = [page] if page else []
        if page:
            self._files[COUNTERS_NAME] = _File(names=[COUNTERS_NAME])
        self._sure = dict(crash.sure) if crash else {}
        """What was synced before that crash; the rest may be anything."""
        self._touched = ""
        """The segment whose bytes changed last."""
        self._dropped = crash.dropped if crash else frozenset()
        self._sealed: dict[str, frozenset[int]] = {}
        self._answered = dict(crash.answered) if crash else {}

    def crashes(self, events: Iterable[Event]) -> Iterator[Crash]:
        """The states that a loss of power may leave at any instant of these events."""
        for number, event in enumerate(events):
            if event.what not in (What.ANSWER, What.CALL):
                yield from self._crashes(f"before event {number} ({event.what})")
            self.apply(event)
        yield from self._crashes("at the end")

    def apply(self, event: Event) -> None:
        """One event later."""
        stem = Path(event.name).stem
        match event.what:
            case What.MAKE_DIRECTORY:
                self._unnamed.add(event.name)
            case What.SYNC_DIRECTORY:
                self._sync_directory(event.name)
            case What.CREATE | What.WRITE_PAGE:
                self._files.setdefault(stem, _File(names=[None, event.name]))
            case What.ANSWER:
                assert event.outcome
                self._answered[event.click] = event.outcome
            case What.RENAME if event.new_name.endswith(DROPPED_SUFFIX):
                self._dropped |= _clicks(stem, self._files[stem].now)
        if stem in self._files:
            self._files[stem].apply(event)
        if event.what in _OF_CONTENTS:
            self._touched = stem
        if event.page and event.page not in self._pages[-1:]:
            self._pages.append(event.page)

    def _sync_directory(self, path: str) -> None:
        self._unnamed = {each for each in self._unnamed if str(Path(each).parent) != path}
        if path == DIRECTORY:
            for file in self._files.values():
                file.names = file.names[-1:]
            self._files = {stem: file for stem, file in self._files.items() if file.names != [None]}

    def _clicks_sealed(self) -> frozenset[int]:
        for stem, file in self._files.items():
            if stem not in self._sealed and file.names == [f"{stem}{SEALED_SUFFIX}"] and not file.loose:
                self._sealed[stem] = _clicks(stem, file.now)
        return frozenset().union(*self._sealed.values()) - self._dropped

    def in_memory(self) -> tuple[Contents, bytes]:
        """What the next process finds when this one is killed and the power stays: files and counters."""
        files = {file.names[-1]: file.now for file in self._files.values() if file.names[-1]}
        files.pop(COUNTERS_NAME, None)
        return files, self._pages[-1] if self._pages else b""

    def _crashes(self, when: str) -> Iterator[Crash]:
        newest = self._pages[-1] if self._pages else b""
        answered, sealed = dict(self._answered), self._clicks_sealed()
        sure = {stem: min(file.sure, self._sure.get(stem, file.sure)) for stem, file in self._files.items()}
        layouts = list(self._layouts())
        rng = self._rng

        def crash(layout: tuple[str, Contents | None], page: bytes, which: str) -> Crash:
            what, files = layout
            kept = files is not None and COUNTERS_NAME in files
            found = {name: data for name, data in files.items() if name != COUNTERS_NAME} if files is not None else None
            return Crash(
                f"{when}: {what}, {which}", found, page if kept else None, newest, answered, sealed, sure, self._dropped
            )

        for layout in layouts:
            yield crash(layout, newest, "newest counters")
        for age in self._drawn(1, len(self._pages)):
            yield crash(rng.choice(layouts), self._pages[-1 - age], f"counters {age} older")
        for _ in self._drawn(0, MIXED_PAGES if self._pages else 0):
            first, rest = rng.choice(self._pages), rng.choice(self._pages)
            mixed = first[:SECTOR_BYTES] + rest[SECTOR_BYTES:]
            yield crash(rng.choice(layouts), mixed, "counters of two ages")

    def _drawn(self, start: int, end: int) -> Iterable[int]:
        return range(start + (self._rng.randrange(self._every) if self._every > 1 else 0), end, self._every)

    def _before(self, file: _File) -> bytes:
        """What the blocks of a file may have held: an older segment."""
        return max((each.synced for each in self._files.values() if each is not file), key=len, default=b"")

    def _layouts(self) -> Iterator[tuple[str, Contents | None]]:
        """Files as they may be found: for every choice of names, each byte of the newest tail, older ones drawn."""
        if self._unnamed:
            yield "no directory", None
        for names in itertools.product(*(dict.fromkeys(file.names) for file in self._files.values())):
            named = {name: file for name, file in zip(names, self._files.values(), strict=True) if name}
            label = " ".join(name[-9:] for name in named)
            files = {name: self._rng.choice([file.now, file.synced]) for name, file in named.items()}
            touched = next((name for name in named if Path(name).stem == self._touched), None)
            if touched is None:
                yield label, files
                continue
            for what, content in named[touched].contents(self._before(named[touched]), self._drawn):
                yield f"{label}, {touched[-9:]} {what}", {**files, touched: content}


_OF_CONTENTS = (What.CREATE, What.WRITE, What.SYNC, What.FAIL_SYNC, What.TRUNCATE)


def _clicks(stem: str, data: bytes) -> frozenset[int]:
    """What can be read of a segment."""
    try:
        return frozenset(number_of(hit.send_id) for _, hit in decode_segment(data, stem).records)
    except UnreadableSegmentError:
        return frozenset()
