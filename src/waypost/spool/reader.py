"""The pipeline's side: sealed segments are immutable, the writer makes them and only the reader deletes them.

A reader inserts `records`, then calls `delete_segment` when `damaged` is empty and `quarantine_segment` when it is not;
an `UnreadableSegmentError` of reason "foreign" is for `quarantine_segment` too, one of reason "version" waits for an
upgrade.
"""

from pathlib import Path

from waypost.spool.framing import Segment, decode_segment
from waypost.spool.segments import QUARANTINE_SUFFIX, SEALED_SUFFIX


def sealed_segments(directory: Path) -> list[Path]:
    """Sealed segments, oldest first.

    Args:
        directory: of one edge, or the one that holds the directories of all edges. May not exist yet.
    """
    found = [*directory.glob(f"*{SEALED_SUFFIX}"), *directory.glob(f"*/*{SEALED_SUFFIX}")]
    return sorted(found, key=lambda path: path.stem.rpartition(".")[2])


def read_segment(path: Path) -> Segment:
    """Everything that can be read of a sealed segment, and what could not.

    Raises:
        UnreadableSegmentError: nothing can be.
        OSError: the file cannot be read.
    """
    return decode_segment(path.read_bytes(), path.stem)


def delete_segment(path: Path) -> None:
    """Remove a segment whose records are all stored. Removing it twice is no error."""
    path.unlink(missing_ok=True)


def quarantine_segment(path: Path) -> Path:
    """Set a damaged segment aside, whole, under a name that is not read again. Returns that name."""
    return path.rename(path.with_suffix(QUARANTINE_SUFFIX))
