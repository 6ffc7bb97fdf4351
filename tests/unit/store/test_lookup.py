"""What an operator looks up: sends to an address, and events as they are stored."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
from tests.unit.store.rows import NOON, PERSON, hit, hit_row, send_event, send_id, send_row

from waypost.events.hit import Outcome
from waypost.events.verdict import VerdictClass
from waypost.store.lookup import FirstClick

MACHINE = msgspec.structs.replace(PERSON, verdict_class=VerdictClass.MACHINE)


def click(store, account, send, verdict=PERSON, **fields):
    store.insert_hits([hit_row(hit(account, send, **fields), segment=f"s.{uuid4()}", verdict=verdict)])


def test_every_send_to_an_address_is_there_newest_first_with_its_clicks(store, account):
    address = f"Ada{account}@example.com"
    older, newer = send_id(), send_id()
    store.insert_sends(
        [
            send_row(account, older, recipient_email_address=address),
            send_row(account, newer, recipient_email_address=address.upper(), accepted_at=NOON + timedelta(days=1)),
            send_row(account, send_id(), recipient_email_address=f"b{address}"),
        ]
    )
    store.insert_sends([send_row(account, older, recipient_email_address=address)])
    later = NOON + timedelta(minutes=1)
    click(store, account, older, MACHINE)
    click(store, account, older, occurred_at=later)
    click(store, account, older, occurred_at=NOON - timedelta(minutes=1), outcome=Outcome.HEAD)

    second, first = store.lookup.sent_to(address.lower(), None, 10)
    assert (second.send.send_id, second.clicks, second.first) == (newer, 0, None)
    assert (first.send.send_id, first.clicks, first.human, first.machine) == (older, 2, 1, 1)
    assert first.first == FirstClick(later, "human", "GB", "London", "Mobile Safari", "iOS")
    assert [each.send.send_id for each in store.lookup.sent_to(address, account, 1)] == [newer]
    assert store.lookup.sent_to(address, account + 1_000_000, 10) == []


def test_without_a_person_the_first_click_is_the_first_of_all(store, account):
    send = send_id()
    store.insert_sends([send_row(account, send, recipient_email_address=f"m{account}@example.com")])
    click(store, account, send, MACHINE)
    [found] = store.lookup.sent_to(f"m{account}@example.com", account, 10)
    assert (found.human, found.first.at, found.first.verdict) == (0, NOON, "machine")


def test_events_are_seen_as_they_are_stored_and_each_once(store, account):
    now, send = datetime.now(UTC), send_id()
    store.insert_sends([send_row(account, send)])
    store.insert_send_events([send_event(account, send, occurred_at=now)])
    click(store, account, send, occurred_at=now)
    newest = store.lookup.newest(account, 1, now)
    assert [each.event.event for each in newest] == ["click"]
    assert newest[0].send.recipient_email_address == "reader@example.com"

    last = newest[-1].event
    click(store, account, send, occurred_at=now - timedelta(days=1))
    click(store, account, None, occurred_at=now)
    click(store, account, send, occurred_at=now - timedelta(days=4))
    after = store.lookup.since(account, 10, now, (last.stored_at, last.event_id))
    assert [(each.event.send_id, each.send is None) for each in after] == [(send, False), (None, True)]
    assert store.lookup.since(account, 10, now, (after[-1].event.stored_at, UUID(int=2**128 - 1))) == []
