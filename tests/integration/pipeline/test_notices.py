"""What is stored is noted for webhooks before the pipeline lets go of it, once, wherever it is cut short."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from tests.integration.webhooks.rig import Rig
from tests.unit.store.rows import PERSON, hit, hit_row, send_row

from waypost.db.outbox import SendEvent, rows
from waypost.db.states import SendState
from waypost.events.client_parser import ClientParser
from waypost.events.hit import HitKind, Outcome
from waypost.events.ids import uuid7
from waypost.events.notice import NoticeType
from waypost.events.verdict import VerdictClass
from waypost.links.token import Privacy
from waypost.pipeline.collector import Collector
from waypost.pipeline.counts import Counts
from waypost.pipeline.enrich import Enricher, client_step
from waypost.pipeline.hold import hold_segments
from waypost.pipeline.outbox import OutboxDrain
from waypost.pipeline.tell import Teller
from waypost.pipeline.verdicts import Settler
from waypost.spool.counters import Counters
from waypost.spool.files import Files
from waypost.spool.reader import sealed_segments
from waypost.spool.segments import SegmentWriter


class Cut(Exception):
    """As far as the process came."""


def before(_tell):
    def tell(_told):
        raise Cut

    return tell


def after(tell):
    def both(told):
        tell(told)
        raise Cut

    return both


@pytest.fixture
def rig(database, tmp_path):
    return Rig(database, tmp_path)


def spooled(data, *hits):
    spool = data / "spool"
    writer = SegmentWriter(
        spool / "edge-0", "edge-0", Counters.in_memory(), sync=True, segment_bytes=1 << 20, segment_seconds=1.0,
        files=Files(),
    )  # fmt: skip
    assert writer.write(list(hits)) is None
    writer.sync()
    writer.close()
    return spool


def collector(spool, store, tell):
    counts = Counts()
    enricher = Enricher(counts, client=client_step(ClientParser()))
    return Collector(spool, store, enricher, counts, now=lambda: datetime.now(UTC), tell=tell)


def send_id():
    """Of a send that was made just now: nobody looks whether it is still kept."""
    return uuid7(int(datetime.now(UTC).timestamp() * 1000), os.urandom(10))


def click(account, send, **fields):
    return hit(account, send, occurred_at=datetime.now(UTC), **fields)


@pytest.mark.parametrize("cut", [before, after])
def test_a_collector_that_is_cut_short_around_its_notices_notes_each_click_once(rig, store, account, cut):
    send = send_id()
    rig.account(account)
    for _ in range(2):
        rig.endpoint(account, "https://hooks.example/")
    clicks = [click(account, send) for _ in range(5)]
    spool = spooled(rig.settings.data, *clicks)

    with pytest.raises(Cut):
        collector(spool, store, cut(Teller(rig.notices).hits)).collect()
    assert len(list(sealed_segments(spool))) == 1

    assert collector(spool, store, Teller(rig.new_notices()).hits).collect() == 1
    assert len(list(sealed_segments(spool))) == 0
    noted = [(each.endpoint, each.event_id) for each in rig.notices_kept()]
    assert len(noted) == len(set(noted)) == 10
    assert {event_id for _, event_id in noted} == {each.event_id for each in clicks}
    assert rig.counts.notices == 10


@pytest.mark.parametrize("cut", [before, after])
def test_an_outbox_that_is_cut_short_around_its_notices_notes_each_state_once(rig, store, account, cut):
    send = send_id()
    rig.account(account)
    rig.endpoint(account, "https://hooks.example/")
    now = datetime.now(UTC)
    events = [
        SendEvent(event_id=send_id(), event=state, occurred_at=now, account=account, profile=7, send_id=send)
        for state in (SendState.ACCEPTED, SendState.BOUNCE)
    ]
    with rig.database.writing() as session:
        session.add_all(rows(events, now))

    def drain(tell):
        return OutboxDrain(rig.database, store, Counts(), now=lambda: datetime.now(UTC), tell=tell).drain()

    with pytest.raises(Cut):
        drain(cut(Teller(rig.notices).send_events))
    assert drain(Teller(rig.new_notices()).send_events) == 2
    assert drain(Teller(rig.new_notices()).send_events) == 0
    assert sorted(each.type for each in rig.notices_kept()) == [NoticeType.ACCEPTED, NoticeType.BOUNCE]
    assert rig.counts.notices == 2


def test_what_does_not_count_is_not_told(rig, store, account):
    send = send_id()
    rig.account(account)
    rig.endpoint(account, "https://hooks.example/")
    opened = click(account, send, kind=HitKind.OPEN)
    uncounted = [click(account, send, outcome=each) for each in Outcome if each is not Outcome.ANSWERED]
    of_nobody = [click(account, None), click(account, send_id(), privacy=Privacy.PSEUDONYMOUS)]
    spool = spooled(rig.settings.data, opened, *uncounted, *of_nobody)

    collector(spool, store, Teller(rig.notices).hits).collect()

    assert [(each.type, each.event_id) for each in rig.notices_kept()] == [(NoticeType.OPEN, opened.event_id)]


def test_a_change_is_told_of_a_send_that_is_known_and_of_no_pseudonym(rig, store, account):
    """What is stored of a click does not say which of the two it belongs to; that there is a record of a send does."""
    rig.account(account)
    rig.endpoint(account, "https://hooks.example/")
    known, pseudonym = send_id(), send_id()
    store.insert_sends([send_row(account, known)])
    clicks = [click(account, each) for each in (known, pseudonym)]
    machine = replace(PERSON, verdict_class=VerdictClass.MACHINE)
    store.insert_hits([hit_row(each, segment=f"s.{known}", record=n, verdict=machine) for n, each in enumerate(clicks)])
    settler = Settler(
        store,
        Counts(),
        lambda names: hold_segments(rig.database, names),
        now=lambda: datetime.now(UTC) + timedelta(minutes=5),
        changed=Teller(rig.notices).changes,
    )
    settler.settle()
    noted = [(each.type, each.send_id) for each in rig.notices_kept()]
    assert noted == [(NoticeType.CLICK_RECLASSIFIED, known)]


def test_a_segment_that_is_replayed_after_its_notices_are_gone_notes_nothing(rig, store, account):
    rig.account(account)
    rig.endpoint(account, "https://hooks.example/", created_at=datetime.now(UTC) - timedelta(days=30))
    old = hit(account, send_id(), occurred_at=datetime.now(UTC) - timedelta(days=8))

    collector(spooled(rig.settings.data, old), store, Teller(rig.notices).hits).collect()

    assert rig.notices_kept() == []
