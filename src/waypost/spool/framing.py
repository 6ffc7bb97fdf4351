"""Bytes of a segment, in and out; no I/O. The format and its invariants are in README.md beside this file.

    segment = magic, version u8, length u32, crc u32, header payload; record*; trailer (sealed segments only)
    record  = RECORD_MARKER, length u32, number u32, crc u32, payload
    trailer = TRAILER_MARKER, 0 u32, record count u32, crc u32

Numbers are little-endian. A frame's checksum starts from the checksum of the segment id, so a frame of another segment
(a recycled disk block) does not pass; it covers length, number and payload. `zlib.crc32` rather than CRC-32C: both find
every flipped bit and every burst up to 32 bits, and only the first is in the standard library at C speed.

Do not reorder or change: segments of earlier releases must stay readable (tests/vectors/segment-v1.bin).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from struct import Struct
from zlib import crc32

import msgspec

from waypost.events.hit import Hit
from waypost.spool.errors import UnreadableSegmentError
from waypost.spool.payload import SegmentHeader, decode_hit, decode_segment_header, encode_payload

__all__ = [
    "FRAME_BYTES",
    "MAGIC",
    "Damage",
    "DamageReason",
    "Scan",
    "Segment",
    "SegmentHeader",
    "decode_segment",
    "encode_frame",
    "encode_header",
    "encode_record",
    "encode_records",
    "encode_trailer",
    "frame_seed",
    "records_in",
    "scan",
    "trailer_records",
]

MAGIC = b"\x89WPSPOOL\r\n\x1a\n"
"""As PNG's: a first byte that is no text, then line ends that a text-mode copy would change."""
VERSION = 1
RECORD_MARKER = b"\xc1WR\x1e"
"""Starts with 0xC1, which neither msgpack nor UTF-8 ever uses: no text a reader sends can look like a frame."""
TRAILER_MARKER = b"\xc1WT\x1e"
RECORD_BYTES_MAX = 65_536
"""Largest payload. The edge caps its fields at about 9 KB together; a longer length is damage, not a record."""

_PAYLOAD_BYTES_MAX = {RECORD_MARKER: RECORD_BYTES_MAX, TRAILER_MARKER: 0}

_FRAME = Struct("<4sIII")
_CHECKED = Struct("<II")
_HEADER = Struct("<BII")
FRAME_BYTES = _FRAME.size


class DamageReason(StrEnum):
    """What was found wrong."""

    HEADER = "header"
    """The header's checksum fails; the segment id was taken from the file's name."""
    FRAME = "frame"
    """Bytes between two good frames, or before the end, that are no good frame."""
    PAYLOAD = "payload"
    """The checksum is right and the payload is not a hit: written by something else than this program."""
    TRUNCATED = "truncated"
    """No trailer: the end of a sealed segment is missing."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of a segment that could not be read."""

    reason: DamageReason
    offset: int
    """In bytes from the start of the file."""
    length: int
    """In bytes; 0 where something is missing rather than wrong."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What a segment says.

    Attributes:
        records: (number, hit) in file order. Numbers are written in the frames, so they stay right whatever is damaged.
        damaged: stretches that hold no readable record.
        known: records it had, as far as can be told: by the trailer, or else by the last good record. The one number by
            which a segment is counted, wherever it is counted.
    """

    segment_id: str
    records: list[tuple[int, Hit]]
    damaged: list[Damage]
    known: int

    @property
    def missing(self) -> int:
        """Of those it had, how many are not among `records`."""
        return self.known - len(self.records)


@dataclass(frozen=True, slots=True)
class Scan:
    """Where the good frames of a segment are.

    Attributes:
        header: None when damaged.
        frames: (number, offset of the payload, its length) in file order.
        end: offset just after the last good record, 0 when there is no good header either.
        trailer: the record count of the trailer; None when there is none.
    """

    header: SegmentHeader | None
    frames: list[tuple[int, int, int]]
    damaged: list[Damage]
    end: int
    trailer: int | None

    @property
    def known(self) -> int:
        """As `Segment.known`."""
        if self.trailer is not None:
            return self.trailer
        return self.frames[-1][0] + 1 if self.frames else 0


def frame_seed(segment_id: str) -> int:
    """Start value of the checksums of one segment."""
    return crc32(segment_id.encode())


def encode_header(header: SegmentHeader) -> bytes:
    """The start of a segment file."""
    payload = encode_payload(header)
    checksum = crc32(payload, crc32(bytes([VERSION])))
    return MAGIC + _HEADER.pack(VERSION, len(payload), checksum) + payload


def encode_record(hit: Hit, number: int, seed: int) -> bytes:
    """One record; `number` counts from 0 in the segment, `seed` is `frame_seed` of its id."""
    return encode_frame(encode_payload(hit), number, seed)


def encode_frame(payload: bytes, number: int, seed: int) -> bytes:
    """A record of which the payload is written already; arguments as for `encode_record`."""
    checksum = crc32(payload, crc32(_CHECKED.pack(len(payload), number), seed))
    return _FRAME.pack(RECORD_MARKER, len(payload), number, checksum) + payload


def encode_records(hits: Sequence[Hit], number: int, seed: int) -> bytes:
    """Records one after the other, the first of them `number`; `seed` as for `encode_record`."""
    return b"".join([encode_record(hit, number + i, seed) for i, hit in enumerate(hits)])


def encode_trailer(records: int, seed: int) -> bytes:
    """The end of a sealed segment of `records` records."""
    return _FRAME.pack(TRAILER_MARKER, 0, records, crc32(_CHECKED.pack(0, records), seed))


def scan(data: bytes, name: str) -> Scan:
    """Find the good frames of a segment, skipping what is damaged.

    After a damaged frame the next good one is searched by its marker, so one flipped bit costs one record even in a
    length field.

    Args:
        data: the whole file.
        name: the segment id as the file's name gives it: used when the header is damaged.

    Raises:
        UnreadableSegmentError: `version`, when an intact header names a version this code does not know.
    """
    header, position = _read_header(data, name)
    seed = frame_seed(header.segment_id if header else name)
    end = position
    damaged: list[Damage] = []
    if header is None:
        position = _next_frame(data, 0, seed)
        damaged.append(Damage(DamageReason.HEADER, 0, position))
    frames: list[tuple[int, int, int]] = []
    trailer = None
    while position < len(data):
        frame = _frame_at(data, position, seed)
        if frame is None:
            found = _next_frame(data, position + 1, seed)
            damaged.append(Damage(DamageReason.FRAME, position, found - position))
            position = found
            continue
        marker, length, number = frame
        position += FRAME_BYTES
        if marker == TRAILER_MARKER:
            trailer = number
            continue
        frames.append((number, position, length))
        position = end = position + length
    return Scan(header, frames, damaged, end, trailer)


def trailer_records(data: bytes, name: str) -> int | None:
    """The count of the trailer that `data` ends with; None when it ends with none. Arguments as for `scan`."""
    at = max(0, len(data) - FRAME_BYTES)
    frame = _frame_at(data, at, frame_seed(name)) if data.startswith(TRAILER_MARKER, at) else None
    return frame[2] if frame else None


def records_in(data: bytes, name: str) -> int:
    """How many records a segment has, damaged ones included as far as can be told. Arguments as for `scan`."""
    if (records := trailer_records(data, name)) is not None:
        return records
    try:
        return scan(data, name).known
    except UnreadableSegmentError:
        return 0


def decode_segment(data: bytes, name: str) -> Segment:
    """Read a sealed segment; arguments as for `scan`.

    Hits with the same headers have them in one object (`payload.decode_hit`).

    Raises:
        UnreadableSegmentError: `foreign` when neither a header nor a record is good; `version` as `scan`.
    """
    found = scan(data, name)
    if found.header is None and not found.frames:
        raise UnreadableSegmentError(name, "foreign", found.known)
    damaged = list(found.damaged)
    records: list[tuple[int, Hit]] = []
    for number, offset, length in found.frames:
        try:
            records.append((number, decode_hit(data[offset : offset + length])))
        except (msgspec.DecodeError, UnicodeDecodeError):
            damaged.append(Damage(DamageReason.PAYLOAD, offset, length))
    if found.trailer is None:
        damaged.append(Damage(DamageReason.TRUNCATED, len(data), 0))
    return Segment(found.header.segment_id if found.header else name, records, damaged, found.known)


def _read_header(data: bytes, name: str) -> tuple[SegmentHeader | None, int]:
    """The header and the offset after it; (None, 0) when it is not good."""
    start = len(MAGIC) + _HEADER.size
    if not data.startswith(MAGIC) or len(data) < start:
        return None, 0
    version, length, checksum = _HEADER.unpack_from(data, len(MAGIC))
    payload = data[start : start + length]
    if len(payload) != length or crc32(payload, crc32(bytes([version]))) != checksum:
        return None, 0
    if version != VERSION:
        raise UnreadableSegmentError(name, "version")
    return decode_segment_header(payload), start + length


def _frame_at(data: bytes, position: int, seed: int) -> tuple[bytes, int, int] | None:
    """(marker, payload length, number) of a good frame at `position`."""
    start = position + FRAME_BYTES
    if start > len(data):
        return None
    marker, length, number, checksum = _FRAME.unpack_from(data, position)
    if length > _PAYLOAD_BYTES_MAX.get(marker, -1):
        return None
    end = start + length
    # Length and number lie as they are checked, between marker and checksum.
    checked = data[position + len(marker) : position + len(marker) + _CHECKED.size]
    if end > len(data) or crc32(data[start:end], crc32(checked, seed)) != checksum:
        return None
    return marker, length, number


def _next_frame(data: bytes, position: int, seed: int) -> int:
    """Offset of the next good frame from `position` on; the end of the data when there is none."""
    while (position := data.find(RECORD_MARKER[:2], position)) != -1:
        if _frame_at(data, position, seed):
            return position
        position += 1
    return len(data)
