"""Which events are counted, and counting them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from waypost.control.context import Control
from waypost.control.errors import InvalidFieldError
from waypost.control.oauth.service import Principal
from waypost.control.profiles.service import find_profile
from waypost.control.times import from_unix_ms
from waypost.events.name import EventName
from waypost.events.verdict import VerdictClass
from waypost.store.analysis import Breakdown, Dimension, DomainCounts, Filters, Period
from waypost.store.rows import Summary

DEFAULT_PERIOD = timedelta(days=31)
LONGEST_PERIOD = timedelta(days=365)
UTC_ZONE = "UTC"

ReaderEvent = Literal[EventName.OPEN, EventName.CLICK]


@dataclass(frozen=True, slots=True)
class Asked:
    """What every route of analysis may be asked for."""

    from_ms: int | None
    to_ms: int | None
    profile: UUID | None
    tag: str | None
    verdict: VerdictClass | None


def summarise(control: Control, principal: Principal, asked: Asked, event: EventName | None) -> Summary:
    """The account's counts over a period.

    Raises:
        InvalidFieldError: the period is empty or too long.
        NotFoundError: the account has no such profile.
        StoreError: the event store cannot be asked.
    """
    return control.store.analysis.summary(
        principal.account.number, chosen_period(control, asked), chosen(control, principal, asked, event)
    )


def engagement(
    control: Control,
    principal: Principal,
    asked: Asked,
    dimension: Dimension,
    event: ReaderEvent | None,
    *,
    time_zone: str,
    limit: int,
    unique: bool,
) -> tuple[Period, Breakdown]:
    """The account's clicks and opens by a key. Raises as `summarise`."""
    period = chosen_period(control, asked)
    if dimension is Dimension.LINK:
        if event is EventName.OPEN:
            raise InvalidFieldError("event", "must be click: an open follows no link")
        event = EventName.CLICK
    filters = chosen(control, principal, asked, event)
    analysis = control.store.analysis
    if time_zone != UTC_ZONE and not analysis.knows_time_zone(time_zone):
        raise InvalidFieldError("time_zone", "must be a name of the IANA database, such as Europe/Berlin")
    found = analysis.engagement(
        principal.account.number, period, filters, dimension, time_zone=time_zone, limit=limit, unique=unique
    )
    return period, found


def domains(
    control: Control, principal: Principal, asked: Asked, event: EventName, limit: int
) -> tuple[Period, DomainCounts]:
    """How often the account's sends reached a state, by domain. Raises as `summarise`."""
    period = chosen_period(control, asked)
    filters = chosen(control, principal, asked, event)
    return period, control.store.analysis.domains(principal.account.number, period, filters, limit)


def chosen(control: Control, principal: Principal, asked: Asked, event: EventName | None) -> Filters:
    """As the event store knows it.

    Raises:
        NotFoundError: the account has no such profile.
    """
    profile = None
    if asked.profile is not None:
        profile = find_profile(control.database, principal.account, asked.profile).number
    return Filters(profile=profile, tag=asked.tag, verdict=asked.verdict, event=event)


def chosen_period(control: Control, asked: Asked) -> Period:
    """The period asked for.

    Raises:
        InvalidFieldError: it is empty or too long.
    """
    return Period(*period(asked.from_ms, asked.to_ms, control.sources.now()))


def period(from_ms: int | None, to_ms: int | None, now: datetime) -> tuple[datetime, datetime]:
    """The period asked for: `to` is now unless given, `from` 31 days before it unless given.

    Raises:
        InvalidFieldError: the period is empty, or longer than 365 days.
    """
    to = now if to_ms is None else from_unix_ms(to_ms)
    from_ = to - DEFAULT_PERIOD if from_ms is None else from_unix_ms(from_ms)
    if from_ >= to:
        raise InvalidFieldError("from", "must be before to")
    if to - from_ > LONGEST_PERIOD:
        raise InvalidFieldError("from", f"must be at most {LONGEST_PERIOD.days} days before to")
    return from_, to
