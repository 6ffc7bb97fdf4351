"""A record is read field by field as what it was written from, and its headers once for all that have the same."""

from collections.abc import Callable
from datetime import UTC, datetime
from struct import Struct
from typing import get_type_hints
from zlib import crc32

import msgspec
import pytest
from msgspec.structs import replace

from waypost.events.hit import Hit
from waypost.spool import payload as payloads
from waypost.spool.framing import (
    DamageReason,
    SegmentHeader,
    decode_segment,
    encode_header,
    encode_record,
    encode_trailer,
    frame_seed,
)
from waypost.spool.payload import decode_hit, encode_payload


def test_what_is_read_has_the_fields_of_a_hit_and_their_defaults() -> None:
    """One that is added to `Hit` is added here."""
    written = get_type_hints(payloads._Written)
    assert written == get_type_hints(Hit) | {"headers": msgspec.Raw}
    known = {
        "event_id": b"\x01" * 16,
        "occurred_at": msgspec.msgpack.Ext(-1, b"\0" * 4),
        "edge": "e",
        "kind": "open",
        "outcome": "answered",
        "account": 1,
        "profile": 2,
        "link_domain": "links.example.com",
    }
    shortest = msgspec.msgpack.encode(known)
    assert decode_hit(shortest) == msgspec.msgpack.decode(shortest, type=Hit)


def test_hits_with_the_same_headers_have_them_in_one_object(make_hit: Callable[[int], Hit]) -> None:
    headers = {"user-agent": "curl/8.5.0", "accept": "*/*"}
    hits = [replace(make_hit(number), headers=dict(headers)) for number in range(2)]
    other = replace(make_hit(2), headers={"user-agent": "curl/8.5.0"})
    read = [decode_hit(encode_payload(hit)) for hit in [*hits, other]]
    assert read == [*hits, other]
    assert read[0].headers is read[1].headers


def test_headers_do_not_stay_in_memory_for_ever(make_hit: Callable[[int], Hit]) -> None:
    for number in range(payloads._REMEMBERED + 10):
        hit = replace(make_hit(1), headers={"user-agent": f"agent {number}"})
        assert decode_hit(encode_payload(hit)) == hit
    assert len(payloads._headers) <= payloads._REMEMBERED


@pytest.mark.parametrize("headers", [[], "x", {"user-agent": 1}, {1: "x"}, {"user-agent": None}])
def test_headers_that_are_none_are_no_hit(make_hit: Callable[[int], Hit], headers: object) -> None:
    good = msgspec.msgpack.decode(encode_payload(make_hit(1)))
    assert decode_hit(msgspec.msgpack.encode(good)) == make_hit(1)
    with pytest.raises(msgspec.DecodeError):
        decode_hit(msgspec.msgpack.encode(good | {"headers": headers}))


@pytest.mark.parametrize("field", ["destination", "headers"])
def test_text_that_is_no_utf_8_is_damage(make_hit: Callable[[int], Hit], field: str) -> None:
    """The checksum is right: another program wrote it. It must not stop the segments behind it."""
    text = {"destination": "https://a", "headers": {"user-agent": "https://a"}}[field]
    written = encode_payload(replace(make_hit(1), **{"destination": "", "headers": {}, field: text}))
    payload = written.replace(b"https://a", b"https://\xff")
    assert payload != written
    seed = frame_seed("edge-0.s")
    start = encode_record(make_hit(0), 0, seed)
    checked = Struct("<II").pack(len(payload), 1)
    frame = b"\xc1WR\x1e" + checked + Struct("<I").pack(crc32(payload, crc32(checked, seed))) + payload
    header = encode_header(
        SegmentHeader(segment_id="edge-0.s", edge="edge-0", created_at=datetime(2026, 3, 4, tzinfo=UTC))
    )
    segment = decode_segment(header + start + frame + encode_trailer(2, seed), "edge-0.s")
    assert segment.records == [(0, make_hit(0))]
    assert [each.reason for each in segment.damaged] == [DamageReason.PAYLOAD]
