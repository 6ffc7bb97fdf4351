"""What the payloads of a segment's frames are: msgpack, read once for what many have in common.

Headers are two thirds of a record, and a reader's browser sends the same ones again and again.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from waypost.events.hit import Hit, HitKind, Outcome
from waypost.links.token import Privacy

# A set of headers, as it was written and as it was read, takes about a kilobyte and a half: 24 MB when full.
_REMEMBERED: Final = 16_384
_NO_HEADERS: Final = Raw(b"\x80")

encode_payload = msgspec.msgpack.Encoder(uuid_format="bytes").encode


class SegmentHeader(Struct, frozen=True, kw_only=True):
    """First thing in every segment; the field names are wire format."""

    segment_id: str
    edge: str
    created_at: datetime


class _Written(Struct, frozen=True, kw_only=True, gc=False):
    """A `Hit` as it was written: field by field the same, its headers not yet read."""

    event_id: UUID
    occurred_at: datetime
    edge: str
    kind: HitKind
    outcome: Outcome
    method: str = "GET"
    send_id: UUID | None = None
    privacy: Privacy = Privacy.IDENTIFIED
    account: int
    profile: int
    link_index: int = 0
    destination: str = ""
    link_domain: str
    client_address: str = ""
    headers: Raw = _NO_HEADERS


decode_segment_header = msgspec.msgpack.Decoder(SegmentHeader).decode
_decode_written = msgspec.msgpack.Decoder(_Written).decode
_decode_headers = msgspec.msgpack.Decoder(dict[str, str]).decode
_headers: dict[bytes, dict[str, str]] = {}


def decode_hit(payload: bytes) -> Hit:
    """The hit of a record. Hits with the same headers have them in one object, which nobody may change.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: it is none.
    """
    written = _decode_written(payload)
    raw = bytes(written.headers)
    headers = _headers.get(raw)
    if headers is None:
        headers = _decode_headers(raw)
        if len(_headers) >= _REMEMBERED:
            _headers.clear()
        _headers[raw] = headers
    return Hit(
        event_id=written.event_id,
        occurred_at=written.occurred_at,
        edge=written.edge,
        kind=written.kind,
        outcome=written.outcome,
        method=written.method,
        send_id=written.send_id,
        privacy=written.privacy,
        account=written.account,
        profile=written.profile,
        link_index=written.link_index,
        destination=written.destination,
        link_domain=written.link_domain,
        client_address=written.client_address,
        headers=headers,
    )
