"""What is wrong with a segment file, if anything. Reads only, and says nothing of what the records hold."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from waypost.spool.counters import read_newest
from waypost.spool.errors import UnreadableSegmentError
from waypost.spool.framing import Damage, DamageReason, decode_segment
from waypost.spool.names import OPEN_SUFFIX, segment_id, segment_uuid


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found.

    Attributes:
        records: those that can be read.
        damaged: stretches of bytes that cannot.
        missing: numbers of records that it had and that cannot be read, as far as they are known; ascending.
        unfinished: bytes at the end of an open segment that are no record: its writer is at it, or was killed.
        unreadable: why nothing can be read of it, as `UnreadableSegmentError.reason`; else empty.
    """

    records: int = 0
    damaged: tuple[Damage, ...] = ()
    missing: tuple[range, ...] = ()
    unfinished: int = 0
    unreadable: str = ""

    @property
    def is_whole(self) -> bool:
        """Nothing is wrong with it."""
        return not (self.damaged or self.missing or self.unreadable)


def inspect_segment(path: Path) -> Inspection:
    """Read a segment file of any state.

    Raises:
        OSError: the file cannot be read.
    """
    is_open = path.suffix == OPEN_SUFFIX
    # Before the file: what counts as kept by then is in it.
    kept = _kept_in(path) if is_open else 0
    data = path.read_bytes()
    try:
        segment = decode_segment(data, segment_id(path))
    except UnreadableSegmentError as error:
        if is_open and not kept and not data.strip(b"\0"):
            return Inspection(unfinished=len(data))  # begun, and nothing written yet
        return Inspection(unreadable=error.reason)
    damaged, unfinished = segment.damaged, 0
    if is_open:
        damaged = [each for each in damaged if each.reason is not DamageReason.TRUNCATED]
        if segment.known >= kept and damaged and _is_end(damaged[-1], len(data)):
            unfinished = damaged.pop().length
    return Inspection(
        records=len(segment.records),
        damaged=tuple(damaged),
        missing=tuple(_missing((number for number, _ in segment.records), max(segment.known, kept))),
        unfinished=unfinished,
    )


def _kept_in(path: Path) -> int:
    """How many records of an open segment were promised to readers, as far as its writer counts them."""
    newest, kept = read_newest(path.parent)
    return kept if segment_uuid(path) == newest else 0


def _is_end(damage: Damage, size: int) -> bool:
    return damage.reason is DamageReason.FRAME and damage.offset + damage.length == size


def _missing(present: Iterable[int], known: int) -> Iterator[range]:
    """The gaps between numbers, up to how many there are."""
    begin = 0
    for number in sorted({*present, known}):
        if number > begin:
            yield range(begin, number)
        begin = number + 1
