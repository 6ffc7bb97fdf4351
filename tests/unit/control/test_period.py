"""Which period a summary is asked for."""

from datetime import UTC, datetime, timedelta

import pytest

from waypost.control.analysis.service import period
from waypost.control.errors import InvalidFieldError

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
DAY_MS = 86_400_000
NOW_MS = round(NOW.timestamp() * 1000)


@pytest.mark.parametrize(
    ("from_ms", "to_ms", "from_", "to"),
    [
        (None, None, NOW - timedelta(days=31), NOW),
        (NOW_MS - DAY_MS, None, NOW - timedelta(days=1), NOW),
        (None, NOW_MS - DAY_MS, NOW - timedelta(days=32), NOW - timedelta(days=1)),
        (NOW_MS - 365 * DAY_MS, NOW_MS, NOW - timedelta(days=365), NOW),
        (NOW_MS - 1, NOW_MS, NOW - timedelta(milliseconds=1), NOW),
        (NOW_MS, NOW_MS + DAY_MS, NOW, NOW + timedelta(days=1)),
    ],
)
def test_what_is_not_given_is_the_last_31_days(from_ms, to_ms, from_, to):
    assert period(from_ms, to_ms, NOW) == (from_, to)


@pytest.mark.parametrize(
    ("from_ms", "to_ms", "said"),
    [
        (NOW_MS, NOW_MS, "before to"),
        (NOW_MS + 1, NOW_MS, "before to"),
        (NOW_MS + 1, None, "before to"),
        (NOW_MS - 365 * DAY_MS - 1, NOW_MS, "365 days"),
    ],
)
def test_an_empty_or_too_long_period_is_refused(from_ms, to_ms, said):
    with pytest.raises(InvalidFieldError, match=said):
        period(from_ms, to_ms, NOW)
