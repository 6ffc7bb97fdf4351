"""Counts of events."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from waypost.events.name import EventName


class Count(BaseModel):
    """How often something happened in the period, and in the one of the same length before it."""

    current: int
    previous: int
    delta: Annotated[int, Field(description="Current less previous.")]


class Period(BaseModel):
    """The time counted over: from the first instant, up to the second."""

    model_config = ConfigDict(populate_by_name=True)

    from_: Annotated[int, Field(alias="from", description="Unix milliseconds, included.")]
    to: Annotated[int, Field(description="Unix milliseconds, excluded.")]


class SummaryView(BaseModel):
    """Every event name with its counts."""

    group_by: dict[EventName, Count]
    period: Period
