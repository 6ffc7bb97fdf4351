"""Hits as an Arrow table, the form that costs least to insert.

What hits share is converted once, and each row has its number. Headers, clients, places and verdicts are told apart by
identity, for to compare them costs more: who hands in one object for what is the same saves, and nobody has to.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import pyarrow as pa  # type: ignore[import-untyped]
from msgspec import Struct

from waypost.store.columns import NO_SEND, degrees
from waypost.store.rows import HitRow

_USER_AGENT: Final = "user-agent"
_TEXT: Final = pa.string()
_TIME: Final = pa.timestamp("us", "UTC")
_UUID: Final = pa.binary(16)


class _Column(Struct, frozen=True):
    """A column, the type that it travels in, and where its value is found in a row or in what rows share."""

    name: str
    kind: pa.DataType
    value: Callable[[Any], object]


def _other_headers(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [item for item in headers.items() if item[0] != _USER_AGENT]


def _uuid_bytes(value: UUID) -> bytes:
    return value.int.to_bytes(16, "big")


_EACH: Final = (
    _Column("event_id", _UUID, lambda row: _uuid_bytes(row.hit.event_id)),
    _Column("event", _TEXT, attrgetter("hit.kind")),
    _Column("outcome", _TEXT, attrgetter("hit.outcome")),
    _Column("occurred_at", _TIME, attrgetter("hit.occurred_at")),
    _Column("account", pa.uint64(), attrgetter("hit.account")),
    _Column("profile", pa.uint64(), attrgetter("hit.profile")),
    _Column("send_id", _UUID, lambda row: _uuid_bytes(row.hit.send_id or NO_SEND)),
    _Column("link_index", pa.uint32(), attrgetter("hit.link_index")),
    _Column("destination", _TEXT, attrgetter("hit.destination")),
    _Column("link_domain", _TEXT, attrgetter("hit.link_domain")),
    _Column("edge", _TEXT, attrgetter("hit.edge")),
    _Column("segment", _TEXT, attrgetter("segment")),
    _Column("record", pa.uint32(), attrgetter("record")),
    _Column("client_address", _TEXT, attrgetter("hit.client_address")),
)

_SHARED: Final[tuple[tuple[Callable[[HitRow], object], tuple[_Column, ...]], ...]] = (
    (attrgetter("received_at"), (_Column("received_at", _TIME, lambda received_at: received_at),)),
    (
        attrgetter("hit.headers"),
        (
            _Column("user_agent", _TEXT, lambda headers: headers.get(_USER_AGENT, "")),
            _Column("headers", pa.map_(_TEXT, _TEXT), _other_headers),
        ),
    ),
    (
        attrgetter("client"),
        (
            _Column("browser", _TEXT, attrgetter("browser")),
            _Column("browser_version", _TEXT, attrgetter("browser_version")),
            _Column("os", _TEXT, attrgetter("os")),
            _Column("os_version", _TEXT, attrgetter("os_version")),
            _Column("device", _TEXT, attrgetter("device")),
            _Column("device_type", _TEXT, attrgetter("device_type")),
            _Column("image_proxy", _TEXT, lambda client: client.image_proxy or ""),
        ),
    ),
    (
        attrgetter("location"),
        (
            _Column("country", _TEXT, attrgetter("country")),
            _Column("region", _TEXT, attrgetter("region")),
            _Column("city", _TEXT, attrgetter("city")),
            _Column("latitude", pa.float32(), lambda location: degrees(location.latitude)),
            _Column("longitude", pa.float32(), lambda location: degrees(location.longitude)),
            _Column("time_zone", _TEXT, attrgetter("time_zone")),
            _Column("asn", pa.uint32(), attrgetter("asn")),
            _Column("as_organisation", _TEXT, attrgetter("as_organisation")),
        ),
    ),
    (attrgetter("unenriched"), (_Column("unenriched", pa.list_(_TEXT), list),)),
    (attrgetter("cleared"), (_Column("cleared", pa.list_(_TEXT), list),)),
    (
        attrgetter("verdict"),
        (
            _Column("verdict", _TEXT, attrgetter("verdict_class")),
            _Column("verdict_score", pa.int8(), attrgetter("score")),
            _Column("verdict_reasons", pa.list_(_TEXT), attrgetter("reasons")),
            _Column("verdict_final", pa.bool_(), attrgetter("final")),
            _Column("verdict_rules", pa.uint16(), attrgetter("rules_version")),
        ),
    ),
)


def hit_table(rows: Sequence[HitRow]) -> pa.Table:
    """The columns of `rows`, by their names in the table `events`.

    Raises:
        pyarrow.ArrowInvalid, OverflowError, UnicodeEncodeError: a value that its column cannot hold.
    """
    columns = {column.name: _array(column, rows) for column in _EACH}
    for shared, of_shared in _SHARED:
        each = list(map(shared, rows))
        ids = list(map(id, each))
        distinct = dict(zip(ids, each, strict=True))
        place = {key: number for number, key in enumerate(distinct)}
        places = pa.array([place[key] for key in ids], pa.int32())
        columns |= {column.name: _array(column, distinct.values()).take(places) for column in of_shared}
    return pa.table(columns)


def _array(column: _Column, values: Iterable[object]) -> pa.Array:
    array = pa.array(list(map(column.value, values)), column.kind)
    # A text that comes again is a number, also in the columns where the engine does without a dictionary.
    return array.dictionary_encode() if column.kind == _TEXT else array
