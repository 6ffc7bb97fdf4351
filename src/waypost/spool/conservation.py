"""The account of one spool directory: every answered hit is stored, spooled, quarantined, lost or dropped.

Taken from files alone, by any process, while the others run: a hit on its way from one place to the next can be seen in
neither or both for a moment. At rest the difference is zero.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from waypost.spool.counters import LOST, Count, Counters, read_counters, read_newest
from waypost.spool.files import directories_in, files_in
from waypost.spool.framing import records_in
from waypost.spool.ledger import read_ledger
from waypost.spool.names import DROPPED_SUFFIX, OPEN_SUFFIX, SEALED_SUFFIX, segment_uuid
from waypost.spool.reader import count_records

LOOKS: Final = 5
"""At an account that does not add up, before that is believed: a busy one is seen at an odd moment now and then."""
LOOK_AGAIN_SECONDS: Final = 0.2
IN_HAND_SECONDS: Final = 0.05
"""A hit is answered 25 ms after it came at the latest, unless `spool.sync_wait_seconds` says otherwise: what is on its
way when an account is taken has arrived by then."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be stored."""

    segments: int
    records: int
    size_bytes: int
    oldest_at: float | None
    """Seconds since 1970; None when nothing waits."""


@dataclass(frozen=True, slots=True)
class Account:
    """All numbers are records, since the directory was made."""

    counts: Mapping[Count, int]
    backlog: Backlog
    stored: int
    quarantined: int

    @property
    def lost(self) -> int:
        """Answered and not kept, for whatever reason."""
        return sum(self.counts[count] for count in LOST)

    @property
    def difference(self) -> int:
        """Answered, and neither stored nor spooled nor quarantined nor counted as lost or dropped: must be zero."""
        owed = self.counts[Count.ANSWERED] + self.counts[Count.UNANSWERED]
        known = self.stored + self.backlog.records + self.quarantined + self.lost + self.counts[Count.DROPPED]
        return owed - known

    def moved_until(self, later: "Account") -> int:
        """How many steps hits took, from one place to the next, between this account and a later one."""
        counts = sum(abs(later.counts[count] - self.counts[count]) for count in self.counts)
        return counts + abs(later.stored - self.stored) + abs(later.quarantined - self.quarantined)


def worker_directories(spool: Path) -> list[Path]:
    """The directories of all workers, by name; none where there is no spool yet.

    Raises:
        OSError: it cannot be listed.
    """
    return directories_in(spool)


def account(directory: Path, records_of: Callable[[Path], int] = count_records, *, closed: bool = False) -> Account:
    """The account of one worker's directory.

    Args:
        directory: of the worker.
        records_of: how many records a sealed segment has; a caller who asks often remembers it.
        closed: as the worker's next start will close it. For one that does not run: a kill leaves hits behind that it
            had in hand, which only then are counted as lost or unanswered.

    Raises:
        OSError: the directory cannot be read.
    """
    left_open: Mapping[UUID, int] | None = None
    if closed:
        counts, left_open = _closed(directory)
    else:
        counts = read_counters(directory)
    entries = read_ledger(directory)
    if left_open is None:
        left_open = dict([read_newest(directory)])  # at the last moment: it grows
    return Account(
        counts=counts,
        backlog=_backlog(directory, records_of, left_open),
        stored=entries.stored,
        quarantined=entries.quarantined + counts[Count.QUARANTINED_HITS],
    )


def steady_account(
    directory: Path,
    records_of: Callable[[Path], int] = count_records,
    *,
    closed: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Account, bool]:
    """The account, and whether it adds up: a difference counts that stays, and is more than moved meanwhile.

    Arguments and errors as for `account`.
    """
    for look in range(LOOKS):
        if look:
            sleep(LOOK_AGAIN_SECONDS)
        now = account(directory, records_of, closed=closed)
        if not now.difference:
            return now, True
        sleep(IN_HAND_SECONDS)
        if abs(now.difference) <= now.moved_until(account(directory, records_of, closed=closed)):
            return now, True
    return now, False


def _closed(directory: Path) -> tuple[Mapping[Count, int], Mapping[UUID, int]]:
    """The counts, and the records in each segment left open, as `SegmentWriter` will find them when it starts."""
    counters = Counters.copied(directory)
    counters.settle()
    counters.dropped(is_gone=bool(files_in(directory, DROPPED_SUFFIX)))
    cut = counters.cut
    left_open = {}
    for path in files_in(directory, OPEN_SUFFIX):
        uuid = segment_uuid(path)
        with suppress(FileNotFoundError):  # it has started meanwhile
            data = path.read_bytes()[: cut[1] if cut and cut[0] == uuid else None]
            left_open[uuid] = records_in(data, path.stem)
            counters.recovered(uuid, left_open[uuid])
    return counters.snapshot(), left_open


def _backlog(directory: Path, records_of: Callable[[Path], int], left_open: Mapping[UUID, int]) -> Backlog:
    records = size = segments = 0
    oldest: float | None = None
    for path in files_in(directory, SEALED_SUFFIX) + files_in(directory, OPEN_SUFFIX):
        try:
            stat = path.stat()
            known = left_open.get(segment_uuid(path)) if path.suffix == OPEN_SUFFIX else None
            records += records_of(path) if known is None else known
        except FileNotFoundError:
            continue  # stored, or sealed, meanwhile
        segments += 1
        size += stat.st_size
        oldest = stat.st_mtime if oldest is None else min(oldest, stat.st_mtime)
    return Backlog(segments, records, size, oldest)
