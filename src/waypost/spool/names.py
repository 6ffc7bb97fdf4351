"""Names of the files of a spool directory: which segment one is, how far it has come, and how its records are counted.

    edge-0.<UUIDv7>.open             being written
    edge-0.<UUIDv7>.seg              sealed
    edge-0.<UUIDv7>.done             stored, all of it
    edge-0.<UUIDv7>.5-2.bad          set aside: 5 of its records count as stored, 2 as quarantined
    edge-0.<UUIDv7>.5-2.replay       handed back to the reader; until that has settled it, it counts as before

A rename changes state and count in one step, on a full disk too, and no kill comes between.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

OPEN_SUFFIX = ".open"
SEALED_SUFFIX = ".seg"
DONE_SUFFIX = ".done"
"""Stored, and kept for a while."""
QUARANTINE_SUFFIX = ".bad"
REPLAY_SUFFIX = ".replay"
DROPPED_SUFFIX = ".drop"
"""For the moment between being deleted unread and being gone."""

_COUNTED = re.compile(r"(?P<segment_id>.+)\.(?P<stored>[0-9]+)-(?P<quarantined>[0-9]+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a segment is counted as, in records."""

    stored: int = 0
    quarantined: int = 0


def segment_id(path: Path) -> str:
    """Of the segment in a file."""
    counted = _COUNTED.fullmatch(path.stem)
    return counted["segment_id"] if counted else path.stem


def segment_uuid(path: Path) -> UUID:
    """The UUID of a segment; all zero for a file that is named otherwise."""
    try:
        return UUID(segment_id(path).rpartition(".")[2])
    except ValueError:
        return UUID(int=0)


def entry_of(path: Path) -> Entry:
    """What a segment is counted as by its name; as nothing, when that has no numbers."""
    counted = _COUNTED.fullmatch(path.stem)
    return Entry(int(counted["stored"]), int(counted["quarantined"])) if counted else Entry()


def renamed(path: Path, suffix: str, entry: Entry | None = None) -> Path:
    """The name of the same segment in another state; with an entry, one that says how it is counted."""
    numbers = f".{entry.stored}-{entry.quarantined}" if entry else ""
    return path.with_name(f"{segment_id(path)}{numbers}{suffix}")
