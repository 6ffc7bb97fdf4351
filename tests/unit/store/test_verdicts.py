from datetime import timedelta
from uuid import UUID

import pytest
from tests.unit.store.rows import LONDON, NOON, PERSON, PHONE, hit, hit_row, send_event, send_id, send_row

from waypost.events.hit import HitKind, Outcome
from waypost.events.name import EventName
from waypost.events.verdict import RULES_VERSION, Reason, Verdict, VerdictClass, evidence_of
from waypost.store.verdicts import Judged, Position

LATER = NOON + timedelta(minutes=5)
MACHINE = Verdict(
    verdict_class=VerdictClass.MACHINE,
    score=80,
    reasons=(Reason.RAPID_LINKS, Reason.CLOUD_NETWORK),
    final=True,
    rules_version=RULES_VERSION,
)


@pytest.fixture
def due(store, account):
    """Of this test's account: other tests' hits are due in the same store."""
    return lambda before=LATER: [each for each in store.verdicts.due(before, 100_000) if each.account == account]


def judged(the_hit, verdict=MACHINE):
    return Judged(the_hit.account, the_hit.send_id, the_hit.event_id, the_hit.occurred_at, verdict)


def verdicts(store, account, send):
    return {event.event_id: event.verdict for event in store.send_events(account, send)}


def test_a_hit_comes_back_with_its_verdict_and_a_state_has_none(store, account):
    send = send_id()
    click = hit(account, send)
    store.insert_hits([hit_row(click)])
    store.insert_send_events([sent := send_event(account, send, EventName.SENT)])
    assert verdicts(store, account, send) == {click.event_id: PERSON, sent.event_id: None}


def test_the_hits_of_a_send_are_due_together_once_nothing_comes_any_more(store, account, due):
    send, received_at = send_id(), NOON + timedelta(seconds=1)
    first, last = hit(account, send), hit(account, send, occurred_at=NOON + timedelta(seconds=9))
    store.insert_hits([hit_row(first), hit_row(last, record=1)])
    store.insert_send_events([send_event(account, send, EventName.SENT)])
    assert due(received_at - timedelta(microseconds=1)) == []
    (subject,) = due(received_at)
    assert (subject.send_id, subject.event_id) == (send, None)
    assert (subject.first_at, subject.last_at) == (first.occurred_at, last.occurred_at)


def test_hits_of_no_send_are_each_due_alone(store, account, due):
    hits = [hit(account, None) for _ in range(2)]
    store.insert_hits([hit_row(each, record=number) for number, each in enumerate(hits)])
    subjects = due()
    assert {(each.send_id, each.event_id) for each in subjects} == {(None, each.event_id) for each in hits}
    found = store.verdicts.hits(subjects)
    assert [[each.evidence.event_id for each in found[subject]] for subject in subjects] == [
        [subject.event_id] for subject in subjects
    ]
    store.verdicts.write([judged(hits[0])])
    assert [each.event_id for each in due()] == [hits[1].event_id]


def test_what_a_verdict_rests_on_comes_back_as_it_was_enriched(store, account, due):
    send = send_id()
    click = hit(account, send)
    pixel = hit(account, send, kind=HitKind.OPEN, destination="", link_index=0, headers={"accept": "image/*"})
    store.insert_hits([hit_row(click), hit_row(pixel, record=1)])
    store.verdicts.write([judged(pixel)])
    (subject,) = due()
    found = {each.evidence.event_id: each for each in store.verdicts.hits([subject])[subject]}
    assert found[click.event_id].evidence == evidence_of(click, PHONE, LONDON.as_organisation)
    assert found[pixel.event_id].evidence == evidence_of(pixel, PHONE, LONDON.as_organisation)
    assert (found[click.event_id].verdict, found[pixel.event_id].verdict) == (PERSON, MACHINE)


@pytest.mark.parametrize(("link_domain", "secure"), [("links.example.com", True), ("localhost", False)])
def test_of_a_send_is_known_when_it_was_delivered_and_how_many_links_it_has(store, account, due, link_domain, secure):
    send = send_id()
    store.insert_hits([hit_row(hit(account, send, link_domain=link_domain))])
    (subject,) = due()
    hits = store.verdicts.hits([subject])
    facts = store.verdicts.sends(hits)[send]
    assert (facts.delivered_at, facts.links, facts.secure) == (None, 0, secure)
    store.insert_sends([send_row(account, send)])
    store.insert_send_events([send_event(account, send, EventName.DELIVERED)])
    facts = store.verdicts.sends(hits)[send]
    assert (facts.delivered_at, facts.links, facts.secure) == (NOON, 2, secure)


def test_a_verdict_is_written_where_it_belongs_and_stays_through_a_merge(store, account, due):
    send, other = send_id(), send_id()
    clicks = [hit(account, send, outcome=Outcome.HEAD) for _ in range(3)]
    beside = hit(account, other)
    store.insert_hits([hit_row(each, record=number) for number, each in enumerate([*clicks, beside])])
    for _ in range(2):
        store.verdicts.write([judged(clicks[0]), judged(clicks[1])])
    expected = {clicks[0].event_id: MACHINE, clicks[1].event_id: MACHINE, clicks[2].event_id: PERSON}
    assert verdicts(store, account, send) == expected
    assert verdicts(store, account, other) == {beside.event_id: PERSON}
    assert {each.send_id for each in due()} == {send, other}
    store._connection.writer.command("OPTIMIZE TABLE events PARTITION '202603' FINAL")
    assert verdicts(store, account, send) == expected
    assert store._query("test", "SELECT count() FROM events WHERE account = {a:UInt64}", a=account) == [(4,)]


@pytest.mark.parametrize("year", [1971, 2039, 2150])
def test_a_hit_of_an_edge_with_a_wrong_clock_gets_its_verdict(store, account, year):
    send = send_id()
    click = hit(account, send, occurred_at=NOON.replace(year=year))
    store.insert_hits([hit_row(click)])
    store.verdicts.write([judged(click)])
    assert verdicts(store, account, send) == {click.event_id: MACHINE}


def test_pages_lead_through_all_hits_since_a_time_once(store, account):
    sends = [send_id() for _ in range(3)]
    hits = [
        *(hit(account, send, occurred_at=NOON + timedelta(seconds=n)) for send in sends for n in range(3)),
        *(hit(account, None) for _ in range(4)),  # at one instant
        hit(account, sends[0], occurred_at=NOON - timedelta(microseconds=1)),
    ]
    store.insert_hits([hit_row(each, record=number) for number, each in enumerate(hits)])
    store.insert_send_events([send_event(account, sends[0])])
    seen, subjects, after = [], set(), Position(account, 0, NOON - timedelta(days=1), UUID(int=0))
    while (page := store.verdicts.page(NOON, after, 2)).hits and page.hits[0].account == account:
        seen += [each.event_id for each in page.hits if each.account == account]
        subjects |= {(each.send_id, each.event_id) for each in page.subjects if each.account == account}
        after = page.hits[-1]
    assert sorted(seen) == sorted(each.event_id for each in hits[:-1])
    assert subjects == {(send, None) for send in sends} | {(None, each.event_id) for each in hits[9:13]}
