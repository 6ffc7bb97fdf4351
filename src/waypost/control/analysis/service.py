"""Periods to count over."""

from datetime import datetime, timedelta

from waypost.control.context import Control
from waypost.control.errors import InvalidFieldError
from waypost.control.oauth.service import Principal
from waypost.control.times import from_unix_ms
from waypost.store.rows import Summary

DEFAULT_PERIOD = timedelta(days=31)
LONGEST_PERIOD = timedelta(days=365)


def summarise(control: Control, principal: Principal, from_ms: int | None, to_ms: int | None) -> Summary:
    """The account's counts over a period.

    Raises:
        InvalidFieldError: the period is empty or too long.
        StoreError: the event store cannot be asked.
    """
    return control.store.summary(principal.account.number, *period(from_ms, to_ms, control.sources.now()))


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
