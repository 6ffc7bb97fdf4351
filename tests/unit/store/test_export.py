"""Exports of the store: pages go on behind the last row, whatever arrives meanwhile."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from tests.unit.store.rows import NOON, hit, hit_row, send_id

from waypost.store import export
from waypost.store.analysis import Filters, Period
from waypost.store.export import Choice

DAY = timedelta(days=1)


def put(store, account, send, at=NOON):
    row = hit_row(hit(account, send, occurred_at=at), segment=f"s.{uuid4()}")
    store.insert_hits([row])
    return row.hit.event_id


def choice(account, **more):
    until = datetime.now(UTC) + DAY
    return Choice(
        account=account, period=Period(NOON - DAY, NOON + 60 * DAY), filters=Filters(), stored_until=until, **more
    )


def ids(page):
    return [event.event_id for event, _ in page]


def test_what_arrives_meanwhile_shifts_nothing_and_repeats_nothing(store, account, monkeypatch):
    monkeypatch.setattr(export, "PAGE_ROWS", 2)
    first, second, third = sorted(send_id() for _ in range(3))
    there = [put(store, account, send) for send in (first, second, second, third)]
    chosen = choice(account)
    pages = store.export.pages(chosen)

    found = ids(next(pages))
    put(store, account, first, NOON - timedelta(hours=1))  # before what was given already
    found += [event_id for page in pages for event_id in ids(page)]

    assert (sorted(found), len(found)) == (sorted(there), 4)
    assert store.export.count(chosen) == 5


def test_events_of_nobody_at_one_instant_are_all_there_once(store, account, monkeypatch):
    monkeypatch.setattr(export, "PAGE_ROWS", 3)
    there = [put(store, account, None) for _ in range(8)]
    found = [event_id for page in store.export.pages(choice(account)) for event_id in ids(page)]
    assert sorted(found) == sorted(there)


@pytest.mark.parametrize("months", [1, 2])
def test_sends_whose_events_lie_in_several_months_are_in_order(store, account, monkeypatch, months):
    monkeypatch.setattr(export, "PAGE_ROWS", 2)
    sends = [send_id() for _ in range(3)]
    there = {put(store, account, send, NOON + 28 * DAY * month) for month in range(months + 1) for send in sends}
    rows = [event for page in store.export.pages(choice(account)) for event, _ in page]
    assert {event.event_id for event in rows} == there
    assert rows == sorted(rows, key=lambda event: (event.send_id, event.occurred_at, event.event_id))
