"""Counting events over a period."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.control.conftest import START

from waypost.events.name import EventName

SUMMARY = "/api/v1/analysis/summary"
MINUTE = datetime(2026, 1, 1, tzinfo=UTC)


def ms(at):
    return round(at.timestamp() * 1000)


def test_a_summary_has_every_event_and_the_period(api):
    body = api.tenant().get(SUMMARY).json()

    assert list(body["group_by"])[: len(EventName)] == [str(name) for name in EventName]
    assert body["group_by"]["click"] == {"current": 5, "previous": 3, "delta": 2}
    assert body["period"] == {"from": ms(START - timedelta(days=31)), "to": ms(START)}


@pytest.mark.parametrize(
    ("params", "from_", "to"),
    [
        ({}, START - timedelta(days=31), START),
        ({"to": ms(MINUTE)}, MINUTE - timedelta(days=31), MINUTE),
        ({"from": ms(MINUTE)}, MINUTE, START),
        ({"from": ms(MINUTE), "to": ms(MINUTE) + 1}, MINUTE, MINUTE + timedelta(milliseconds=1)),
        ({"from": ms(MINUTE), "to": ms(MINUTE + timedelta(days=365))}, MINUTE, MINUTE + timedelta(days=365)),
    ],
)
def test_the_store_is_asked_for_exactly_the_period(api, params, from_, to):
    answer = api.tenant().get(SUMMARY, params=params)

    assert answer.status_code == 200, answer.text
    [(_, asked_from, asked_to)] = api.store.asked
    assert (asked_from, asked_to) == (from_, to)
    assert answer.json()["period"] == {"from": ms(from_), "to": ms(to)}
