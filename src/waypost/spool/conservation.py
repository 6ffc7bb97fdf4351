"""The account of one spool directory: every answered hit is stored, spooled, quarantined, lost or dropped.

Taken from files alone, by any process, while the others run: a hit on its way from one place to the next can be seen in
neither or both for a moment. At rest the difference is zero.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from waypost.spool.counters import LOST, Count, read_counters, read_newest
from waypost.spool.ledger import read_ledger
from waypost.spool.reader import count_records
from waypost.spool.segments import OPEN_SUFFIX, SEALED_SUFFIX


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


def worker_directories(spool: Path) -> list[Path]:
    """The directories of all workers, by name; none where there is no spool yet."""
    return sorted(path for path in spool.glob("*") if path.is_dir())


def account(directory: Path, records_of: Callable[[Path], int] = count_records) -> Account:
    """The account of one worker's directory.

    Args:
        directory: of the worker.
        records_of: how many records a sealed segment has; a caller who asks often remembers it.

    Raises:
        OSError: the directory cannot be read.
    """
    counts = read_counters(directory)
    entries = read_ledger(directory)
    return Account(
        counts=counts,
        backlog=_backlog(directory, records_of),
        stored=entries.stored,
        quarantined=entries.quarantined + counts[Count.QUARANTINED_HITS],
    )


def _backlog(directory: Path, records_of: Callable[[Path], int]) -> Backlog:
    newest, kept = read_newest(directory)
    records = size = segments = 0
    oldest: float | None = None
    for path in _segments(directory):
        try:
            stat = path.stat()
            records += kept if path.suffix == OPEN_SUFFIX and path.stem.endswith(str(newest)) else records_of(path)
        except FileNotFoundError:
            continue  # stored, or sealed, meanwhile
        segments += 1
        size += stat.st_size
        oldest = stat.st_mtime if oldest is None else min(oldest, stat.st_mtime)
    return Backlog(segments, records, size, oldest)


def _segments(directory: Path) -> Iterable[Path]:
    yield from directory.glob(f"*{SEALED_SUFFIX}")
    yield from directory.glob(f"*{OPEN_SUFFIX}")
