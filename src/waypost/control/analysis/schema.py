"""Counts of events."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


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

    group_by: Annotated[
        dict[str, Count],
        Field(
            description="By event. `click` and `open` are totals. Extension: `click_human`, `click_machine`, "
            "`click_unknown`, which add up to `click`; `click_unique_send`, the number of sends with a click, and "
            "`click_unique_link`, that of links of sends, both also with `_human` and `_machine` behind; the same for "
            "`open`, but for links."
        ),
    ]
    period: Period


def _absent(count: Count | None) -> bool:
    return count is None


_IfAsked = Annotated[Count | None, Field(exclude_if=_absent)]


class Measures(BaseModel):
    """Clicks and opens, by who was behind them, and of how many sends and links. HEAD and prefetch are left out."""

    total: Annotated[Count, Field(description="Human, machine and unknown together.")]
    human: Count
    machine: Count
    unknown: Count
    unique_send: Annotated[
        Count | None,
        Field(
            description="Sends, hence recipients, with one or more; anonymous ones are not in it. Only with "
            "`unique=true`, like those below.",
            exclude_if=_absent,
        ),
    ] = None
    unique_send_human: _IfAsked = None
    unique_send_machine: _IfAsked = None
    unique_link: Annotated[
        Count | None,
        Field(description="Links of sends with a click: each recipient and link counts once.", exclude_if=_absent),
    ] = None
    unique_link_human: _IfAsked = None
    unique_link_machine: _IfAsked = None


class MeasuresOfKey(Measures):
    """The same for one key."""

    key: Annotated[str, Field(description="Empty where it is not known.")]


class EngagementView(BaseModel):
    """Clicks and opens by a key."""

    total: Annotated[int, Field(description="Clicks and opens of the period, those of all keys.")]
    group_by: Annotated[dict[str, int], Field(description="Key to clicks and opens of the period.")]
    period: Period
    totals: Annotated[Measures, Field(description="Extension. Over all keys, those left out by `limit` too.")]
    rows: Annotated[
        list[MeasuresOfKey],
        Field(
            description="Extension. The highest total first; hours and days in their order, those without any left out."
        ),
    ]


class CountOfKey(BaseModel):
    """How often, for one key."""

    key: Annotated[str, Field(description="Empty where it is not known.")]
    total: Count


class DomainsView(BaseModel):
    """How often sends reached a state, by the domain of the recipient."""

    total: Annotated[int, Field(description="In the period, of all domains.")]
    group_by: Annotated[dict[str, int], Field(description="Domain, in lower case, to how often in the period.")]
    period: Period
    totals: Annotated[Count, Field(description="Extension. Over all domains, those left out by `limit` too.")]
    rows: Annotated[list[CountOfKey], Field(description="Extension. The highest first.")]
