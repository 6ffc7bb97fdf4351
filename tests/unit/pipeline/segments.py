"""Sealed segments, as an edge writes them."""

from uuid import uuid4
from zlib import crc32

from tests.unit.store.rows import NOON

from waypost.events.ids import uuid7
from waypost.spool.framing import MAGIC, SegmentHeader, encode_header, encode_record, encode_trailer, frame_seed


def seal(directory, hits, segment_id=None):
    """Write `hits` as a sealed segment and return its path."""
    segment_id = segment_id or f"edge-0.{uuid7(int(NOON.timestamp() * 1000), uuid4().bytes)}"
    seed = frame_seed(segment_id)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{segment_id}.seg"
    path.write_bytes(
        encode_header(SegmentHeader(segment_id=segment_id, edge="edge-0", created_at=NOON))
        + b"".join(encode_record(hit, number, seed) for number, hit in enumerate(hits))
        + encode_trailer(len(hits), seed)
    )
    return path


def of_version(version, segment):
    """The bytes of a segment as if another version of its format had written them: their header is good."""
    start = len(MAGIC) + 9  # version u8, length u32, crc u32
    length = segment[len(MAGIC) + 1 : start - 4]
    payload = segment[start : start + int.from_bytes(length, "little")]
    checksum = crc32(payload, crc32(bytes([version])))
    return MAGIC + bytes([version]) + length + checksum.to_bytes(4, "little") + segment[start:]
