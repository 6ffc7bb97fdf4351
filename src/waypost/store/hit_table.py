"""Hits as an Arrow table, the form that costs least to insert.

What hits share is converted once, and each row has its number. Headers, clients, places and verdicts are told apart by
identity, for to compare them costs more: who hands in one object for what is the same saves, and nobody has to.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate, chain, repeat
from operator import attrgetter, is_
from typing import Any, Final
from uuid import UUID

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from msgspec import Struct

from waypost.store.columns import NO_SEND, degrees
from waypost.store.rows import HitRow

_USER_AGENT: Final = "user-agent"
_TEXT: Final = pa.string()
_WORD: Final = pa.dictionary(pa.int32(), _TEXT)
"""A text that comes again and again."""
_TIME: Final = pa.timestamp("us", "UTC")
_UUID: Final = pa.binary(16)
_TYPE_CODES: Final = {pa.int32(): "i", pa.uint32(): "I", pa.uint64(): "Q"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Column(Struct, frozen=True):
    """A column, the type that it travels in, and where its value is found in a row or in what rows share."""

    name: str
    kind: pa.DataType
    value: Callable[[Any], Any]


_OF_HIT: Final = (
    _Column("event", _WORD, attrgetter("kind")),
    _Column("outcome", _WORD, attrgetter("outcome")),
    _Column("account", pa.uint64(), attrgetter("account")),
    _Column("profile", pa.uint64(), attrgetter("profile")),
    _Column("link_index", pa.uint32(), attrgetter("link_index")),
    _Column("destination", _TEXT, attrgetter("destination")),
    _Column("link_domain", _WORD, attrgetter("link_domain")),
    _Column("edge", _WORD, attrgetter("edge")),
    _Column("client_address", _TEXT, attrgetter("client_address")),
)

_OF_ROW: Final = (
    _Column("segment", _WORD, attrgetter("segment")),
    _Column("record", pa.uint32(), attrgetter("record")),
)

_SHARED: Final[tuple[tuple[Callable[[HitRow], object], tuple[_Column, ...]], ...]] = (
    (
        attrgetter("client"),
        (
            _Column("browser", _WORD, attrgetter("browser")),
            _Column("browser_version", _WORD, attrgetter("browser_version")),
            _Column("os", _WORD, attrgetter("os")),
            _Column("os_version", _WORD, attrgetter("os_version")),
            _Column("device", _WORD, attrgetter("device")),
            _Column("device_type", _WORD, attrgetter("device_type")),
            _Column("image_proxy", _WORD, lambda client: client.image_proxy or ""),
        ),
    ),
    (
        attrgetter("location"),
        (
            _Column("country", _WORD, attrgetter("country")),
            _Column("region", _WORD, attrgetter("region")),
            _Column("city", _WORD, attrgetter("city")),
            _Column("latitude", pa.float32(), lambda location: degrees(location.latitude)),
            _Column("longitude", pa.float32(), lambda location: degrees(location.longitude)),
            _Column("time_zone", _WORD, attrgetter("time_zone")),
            _Column("asn", pa.uint32(), attrgetter("asn")),
            _Column("as_organisation", _WORD, attrgetter("as_organisation")),
        ),
    ),
    (attrgetter("received_at"), (_Column("received_at", _TIME, lambda at: at),)),
    (attrgetter("unenriched"), (_Column("unenriched", pa.list_(_TEXT), list),)),
    (attrgetter("cleared"), (_Column("cleared", pa.list_(_TEXT), list),)),
    (
        attrgetter("verdict"),
        (
            _Column("verdict", _WORD, attrgetter("verdict_class")),
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
    hits = [row.hit for row in rows]
    columns = {column.name: _array(column, hits) for column in _OF_HIT}
    columns |= {column.name: _array(column, rows) for column in _OF_ROW}
    columns["occurred_at"] = _times([hit.occurred_at for hit in hits])
    columns["event_id"] = _uuids([hit.event_id for hit in hits])
    columns["send_id"] = _uuids([hit.send_id or NO_SEND for hit in hits])
    headers, places = _distinct([hit.headers for hit in hits])
    agents = pa.array([each.get(_USER_AGENT, "") for each in headers], _TEXT)
    columns |= {"user_agent": agents.take(places), "headers": _other_headers(headers).take(places)}
    for shared, of_shared in _SHARED:
        distinct, places = _distinct(list(map(shared, rows)))
        columns |= {column.name: _array(column, distinct).take(places) for column in of_shared}
    return pa.table(columns)


def _distinct(each: Sequence[Any]) -> tuple[list[Any], pa.Array]:
    """The different objects, and for each row the place of its own among them."""
    # What all rows have: the time, and that nothing failed.
    if all(map(is_, each, repeat(each[0]))):
        return [each[0]], _all_first(len(each))
    places = _numbers(pa.uint64(), list(map(id, each))).dictionary_encode().indices
    # Numbered in the order in which they come first: one is new where the number is higher than any before.
    new = pc.indices_nonzero(pc.pairwise_diff(pc.cumulative_max(places))).to_pylist()
    return [each[0], *(each[place] for place in new)], places


def _times(values: Sequence[datetime]) -> pa.Array:
    # A third of the time that Arrow needs for datetimes, of which it asks each for its zone.
    return pa.array([value - _EPOCH for value in values], pa.duration("us")).view(_TIME)


def _uuids(values: Sequence[UUID]) -> pa.Array:
    written = b"".join([value.int.to_bytes(16, "big") for value in values])
    return pa.Array.from_buffers(_UUID, len(values), [None, pa.py_buffer(written)])


def _numbers(kind: pa.DataType, values: list[int]) -> pa.Array:
    # A third of the time that Arrow needs, which looks at each for what it is.
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(array(_TYPE_CODES[kind], values))])


def _words(values: list[str]) -> pa.Array:
    places = {value: place for place, value in enumerate(dict.fromkeys(values))}
    words = pa.array(places, _TEXT)
    if len(places) == 1:
        return pa.DictionaryArray.from_arrays(_all_first(len(values)), words)
    return pa.DictionaryArray.from_arrays(_numbers(pa.int32(), list(map(places.__getitem__, values))), words)


def _all_first(rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(0, pa.int32()), rows)


def _other_headers(headers: Sequence[Mapping[str, str]]) -> pa.Array:
    """As maps, without the user agent, which has a column."""
    names = pa.array(list(chain.from_iterable(headers)), _TEXT)
    values = pa.array(list(chain.from_iterable([each.values() for each in headers])), _TEXT)
    others = pc.not_equal(names, _USER_AGENT)
    ends = accumulate([len(each) - (_USER_AGENT in each) for each in headers], initial=0)
    return pa.MapArray.from_arrays(pa.array(ends, pa.int32()), names.filter(others), values.filter(others))


def _array(column: _Column, values: Iterable[Any]) -> pa.Array:
    found = list(map(column.value, values))
    if column.kind is _WORD:
        return _words(found)
    return _numbers(column.kind, found) if column.kind in _TYPE_CODES else pa.array(found, column.kind)
