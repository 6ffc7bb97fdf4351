"""Counts of an account's events: what is asked, and what is found."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from waypost.events.name import EventName
from waypost.events.verdict import VerdictClass
from waypost.store import queries_analysis as queries
from waypost.store.reading import Glance, Reader
from waypost.store.rows import Clicks, Measure, Measures, PeriodCount, Summary

_READERS_DOING: Final = (EventName.OPEN, EventName.CLICK)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_MOST_EVENTS_WITHIN: Final = timedelta(days=7)
"""Of the send being accepted. Sends that are older than this when a period begins are looked up one by one."""


class Dimension(StrEnum):
    """What clicks and opens are told apart by."""

    COUNTRY = "country"
    REGION = "region"
    CITY = "city"
    DEVICE = "device"
    BROWSER = "browser"
    OS = "os"
    LINK = "link"
    TAG = "tag"
    HOUR = "hour"
    DAY = "day"


class Filters(Struct, frozen=True, kw_only=True):
    """Which events; None leaves none out."""

    profile: int | None = None
    tag: str | None = None
    verdict: VerdictClass | None = None
    """Of clicks and opens: the states of a send have none, and are left out by it."""
    event: EventName | None = None

    @property
    def sql(self) -> str:
        """The condition, with `parameters`."""
        conditions = [sql for name, sql in queries.FILTERS.items() if getattr(self, name) is not None]
        if self.verdict is not None:
            conditions.append(queries.VERDICTS[self.verdict])
        return " AND ".join(conditions) or "1"

    @property
    def parameters(self) -> dict[str, object]:
        """Of `sql`."""
        return {name: value for name in queries.FILTERS if (value := getattr(self, name)) is not None}


class Period(Struct, frozen=True):
    """From the first instant up to the second; the previous one is as long and ends at `from_`."""

    from_: datetime
    to: datetime

    @property
    def parameters(self) -> dict[str, object]:
        """As the queries name them; `sends_from` and `sends_to` are ids of sends."""
        previous_from = self.from_ - (self.to - self.from_)
        return {
            "from": self.from_,
            "to": self.to,
            "previous_from": previous_from,
            "sends_from": _first_send(previous_from - _MOST_EVENTS_WITHIN),
            "sends_to": _first_send(self.to),
        }


class Breakdown(Struct, frozen=True):
    """Counts by key: those with the highest total, or by time the earliest."""

    overall: Measures
    """Over all keys."""
    by_key: dict[str, Measures]


class DomainCounts(Struct, frozen=True):
    """How often sends reached a state, by the recipients' domain, the most frequent ones first."""

    overall: PeriodCount
    by_domain: dict[str, PeriodCount]


class Analysis:
    """For the API."""

    def __init__(self, reader: Reader, glance: Glance) -> None:
        """Do nothing yet."""
        self._reader = reader
        self._glance = glance

    def summary(self, account: int, period: Period, filters: Filters) -> Summary:
        """Counts by event name: every name is present, zero or not."""
        asked: dict[str, Any] = {"account": account, **period.parameters, **filters.parameters}
        rows = self._reader.query("summary", queries.by_event(filters.sql, states=filters.verdict is None), **asked)
        found = {EventName(name): _measures(counts) for name, *counts in rows}
        nothing = _nothing(unique=True)
        counts_by_name = {name: found.get(name, nothing)[Measure.TOTAL] for name in EventName}
        measures = {name: found.get(name, nothing) for name in _READERS_DOING}
        return Summary(period.from_, period.to, counts_by_name, measures)

    def engagement(
        self,
        account: int,
        period: Period,
        filters: Filters,
        dimension: Dimension,
        *,
        time_zone: str,
        limit: int,
        unique: bool,
    ) -> Breakdown:
        """Clicks and opens by key: hours and days are those of `time_zone`, each by when it begins.

        What is unique is counted only if asked for: it costs three times what all else does.
        """
        asked: dict[str, Any] = {"account": account, **period.parameters, **filters.parameters, "limit": limit}
        if dimension in queries.IN_ORDER_OF_TIME:
            asked |= {"time_zone": time_zone, "length_us": (period.to - period.from_) // _MICROSECOND}
        overall, by_key = self._by_key(
            f"engagement by {dimension}", queries.by_key(dimension, filters.sql, unique=unique), **asked
        )
        return Breakdown(
            _measures(overall) if overall else _nothing(unique=unique),
            {key: _measures(counts) for key, counts in by_key.items()},
        )

    def knows_time_zone(self, name: str) -> bool:
        """Whether the engine has a time zone of this name."""
        [[count]] = self._reader.query("time zone", queries.TIME_ZONE, time_zone=name)
        return bool(count)

    def domains(self, account: int, period: Period, filters: Filters, limit: int) -> DomainCounts:
        """How often sends reached the state `filters.event`, by the recipients' domain."""
        asked: dict[str, Any] = {"account": account, **period.parameters, **filters.parameters, "limit": limit}
        overall, by_domain = self._by_key("deliveries by domain", queries.domains(filters.sql), **asked)
        return DomainCounts(
            PeriodCount(*overall or (0, 0)), {domain: PeriodCount(*counts) for domain, counts in by_domain.items()}
        )

    def clicks(self, account: int, send_ids: Sequence[UUID]) -> dict[UUID, Clicks]:
        """Clicks of sends; those without any are absent.

        Raises:
            StoreFailed: also when it takes longer than a moment.
        """
        if not send_ids:
            return {}
        rows = self._glance.query(
            "clicks of sends", queries.CLICKS, account=account, sends=sorted(send_id.int for send_id in send_ids)
        )
        return {
            send_id: Clicks(total, human, machine, first_at, first_human_at if human else None)
            for send_id, total, human, machine, first_at, first_human_at in rows
        }

    def _by_key(self, operation: str, sql: str, **asked: object) -> tuple[list[int], dict[str, list[int]]]:
        """Counts over all keys, none when there are no events, and by key."""
        found = self._reader.query(operation, sql, **asked)
        overall = [count for is_overall, _, *counts in found if is_overall for count in counts]
        return overall, {key: counts for is_overall, key, *counts in found if not is_overall}


def _first_send(at: datetime) -> int:
    """The least id that a send accepted then can have: a UUID of version 7 begins with milliseconds (RFC 9562, 5.7)."""
    return max(0, (at - _EPOCH) // _MILLISECOND) << 80


def _measures(counts: Sequence[int]) -> Measures:
    """Those that were asked for: the unique ones come last, or not at all."""
    return {
        measure: PeriodCount(now, before)
        for measure, now, before in zip(Measure, counts[::2], counts[1::2], strict=False)
    }


def _nothing(*, unique: bool) -> Measures:
    return dict.fromkeys(map(Measure, queries.measured(unique=unique)), PeriodCount(0, 0))
