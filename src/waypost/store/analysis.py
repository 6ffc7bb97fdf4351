"""Counts of an account's events: what is asked, and what is found."""

from collections.abc import Sequence
from datetime import datetime, timedelta
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
_MICROSECOND: Final = timedelta(microseconds=1)


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
        """As the queries name them."""
        return {"from": self.from_, "to": self.to, "previous_from": self.from_ - (self.to - self.from_)}


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
        measures = {name: _nothing() for name in _READERS_DOING}
        for name, *counts in self._reader.query("summary", queries.by_event(filters.sql), **asked):
            measures[EventName(name)] = _measures(counts)
        states: dict[EventName, PeriodCount] = {}
        if filters.verdict is None:
            rows = self._reader.query("summary of states", queries.states(filters.sql), **asked)
            states = {EventName(name): PeriodCount(now, before) for name, now, before in rows}
        counts_by_name = {
            name: measures[name][Measure.TOTAL] if name in measures else states.get(name, PeriodCount(0, 0))
            for name in EventName
        }
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
        asked: dict[str, Any] = {"account": account, **period.parameters, **filters.parameters}
        [overall] = self._reader.query("engagement", queries.overall(filters.sql, unique=unique), **asked)
        asked["limit"] = limit
        if dimension in queries.IN_ORDER_OF_TIME:
            asked |= {"time_zone": time_zone, "length_us": (period.to - period.from_) // _MICROSECOND}
        rows = self._reader.query(
            f"engagement by {dimension}", queries.by_key(dimension, filters.sql, unique=unique), **asked
        )
        return Breakdown(_measures(overall), {key: _measures(counts) for key, *counts in rows})

    def knows_time_zone(self, name: str) -> bool:
        """Whether the engine has a time zone of this name."""
        [[count]] = self._reader.query("time zone", queries.TIME_ZONE, time_zone=name)
        return bool(count)

    def domains(self, account: int, period: Period, filters: Filters, limit: int) -> DomainCounts:
        """How often sends reached the state `filters.event`, by the recipients' domain."""
        asked: dict[str, Any] = {"account": account, **period.parameters, **filters.parameters}
        states = self._reader.query("deliveries", queries.states(filters.sql), **asked)
        rows = self._reader.query("deliveries by domain", queries.domains(filters.sql), limit=limit, **asked)
        return DomainCounts(
            PeriodCount(sum(row[1] for row in states), sum(row[2] for row in states)),
            {domain: PeriodCount(now, before) for domain, now, before in rows},
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


def _measures(counts: Sequence[int]) -> Measures:
    """Those that were asked for: the unique ones come last, or not at all."""
    return {
        measure: PeriodCount(now, before)
        for measure, now, before in zip(Measure, counts[::2], counts[1::2], strict=False)
    }


def _nothing() -> Measures:
    return dict.fromkeys(Measure, PeriodCount(0, 0))
