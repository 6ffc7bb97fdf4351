"""The pipeline's side: sealed segments are immutable, the writer makes them and only the reader takes them away.

A reader stores `records`, then has its `Ledger` settle the segment. An `UnreadableSegmentError` of reason "foreign" is
to be set aside; one of reason "version" waits for an upgrade. Replayed segments are read in the same way, a few at a
time behind the sealed ones: the clicks of this minute do not wait for those of a day.
"""

import logging
from pathlib import Path

from waypost.spool.files import directories_in, files_in
from waypost.spool.framing import FRAME_BYTES, Segment, decode_segment, records_in, trailer_records
from waypost.spool.names import DONE_SUFFIX, QUARANTINE_SUFFIX, REPLAY_SUFFIX, SEALED_SUFFIX, segment_id

log = logging.getLogger(__name__)

_DAY_SECONDS = 86_400


def sealed_segments(directory: Path) -> list[Path]:
    """Sealed segments, oldest first.

    Args:
        directory: of one edge, or the one that holds the directories of all edges. May not exist yet.

    Raises:
        OSError: one cannot be listed.
    """
    return oldest_first(directory, SEALED_SUFFIX)


def replayed_segments(directory: Path) -> list[Path]:
    """Segments that were handed back, oldest first. Argument and errors as for `sealed_segments`."""
    return oldest_first(directory, REPLAY_SUFFIX)


def oldest_first(directory: Path, suffix: str) -> list[Path]:
    """Segments whose names end so, oldest first. Argument and errors as for `sealed_segments`."""
    found = [path for each in (directory, *directories_in(directory)) for path in files_in(each, suffix)]
    return sorted(found, key=lambda path: segment_id(path).rpartition(".")[2])


def read_segment(path: Path) -> Segment:
    """Everything that can be read of a sealed segment, and what could not.

    Raises:
        UnreadableSegmentError: nothing can be.
        OSError: the file cannot be read.
    """
    return decode_segment(path.read_bytes(), segment_id(path))


def count_records(path: Path) -> int:
    """How many records a segment has, by its last bytes where they are good.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - FRAME_BYTES))
        if (records := trailer_records(file.read(), segment_id(path))) is not None:
            return records
        file.seek(0)
        return records_in(file.read(), segment_id(path))


def purge_done(directory: Path, now: float, keep_seconds: float) -> int:
    """Delete segments that were stored longer than `keep_seconds` ago. Returns how many.

    Args:
        directory: of one edge, or the one that holds the directories of all edges.
        now: seconds since 1970, as file times are.
        keep_seconds: since they were stored.

    Raises:
        OSError: one cannot be deleted, or a directory cannot be listed.
    """
    purged = 0
    for path in oldest_first(directory, DONE_SUFFIX):
        try:
            # The time of its last change of name; a clock that was set back must not keep it for ever.
            if abs(now - path.stat().st_ctime) > keep_seconds:
                path.unlink()
                purged += 1
        except FileNotFoundError:
            continue  # it was handed back meanwhile, to be read again
    return purged


def purge_quarantined(directory: Path, now: float, keep_days: int) -> int:
    """Delete segments that were set aside longer than `keep_days` ago. Returns how many.

    They stay counted as quarantined. A clock that was set back deletes none: after an upgrade they may be good.

    Args:
        directory: of one edge, or the one that holds the directories of all edges.
        now: seconds since 1970, as file times are.
        keep_days: since they were set aside; 0: for ever.

    Raises:
        OSError: one cannot be deleted, or a directory cannot be listed.
    """
    purged = 0
    for path in oldest_first(directory, QUARANTINE_SUFFIX) if keep_days else ():
        try:
            if now - path.stat().st_ctime > keep_days * _DAY_SECONDS:
                path.unlink()
                purged += 1
        except FileNotFoundError:
            continue  # it was handed back meanwhile, to be read again
    if purged:
        log.warning("%d quarantined segments are deleted: spool.quarantine_days have passed", purged)
    return purged
