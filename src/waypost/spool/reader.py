"""The pipeline's side: sealed segments are immutable, the writer makes them and only the reader takes them away.

A reader stores `records`, then has its `Ledger` settle the segment. An `UnreadableSegmentError` of reason "foreign" is
to be set aside; one of reason "version" waits for an upgrade.
"""

from pathlib import Path

from waypost.spool.framing import FRAME_BYTES, Segment, decode_segment, records_in, trailer_records
from waypost.spool.segments import DONE_SUFFIX, SEALED_SUFFIX


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


def count_records(path: Path) -> int:
    """How many records a segment has, by its last bytes where they are good.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - FRAME_BYTES))
        if (records := trailer_records(file.read(), path.stem)) is not None:
            return records
        file.seek(0)
        return records_in(file.read(), path.stem)


def purge_done(directory: Path, now: float, keep_seconds: float) -> int:
    """Delete segments that were stored longer than `keep_seconds` ago. Returns how many.

    Args:
        directory: of one edge, or the one that holds the directories of all edges.
        now: seconds since 1970, as file times are.
        keep_seconds: since they were stored.

    Raises:
        OSError: one cannot be deleted.
    """
    purged = 0
    for path in [*directory.glob(f"*{DONE_SUFFIX}"), *directory.glob(f"*/*{DONE_SUFFIX}")]:
        # The time of its last change of name; a clock that was set back must not keep it for ever.
        if abs(now - path.stat().st_ctime) > keep_seconds:
            path.unlink(missing_ok=True)
            purged += 1
    return purged
