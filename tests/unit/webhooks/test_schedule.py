"""The retry schedule, as it is published and as it runs."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from waypost.webhooks.schedule import (
    ATTEMPTS_MAX,
    JITTER,
    RETRY_AFTER_MAX_SECONDS,
    RETRY_SECONDS,
    is_given_up,
    retry_at,
)

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
DOCUMENT = Path(__file__).parents[3] / "docs" / "webhooks.md"
UNITS = {"seconds": 1, "minutes": 60, "hours": 3600}


def seconds(attempts, retry_after="", chance=0.0):
    at = retry_at(NOW, attempts=attempts, retry_after=retry_after, chance=chance)
    return None if at is None else (at - NOW).total_seconds()


def test_the_schedule_is_the_published_one():
    """The table of docs/webhooks.md: after which attempt, and how long."""
    rows = re.findall(r"^\| (\d+) \| (\d+) (seconds|minutes|hours) later \|", DOCUMENT.read_text(), re.MULTILINE)
    assert [(int(number) - 1, int(amount) * UNITS[unit]) for number, amount, unit in rows] == [
        (attempts, seconds(attempts)) for attempts in range(1, ATTEMPTS_MAX)
    ]


def test_it_is_what_standard_webhooks_recommends():
    hour = 3600
    hours = (2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour)
    assert (5, 300, 1800, *hours) == RETRY_SECONDS


def test_after_the_last_attempt_there_is_none():
    assert seconds(ATTEMPTS_MAX) is None


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_jitter_only_delays_and_by_a_tenth_at_most(chance):
    assert seconds(2, chance=chance) == pytest.approx(300 * (1 + JITTER * chance))


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [
        ("", 5),
        ("0", 5),
        ("3", 5),
        ("120", 120),
        (" 120 ", 120),
        ("86401", RETRY_AFTER_MAX_SECONDS),
        ("9" * 400, RETRY_AFTER_MAX_SECONDS),
        ("-5", 5),
        ("1e9", 5),
        ("soon", 5),
        ("٣٠", 5),
        ("Thu, 05 Mar 2026 12:10:00 GMT", 600),
        ("Thu, 05 Mar 2026 12:10:00 -0000", 600),
        ("Thu, 05 Mar 2026 11:10:00 GMT", 5),
        ("Thu, 05 Mar 2099 12:10:00 GMT", RETRY_AFTER_MAX_SECONDS),
        ("Thu, 99 Mar 2026 12:10:00 GMT", 5),
        ("Thu, 05 Mar 99999999999 12:10:00 GMT", 5),
    ],
)
def test_a_receiver_may_ask_for_later_but_not_for_sooner_nor_for_ever(retry_after, expected):
    assert seconds(1, retry_after) == expected


def test_five_days_of_failing_are_enough():
    assert not is_given_up(NOW, None)
    assert not is_given_up(NOW, NOW - timedelta(days=4, hours=23))
    assert is_given_up(NOW, NOW - timedelta(days=5))
