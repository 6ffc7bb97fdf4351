"""The on-disk format: what is written today reads the same for ever, and damage costs what is damaged and no more."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from waypost.events.hit import Hit
from waypost.spool.errors import UnreadableSegmentError
from waypost.spool.framing import (
    MAGIC,
    Damage,
    DamageReason,
    SegmentHeader,
    decode_segment,
    encode_header,
    encode_record,
    encode_trailer,
    frame_seed,
    scan,
)

GOLDEN = Path(__file__).parents[2] / "vectors" / "segment-v1.bin"
SEGMENT_ID = "edge-0.019cb7d4-0d59-7000-8000-000000000001"
HEADER = SegmentHeader(segment_id=SEGMENT_ID, edge="edge-0", created_at=datetime(2026, 3, 4, tzinfo=UTC))
SEED = frame_seed(SEGMENT_ID)


@pytest.fixture
def parts(make_hit: Callable[[int], Hit]) -> list[bytes]:
    records = [encode_record(make_hit(number), number, SEED) for number in range(3)]
    return [encode_header(HEADER), *records, encode_trailer(3, SEED)]


def test_the_golden_segment_of_version_1_still_reads_and_is_still_what_is_written(parts: list[bytes]) -> None:
    golden = GOLDEN.read_bytes()
    assert b"".join(parts) == golden
    segment = decode_segment(golden, "another-name")
    assert segment.segment_id == SEGMENT_ID
    assert [(number, hit.destination) for number, hit in segment.records] == [
        (number, f"https://example.com/{number}") for number in range(3)
    ]
    assert (segment.damaged, segment.missing) == ([], 0)


def test_a_field_added_later_is_skipped(parts: list[bytes], make_hit: Callable[[int], Hit]) -> None:
    class LaterHit(Hit, frozen=True, kw_only=True, omit_defaults=True):
        verdict: str = ""

    later = LaterHit(**{name: getattr(make_hit(1), name) for name in Hit.__struct_fields__}, verdict="human")
    data = parts[0] + encode_record(later, 0, SEED) + encode_trailer(1, SEED)
    assert decode_segment(data, SEGMENT_ID).records == [(0, make_hit(1))]


def test_a_tail_torn_at_any_byte_leaves_the_records_before_it(parts: list[bytes]) -> None:
    data = b"".join(parts)
    ends = [len(b"".join(parts[: n + 1])) for n in range(4)]
    for length in range(len(parts[0]), len(data)):
        found = scan(data[:length], SEGMENT_ID)
        whole = sum(end <= length for end in ends) - 1
        assert len(found.frames) == whole
        assert found.end == ends[whole]
        assert found.trailer is None


def test_a_tail_zeroed_or_overwritten_from_any_byte_leaves_the_records_before_it(parts: list[bytes]) -> None:
    data = b"".join(parts)
    ends = [len(b"".join(parts[: n + 1])) for n in range(4)]
    foreign = b"".join(
        [
            encode_header(SegmentHeader(segment_id="edge-1.other", edge="edge-1", created_at=HEADER.created_at)),
            *[part.replace(b"example", b"foreign") for part in parts[1:]],
        ]
    )
    for length in range(len(parts[0]), len(data)):
        whole = sum(end <= length for end in ends) - 1
        for tail in (bytes(len(data) - length), foreign[length:]):
            found = scan(data[:length] + tail, SEGMENT_ID)
            assert (len(found.frames), found.end) == (whole, ends[whole])


def test_a_record_of_another_segment_does_not_pass(parts: list[bytes], make_hit: Callable[[int], Hit]) -> None:
    stale = encode_record(make_hit(3), 3, frame_seed("edge-0.older"))
    segment = decode_segment(b"".join([*parts[:-1], stale, encode_trailer(4, SEED)]), SEGMENT_ID)
    assert [number for number, _ in segment.records] == [0, 1, 2]
    assert (segment.damaged[0].reason, segment.missing) == (DamageReason.FRAME, 1)


def test_any_flipped_bit_is_noticed_and_costs_one_record_at_most(parts: list[bytes]) -> None:
    data = b"".join(parts)
    for position in range(len(data)):
        for bit in (0, 7):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            segment = decode_segment(bytes(flipped), SEGMENT_ID)
            assert segment.damaged
            assert len(segment.records) >= 2
            in_records = len(parts[0]) <= position < len(data) - len(parts[-1])
            assert len(segment.records) == (2 if in_records else 3)
            assert segment.missing == in_records


def test_a_flipped_length_does_not_hide_the_records_behind_it(parts: list[bytes]) -> None:
    data = bytearray(b"".join(parts))
    start = len(parts[0])
    data[start + 5] ^= 0xFF  # the second byte of the first record's length
    segment = decode_segment(bytes(data), SEGMENT_ID)
    assert [number for number, _ in segment.records] == [1, 2]
    assert segment.damaged == [Damage(DamageReason.FRAME, start, len(parts[1]))]


def test_a_sealed_segment_cut_between_two_records_is_noticed(parts: list[bytes]) -> None:
    segment = decode_segment(b"".join(parts[:3]), SEGMENT_ID)
    assert [damage.reason for damage in segment.damaged] == [DamageReason.TRUNCATED]


def test_a_payload_that_is_no_hit_is_reported_by_itself(parts: list[bytes]) -> None:
    record = encode_record({"answer": 42}, 3, SEED)  # type: ignore[arg-type]
    segment = decode_segment(b"".join([*parts[:-1], record, encode_trailer(4, SEED)]), SEGMENT_ID)
    assert len(segment.records) == 3
    assert [damage.reason for damage in segment.damaged] == [DamageReason.PAYLOAD]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "foreign"),
        (bytes(4096), "foreign"),
        (b"GIF89a" * 1000, "foreign"),
        (MAGIC, "foreign"),
        (MAGIC + b"\xff" * 40, "foreign"),
    ],
)
def test_what_is_no_segment_says_so(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableSegmentError) as raised:
        decode_segment(data, SEGMENT_ID)
    assert raised.value.reason == reason


def test_a_segment_of_a_later_version_waits_for_an_upgrade(parts: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waypost.spool.framing.VERSION", 2)
    later = encode_header(HEADER)
    monkeypatch.undo()
    with pytest.raises(UnreadableSegmentError) as raised:
        decode_segment(later + b"".join(parts[1:]), SEGMENT_ID)
    assert raised.value.reason == "version"


def test_text_from_a_reader_cannot_look_like_a_record(make_hit: Callable[[int], Hit]) -> None:
    """A user agent holding the bytes of a whole frame stays inside its own record, even when that record is damaged."""
    inner = encode_record(make_hit(9), 9, SEED)
    smuggled = inner.decode("utf-8", "ignore")

    outer = encode_record(msgspec.structs.replace(make_hit(0), headers={"user-agent": smuggled}), 0, SEED)
    damaged = bytearray(outer)
    damaged[12] ^= 1
    data = encode_header(HEADER) + bytes(damaged) + encode_trailer(1, SEED)
    assert decode_segment(data, SEGMENT_ID).records == []
