"""`/api/v1/analysis`."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from waypost.control.analysis.export import Form, export
from waypost.control.analysis.schema import (
    Count,
    CountOfKey,
    DomainsView,
    EngagementView,
    Measures,
    MeasuresOfKey,
    Period,
    SummaryView,
)
from waypost.control.analysis.service import UTC_ZONE, Asked, ReaderEvent, domains, engagement, summarise
from waypost.control.context import ControlParts
from waypost.control.errors import Code
from waypost.control.fields import MAX_TAG_CHARACTERS
from waypost.control.oauth.bearer import Reader
from waypost.control.paging import Cursor
from waypost.control.responses import NO_STORE, refusals
from waypost.control.times import unix_ms
from waypost.events.name import EventName
from waypost.events.verdict import VerdictClass
from waypost.store import analysis as store
from waypost.store.analysis import Dimension
from waypost.store.rows import Measure, PeriodCount
from waypost.store.rows import Measures as MeasureCounts

router = APIRouter(prefix="/api/v1/analysis", tags=["analysis"])

DEFAULT_KEYS = 1000
MAX_KEYS = 10_000
"""More than a year has hours."""
MAX_ZONE_CHARACTERS = 64

# 1971 to 2200: what the event store's time column can hold, with room for the period before.
_UnixMs = Annotated[int, Query(ge=31_536_000_000, le=7_258_118_400_000, description="Unix milliseconds.")]
_REFUSALS = refusals(
    Code.FIELD_INVALID, Code.BEARER_INVALID, Code.ROLE_FORBIDS, Code.NO_SUCH_OBJECT, Code.STORE_UNAVAILABLE
)
_LINES = {
    "text/csv": {"schema": {"type": "string"}},
    "application/jsonl": {"schema": {"type": "string", "description": "A StoredEventView on each line."}},
}
_EXPORT_HEADERS = {
    "Waypost-Rows": {"description": "How many events follow, one a line.", "schema": {"type": "integer"}},
    "Waypost-Cursor": {
        "description": "As `cursor` of the next export: what has been stored since. It repeats the last minute, so "
        "that nothing is missed; `event_id` tells.",
        "schema": {"type": "string"},
    },
}


def _asked(
    from_: Annotated[_UnixMs | None, Query(alias="from")] = None,
    to: _UnixMs | None = None,
    profile: Annotated[UUID | None, Query(description="Extension. `profile_id`: of this sending profile only.")] = None,
    tag: Annotated[
        str | None,
        Query(max_length=MAX_TAG_CHARACTERS, description="Extension. Of sends with this tag only, exactly as it is."),
    ] = None,
    verdict: Annotated[
        VerdictClass | None, Query(description="Extension. Clicks and opens by these only, and no states.")
    ] = None,
) -> Asked:
    return Asked(from_, to, profile, tag, verdict)


_Asked = Annotated[Asked, Depends(_asked)]
_AnyEvent = Annotated[EventName | None, Query(description="Extension. This one only.")]
_Limit = Annotated[int, Query(ge=1, le=MAX_KEYS, description="Extension. How many keys at most.")]


@router.get("/summary", responses=_REFUSALS)
def summary(control: ControlParts, principal: Reader, asked: _Asked, event: _AnyEvent = None) -> SummaryView:
    """Count the account's events by name: the last 31 days unless told otherwise, at most 365 days.

    HEAD requests and prefetches are not counted.
    """
    found = summarise(control, principal, asked, event)
    counts = {str(name): _count(count) for name, count in found.counts.items()}
    for name, measures in found.measures.items():
        counts |= {
            f"{name}_{measure}": _count(count)
            for measure, count in measures.items()
            if measure is not Measure.TOTAL and not (name is EventName.OPEN and measure in _OF_LINKS)
        }
    return SummaryView(group_by=counts, period=_period(store.Period(found.from_, found.to)))


_OF_LINKS = frozenset({Measure.UNIQUE_LINK, Measure.UNIQUE_LINK_HUMAN, Measure.UNIQUE_LINK_MACHINE})


@router.get("/engagement/{dimension}/summary", responses=_REFUSALS)
def engagement_summary(
    control: ControlParts,
    principal: Reader,
    asked: _Asked,
    dimension: Dimension,
    *,
    event: Annotated[ReaderEvent | None, Query(description="Extension. Clicks only, or opens only.")] = None,
    time_zone: Annotated[
        str,
        Query(max_length=MAX_ZONE_CHARACTERS, description="Extension. IANA name of whose hours and days they are."),
    ] = UTC_ZONE,
    limit: _Limit = DEFAULT_KEYS,
    unique: Annotated[bool, Query(description="Extension. Count what is unique, too: takes longer.")] = False,
) -> EngagementView:
    """Count clicks and opens by `country` or `device`; extension: by any of the other keys.

    Keys: a country is ISO 3166-1 alpha-2, a region `GB/England`, a city `GB/England/London`, a device its type, a link
    its URL, an hour when it begins, with its offset from UTC (`2026-03-29T03:00+02:00`), a day its date. A send with
    two tags counts for both, and once in the totals.
    """
    period, found = engagement(
        control, principal, asked, dimension, event, time_zone=time_zone, limit=limit, unique=unique
    )
    return EngagementView(
        total=found.overall[Measure.TOTAL].current,
        group_by={key: count for key, measures in found.by_key.items() if (count := measures[Measure.TOTAL].current)},
        period=_period(period),
        totals=Measures(**_measures(found.overall)),
        rows=[MeasuresOfKey(key=key, **_measures(measures)) for key, measures in found.by_key.items()],
    )


@router.get("/delivery/domain/summary", responses=_REFUSALS)
def domain_summary(
    control: ControlParts,
    principal: Reader,
    asked: _Asked,
    *,
    event: Annotated[
        Literal[
            EventName.ACCEPTED,
            EventName.QUEUED,
            EventName.PROCESSED,
            EventName.SENT,
            EventName.DELIVERED,
            EventName.BOUNCE,
            EventName.REJECTED,
        ],
        Query(description="Extension. The state they reached."),
    ] = EventName.DELIVERED,
    limit: _Limit = DEFAULT_KEYS,
) -> DomainsView:
    """Count delivered sends by the domain of their recipient."""
    period, found = domains(control, principal, asked, event, limit)
    return DomainsView(
        total=found.overall.current,
        group_by={domain: count.current for domain, count in found.by_domain.items() if count.current},
        period=_period(period),
        totals=_count(found.overall),
        rows=[CountOfKey(key=domain, total=_count(count)) for domain, count in found.by_domain.items()],
    )


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses=_REFUSALS | {200: {"content": _LINES, "headers": _EXPORT_HEADERS, "description": "The events."}},
)
def export_events(
    control: ControlParts,
    principal: Reader,
    asked: _Asked,
    *,
    event: _AnyEvent = None,
    format_: Annotated[Form, Query(alias="format")] = Form.JSON_LINES,
    cursor: Annotated[Cursor, Query(description="Only what was stored after the export that gave this.")] = None,
) -> StreamingResponse:
    """Export every event of a period, states, clicks and opens, HEAD and prefetch too, by send and time. Extension.

    What arrives meanwhile shifts nothing and comes with the next one. In CSV a text that a spreadsheet would take for a
    formula has `'` before it. An answer that ends early was cut off: compare the lines with `Waypost-Rows`.
    """
    exported = export(control, principal, asked, event, form=format_, cursor=cursor)
    return StreamingResponse(
        exported.lines,
        media_type=_MEDIA_TYPES[format_],
        headers={
            "Waypost-Rows": str(exported.rows),
            "Waypost-Cursor": exported.cursor,
            "Content-Disposition": f'attachment; filename="events.{format_}"',
            "Cache-Control": NO_STORE,
        },
    )


_MEDIA_TYPES = {Form.CSV: "text/csv; charset=utf-8", Form.JSON_LINES: "application/jsonl"}


def _period(period: store.Period) -> Period:
    return Period(from_=unix_ms(period.from_), to=unix_ms(period.to))


def _count(count: PeriodCount) -> Count:
    return Count(current=count.current, previous=count.previous, delta=count.delta)


def _measures(measures: MeasureCounts) -> dict[str, Count]:
    return {str(measure): _count(count) for measure, count in measures.items()}
