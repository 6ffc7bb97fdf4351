from contextlib import contextmanager
from datetime import timedelta

import pytest
from tests.unit.store.rows import LONDON, NOON, PHONE, hit, hit_row, send_id

from waypost.events.client import Client, DeviceType
from waypost.events.hit import Outcome
from waypost.events.verdict import Reason, VerdictClass, first_verdicts
from waypost.pipeline.counts import Count, Counts
from waypost.pipeline.verdicts import Settler

BOT = Client(browser="curl", device_type=DeviceType.BOT)
BROWSER = {
    "user-agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36",
    "accept-language": "en-GB,en;q=0.9",
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "cross-site",
    "sec-fetch-user": "?1",
}


def judged(*hits):
    verdicts = first_verdicts(hits, [PHONE] * len(hits), [LONDON.as_organisation] * len(hits))
    return {each.event_id: verdict for each, verdict in zip(hits, verdicts, strict=True)}


@contextmanager
def held(names):
    yield frozenset(names)


class Rig:
    """A settler of this test's hits: those that other tests left in the store are settled before."""

    def __init__(self, store, account):
        self.store = store
        self.account = account
        self.now = NOON + timedelta(minutes=10)
        self.told = []
        self.settled = []
        self.counts = Counts()
        self.held = held
        self.settler = Settler(store, self.counts, self.hold, now=lambda: self.now, changed=self.tell, settled=self.end)
        self.settle()
        self.told.clear()
        self.settled.clear()

    def hold(self, names):
        return self.held(names)

    def tell(self, changes):
        self.told += changes

    def end(self, verdicts):
        self.settled += verdicts

    def store_batch(self, *hits):
        """As the collector does."""
        verdicts = judged(*hits)
        self.store.insert_hits(
            [hit_row(each, record=number, verdict=verdicts[each.event_id]) for number, each in enumerate(hits)]
        )

    def settle(self):
        """Until nothing is due, however often that is looked at."""
        settled = 0
        while done := self.settler.settle():
            settled += done
            self.now += timedelta(seconds=5)
        self.now += timedelta(seconds=5)
        return settled

    def classes(self, send):
        return [event.verdict.verdict_class for event in self.store.send_events(self.account, send)]


@pytest.fixture
def rig(store, account):
    return Rig(store, account)


def test_a_first_verdict_is_never_final_however_old_the_hit():
    person, head = hit(1, send_id(), headers=BROWSER), hit(1, send_id(), outcome=Outcome.HEAD)
    verdicts = judged(person, head)
    assert verdicts[person.event_id].verdict_class is VerdictClass.HUMAN
    assert verdicts[head.event_id].verdict_class is VerdictClass.MACHINE
    assert not any(verdict.final for verdict in verdicts.values())


def test_hits_of_one_batch_are_looked_at_together_and_those_of_no_send_alone():
    def clicks(send):
        return [
            hit(1, send, link_index=number, destination=f"https://shop.example/{number}", headers=BROWSER)
            for number in range(8)
        ]

    scanned, unrelated = clicks(send_id()), clicks(None)
    verdicts = judged(*scanned, *unrelated)
    assert {verdicts[each.event_id].verdict_class for each in scanned} == {VerdictClass.MACHINE}
    assert {verdicts[each.event_id].verdict_class for each in unrelated} == {VerdictClass.HUMAN}


def test_one_client_at_many_recipients_is_seen_across_sends():
    hits = [hit(1, send_id(), headers=BROWSER) for _ in range(50)]
    verdicts = judged(*hits)
    assert all(Reason.MANY_RECIPIENTS in verdict.reasons for verdict in verdicts.values())


def test_a_burst_that_came_in_two_batches_is_settled_as_one(rig):
    send = send_id()
    hits = [
        hit(rig.account, send, link_index=number, destination=f"https://shop.example/{number}", headers=BROWSER)
        for number in range(8)
    ]
    rig.store_batch(hits[0])
    rig.store_batch(*hits[1:])
    assert rig.classes(send).count(VerdictClass.HUMAN) == 1
    assert rig.settle() == len(hits)
    assert rig.classes(send) == [VerdictClass.MACHINE] * len(hits)
    assert all(event.verdict.final for event in rig.store.send_events(rig.account, send))
    [change] = rig.told
    assert (change.account, change.send_id, change.hit.event_id) == (rig.account, send, hits[0].event_id)
    assert (change.before, change.after) == (VerdictClass.HUMAN, VerdictClass.MACHINE)
    assert {each.event_id for each in rig.settled} == {each.event_id for each in hits}
    assert rig.counts.snapshot()[Count.RECLASSIFIED] >= 1
    assert rig.settle() == 0


def test_a_send_with_more_hits_than_are_judged_at_once_is_settled_in_turns_and_what_is_final_stays(rig, monkeypatch):
    for module in ("waypost.store.verdicts", "waypost.pipeline.verdicts"):
        monkeypatch.setattr(f"{module}.HITS_OF_A_SEND_MAX", 5)
    send = send_id()
    people = [hit(rig.account, send, headers=BROWSER, occurred_at=NOON - timedelta(hours=hour)) for hour in range(1, 4)]
    networks = ("192.0.2.1", "198.51.100.1", "203.0.113.1", "8.8.8.8", "8.8.8.8")
    sweep = [
        hit(rig.account, send, headers=BROWSER, client_address=address, occurred_at=NOON + timedelta(seconds=second))
        for second, address in enumerate(networks)
    ]
    rig.store_batch(*people)
    rig.store_batch(*sweep)
    assert rig.settle() == len(people) + len(sweep)
    assert all(event.verdict.final for event in rig.store.send_events(rig.account, send))
    assert rig.classes(send) == [VerdictClass.HUMAN] * len(people) + [VerdictClass.MACHINE] * len(sweep)


def test_a_hit_that_comes_late_is_judged_with_those_before_it(rig):
    send = send_id()
    person = hit(rig.account, send, headers=BROWSER)
    rig.store_batch(person)
    rig.settle()
    again = hit(rig.account, send, headers=BROWSER, occurred_at=NOON + timedelta(hours=3))
    rig.store_batch(again)
    assert rig.settle() == 1
    events = {event.event_id: event.verdict for event in rig.store.send_events(rig.account, send)}
    assert Reason.RETURNED in events[again.event_id].reasons
    assert Reason.RETURNED not in events[person.event_id].reasons


def test_one_of_several_pipelines_settles(rig):
    rig.store_batch(hit(rig.account, send_id()))

    @contextmanager
    def taken(_names):
        yield frozenset()

    rig.held = taken
    assert rig.settle() == 0
    rig.held = held
    assert rig.settle() == 1


def test_what_cannot_be_told_is_still_due(rig):
    send = send_id()
    rig.store_batch(hit(rig.account, send))
    failing = Settler(rig.store, Counts(), held, now=lambda: rig.now, changed=_fail)
    with pytest.raises(RuntimeError):
        failing.settle()
    assert not any(event.verdict.final for event in rig.store.send_events(rig.account, send))
    assert rig.settle() == 1


def _fail(_changes):
    raise RuntimeError
