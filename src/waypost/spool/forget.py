"""Taking what tells of erased readers out of segments that are set aside.

In place and without changing a length: whoever renames the file meanwhile (`waypost spool replay`) takes along what is
done, and each record keeps its number, so that it is stored once and counted as before, whatever is read again.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec

from waypost.events.hit import without_query
from waypost.spool.framing import FRAME_BYTES, encode_frame, frame_seed, scan
from waypost.spool.names import segment_id

Erased = Callable[[UUID | None], bool]
"""Whether the send of this id, or the one that this pseudonym stands for, was erased."""

_decode_fields: Final = msgspec.msgpack.Decoder(dict[str, Any]).decode
_encode_fields: Final = msgspec.msgpack.Encoder().encode
# Of a hit, what counts need. What a later release has added may tell who she is, and goes as well.
_KEPT: Final = (
    "event_id", "occurred_at", "edge", "kind", "outcome", "method", "privacy", "account", "profile", "link_index",
    "destination", "link_domain",
)  # fmt: skip
_BLANK: Final = "blank"
"""A field that no reader knows, and skips: zeros for what was taken out."""
_BIN_16: Final = b"\xc5"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was done to a segment.

    Attributes:
        records: of erased sends, made anonymous.
        unreadable_bytes: overwritten with zeros, for nobody can say whose they were.
    """

    records: int = 0
    unreadable_bytes: int = 0


def forget(path: Path, erased: Erased) -> Forgotten:
    """Make the records of erased sends in a settled segment anonymous, and blank what can be read as no record.

    Doing it twice changes nothing. A kill in between leaves records as they were, or damages one that is then blanked
    the next time. A record that a later release can read, and this one cannot, is known by its send id all the same.

    Raises:
        UnreadableSegmentError: it is of a later version.
        OSError: it cannot be read or written.
    """
    data = path.read_bytes()
    found = scan(data, segment_id(path))
    seed = frame_seed(found.header.segment_id if found.header else segment_id(path))
    blanks = [(each.offset, bytes(each.length)) for each in found.damaged]
    frames: list[tuple[int, bytes]] = []
    for number, offset, length in found.frames:
        payload = data[offset : offset + length]
        try:
            forgotten = _forgotten(payload, erased)
        except (msgspec.MsgspecError, ValueError, OverflowError):
            blanks.append((offset - FRAME_BYTES, encode_frame(bytes(length), number, seed)))
        else:
            if forgotten is not None:
                frames.append((offset - FRAME_BYTES, encode_frame(forgotten, number, seed)))
    blanks = [(at, blank) for at, blank in blanks if data[at : at + len(blank)] != blank]
    if frames or blanks:
        with path.open("r+b") as file:
            for at, written in (*frames, *blanks):
                file.seek(at)
                file.write(written)
            file.flush()
            os.fsync(file.fileno())
    return Forgotten(len(frames), sum(len(blank) for _, blank in blanks))


def _forgotten(payload: bytes, erased: Erased) -> bytes | None:
    """A payload as long as this one that tells of nobody; None when it is of no erased send.

    Raises:
        MsgspecError, ValueError: whose it is cannot be told. OverflowError: what is kept takes more room than it did.
    """
    fields = _decode_fields(payload)
    of_send = fields.get("send_id")
    if of_send is None or not erased(_uuid(of_send)):
        return None
    kept = {name: fields[name] for name in _KEPT if name in fields}
    if isinstance(kept.get("destination"), str):
        kept["destination"] = without_query(kept["destination"])
    missing = len(payload) - len(_encode_fields(kept | {_BLANK: _zeros(0)}))
    return _encode_fields(kept | {_BLANK: _zeros(missing)})


def _uuid(value: object) -> UUID:
    if not isinstance(value, bytes):
        raise ValueError(f"a send id of {type(value)}")  # noqa: TRY004 -- like one of 15 bytes, which UUID refuses
    return UUID(bytes=value)


def _zeros(length: int) -> msgspec.Raw:
    """Of any length up to 64 KB, behind a head that is as long for each: msgspec's own would jump from 2 bytes to 3."""
    return msgspec.Raw(_BIN_16 + length.to_bytes(2, "big") + bytes(length))
