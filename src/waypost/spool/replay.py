"""Handing settled segments back to whoever reads the spool, to be stored again as far as the event store lacks them.

One rename for each, so there is nothing that a kill could halve, and it needs no room on a full disk. The reader has
nothing to agree to: it finds one more segment to read, and its ledger knows by the name what that is counted as.
"""

from enum import StrEnum
from pathlib import Path

from waypost.spool.files import Files
from waypost.spool.names import DONE_SUFFIX, QUARANTINE_SUFFIX, REPLAY_SUFFIX, Entry, entry_of, renamed
from waypost.spool.reader import count_records, oldest_first


class Settled(StrEnum):
    """What became of a segment that is still there."""

    STORED = "stored"
    """All of it was stored; it is kept for `spool.keep_seconds`."""
    QUARANTINED = "quarantined"
    """Set aside: not all of it could be read or stored."""


_SUFFIXES = {Settled.STORED: DONE_SUFFIX, Settled.QUARANTINED: QUARANTINE_SUFFIX}


def settled_segments(directory: Path, settled: Settled) -> list[Path]:
    """Segments that can be handed back, oldest first.

    Args:
        directory: of one worker, or the one that holds the directories of all workers.
        settled: which.
    """
    return oldest_first(directory, _SUFFIXES[settled])


def settled_as(path: Path) -> Settled | None:
    """What became of a segment, by its name; None when it is still to be read."""
    return next((settled for settled, suffix in _SUFFIXES.items() if path.suffix == suffix), None)


def hand_back(path: Path, files: Files | None = None) -> Path:
    """Hand a settled segment back, and return its new name. It lasts once the directory is synced.

    Raises:
        FileNotFoundError: it was kept long enough, and is gone.
        OSError: it cannot be read or renamed, and is as it was.
    """
    entry = Entry(stored=count_records(path)) if path.suffix == DONE_SUFFIX else entry_of(path)
    handed_back = renamed(path, REPLAY_SUFFIX, entry)
    (files or Files()).rename(path, handed_back)
    return handed_back
