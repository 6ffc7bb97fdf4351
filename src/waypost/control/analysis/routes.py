"""`/api/v1/analysis`."""

from typing import Annotated

from fastapi import APIRouter, Query

from waypost.control.analysis.schema import Count, Period, SummaryView
from waypost.control.analysis.service import summarise
from waypost.control.context import ControlParts
from waypost.control.errors import Code
from waypost.control.oauth.bearer import Reader
from waypost.control.responses import refusals
from waypost.control.times import unix_ms

router = APIRouter(prefix="/api/v1/analysis", tags=["analysis"])

# 1971 to 2200: what the event store's time column can hold, with room for the period before.
_UnixMs = Annotated[int, Query(ge=31_536_000_000, le=7_258_118_400_000, description="Unix milliseconds.")]


@router.get(
    "/summary",
    responses=refusals(Code.FIELD_INVALID, Code.BEARER_INVALID, Code.ROLE_FORBIDS, Code.STORE_UNAVAILABLE),
)
def summary(
    control: ControlParts,
    principal: Reader,
    from_: Annotated[_UnixMs | None, Query(alias="from")] = None,
    to: _UnixMs | None = None,
) -> SummaryView:
    """Count the account's events by name: the last 31 days unless told otherwise, at most 365 days."""
    counted = summarise(control, principal, from_, to)
    return SummaryView(
        group_by={
            name: Count(current=count.current, previous=count.previous, delta=count.delta)
            for name, count in counted.counts.items()
        },
        period=Period(from_=unix_ms(counted.from_), to=unix_ms(counted.to)),
    )
