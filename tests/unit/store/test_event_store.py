import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from tests.unit.store.rows import LONDON, NOON, PHONE, hit, hit_row, send_event, send_id, send_row, span

from waypost.events.client import UNKNOWN, Client, DeviceType, ImageProxy
from waypost.events.hit import HitKind, Outcome
from waypost.events.location import UNKNOWN as UNKNOWN_LOCATION
from waypost.events.location import Location
from waypost.events.name import EventName
from waypost.store import EventLink, EventStore, PeriodCount, SentLink, StoreFailed, reading
from waypost.store.analysis import Filters, Period
from waypost.store.connection import Connection
from waypost.store.rows import EventKey


def test_a_click_comes_back_with_everything_that_was_known_of_it(store, account):
    send = send_id()
    click = hit(account, send)
    store.insert_sends([send_row(account, send)])
    store.insert_hits([hit_row(click)])

    (event,) = store.send_events(account, send)

    assert event.event_id == click.event_id
    assert event.event is EventName.CLICK
    assert event.outcome is Outcome.ANSWERED
    assert event.occurred_at == NOON
    assert event.occurred_at.tzinfo is UTC
    assert event.received_at == NOON + timedelta(seconds=1)
    assert abs(event.stored_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert (event.account, event.profile, event.send_id) == (account, 7, send)
    assert event.link == EventLink(2, "buy", click.destination, "outlook")
    assert (event.link_domain, event.edge, event.client_address) == ("links.example.com", "edge-0", "2001:db8::1")
    assert event.user_agent == "Mozilla/5.0 (iPhone)"
    assert event.client == PHONE
    assert event.location == LONDON
    assert event.detail == ""


def test_a_batch_as_large_as_the_collector_makes_them_is_one_file_and_not_two_for_each_column(store, account):
    month = datetime(2031, 7, 9, tzinfo=UTC)
    agent = {"user-agent": "Mozilla/5.0 " + "x" * 4000}  # with the engine's own limit, 10 MB, it would be many
    rows = [hit_row(hit(account, send_id(), occurred_at=month, headers=agent), record=n) for n in range(4000)]
    store.insert_hits(rows)

    parts = store._connection.writer.query(
        "SELECT rows, part_type, files < 20 FROM system.parts"
        " WHERE active AND table = 'events' AND partition = '203107'"
    )

    assert parts.result_rows == [(4000, "Compact", True)]


@pytest.mark.parametrize(
    "location",
    [
        UNKNOWN_LOCATION,
        Location(country="NZ", latitude=-36.8485, longitude=179.9999),
        Location(country="GA", latitude=0.0, longitude=9.4536),
        Location(asn=4_294_967_295, as_organisation="Größte"),
    ],
)
def test_a_place_comes_back_as_it_went_in_unknown_or_known(store, account, location):
    send = send_id()
    store.insert_hits([hit_row(hit(account, send), location=location)])
    (event,) = store.send_events(account, send)
    assert event.location == location


def test_the_states_of_a_send_have_no_place(store, account):
    send = send_id()
    store.insert_send_events([send_event(account, send)])
    (event,) = store.send_events(account, send)
    assert event.location == UNKNOWN_LOCATION


def test_headers_other_than_the_user_agent_are_kept_once(store, account):
    send = send_id()
    store.insert_hits([hit_row(hit(account, send))])
    rows = store._query("test", "SELECT headers FROM events WHERE account = {a:UInt64}", a=account)
    assert rows == [({"accept-language": "fr, ümlaut"},)]


@pytest.mark.parametrize(
    "client", [UNKNOWN, Client(browser="GoogleImageProxy", device_type=DeviceType.BOT, image_proxy=ImageProxy.GOOGLE)]
)
def test_an_open_has_no_link_and_keeps_its_client(store, account, client):
    send = send_id()
    opened = hit(account, send, kind=HitKind.OPEN, destination="", link_index=0)
    store.insert_hits([hit_row(opened, client=client)])
    (event,) = store.send_events(account, send)
    assert (event.event, event.link, event.client) == (EventName.OPEN, None, client)


def test_a_click_of_a_send_that_is_not_recorded_still_has_its_destination(store, account):
    send = send_id()
    store.insert_hits([hit_row(hit(account, send, destination="https://a.example/"))])
    (event,) = store.send_events(account, send)
    assert event.link == EventLink(2, "", "https://a.example/", "html")


def test_events_of_a_send_come_in_the_order_they_occurred_whatever_the_order_of_arrival(store, account):
    send = send_id()
    store.insert_hits([hit_row(hit(account, send, occurred_at=NOON + timedelta(seconds=9)), record=1)])
    store.insert_send_events(
        [
            send_event(account, send, name, occurred_at=NOON + timedelta(microseconds=at))
            for at, name in [(3, EventName.SENT), (0, EventName.ACCEPTED), (1, EventName.QUEUED)]
        ]
    )
    store.insert_send_events([send_event(account, send, EventName.DELIVERED, occurred_at=NOON, detail="250 2.0.0 ok")])

    events = store.send_events(account, send)

    assert [e.event for e in events[2:]] == [EventName.QUEUED, EventName.SENT, EventName.CLICK]
    assert {e.event: e.detail for e in events[:2]} == {EventName.ACCEPTED: "", EventName.DELIVERED: "250 2.0.0 ok"}
    assert {e.outcome for e in events[:4]} == {None}
    assert {e.client for e in events[:4]} == {UNKNOWN}


def test_events_of_many_sends_are_those_of_each_with_the_firsts_among_all_it_has(store, account):
    sends = [send_id(), send_id()]
    store.insert_sends([send_row(account, send) for send in sends])
    clicks = [
        hit(account, send, event_id=send_id(), link_index=link, occurred_at=NOON + timedelta(seconds=second))
        for send in sends
        for second, link in enumerate((2, 0, 2))
    ]
    states = [send_event(account, send) for send in sends]
    store.insert_hits([hit_row(each, segment=str(account), record=n) for n, each in enumerate(clicks)])
    store.insert_send_events(states)
    first, again, other = clicks[1], clicks[2], clicks[3]

    asked = {EventKey(account, each.send_id, each.event_id) for each in (first, again, other, states[0])}
    stranger = EventKey(account + 1, first.send_id, first.event_id)
    chosen = store.chosen_events(asked | {stranger})

    whole = [each for send in sends for each in store.send_events(account, send)]
    by_id = {each.event_id: each for each in whole}
    assert {each.event_id: each for each in chosen.events} == {key.event_id: by_id[key.event_id] for key in asked}
    assert chosen.first_of_link == {clicks[n].event_id for n in (0, 1, 3, 4)}
    assert chosen.first_of_send == {clicks[n].event_id for n in (0, 3)}
    assert store.chosen_events({stranger}).events == []


def test_an_account_cannot_read_the_events_of_another(store, account):
    send = send_id()
    store.insert_sends([send_row(account, send)])
    store.insert_hits([hit_row(hit(account, send))])
    assert store.send_events(account + 10_000, send) == []
    assert store.send(account + 10_000, send) is None


def test_a_send_stored_twice_is_one_send(store, account):
    row = send_row(account, send_id())
    store.insert_sends([row])
    store.insert_sends([row, row])
    assert store.send(account, row.send_id) == row


def test_a_send_without_tags_and_links_comes_back(store, account):
    row = send_row(account, send_id(), tags=(), links=())
    store.insert_sends([row])
    assert store.send(account, row.send_id) == row


def test_a_send_with_many_links_keeps_every_name_and_part(store, account):
    links = tuple(SentLink(i, f"name {i}", "html" if i % 2 else "outlook") for i in range(300))
    row = send_row(account, send_id(), links=links)
    store.insert_sends([row])
    assert store.send(account, row.send_id).links == links


def test_stored_records_names_each_record_of_each_segment_asked_for(store, account):
    early, late = NOON, NOON + timedelta(days=40)
    store.insert_hits(
        [
            hit_row(hit(account, send_id(), occurred_at=early), segment="edge-1.a", record=0),
            hit_row(hit(account, None, occurred_at=late), segment="edge-1.a", record=5),
            hit_row(hit(account, send_id()), segment="edge-1.b", record=3),
            hit_row(hit(account, send_id()), segment="edge-1.c", record=4),
        ]
    )
    asked = [span(account, "edge-1.a", early, late), span(account, "edge-1.b"), span(account, "edge-1.none")]
    assert store.stored_records(asked) == {"edge-1.a": {0, 5}, "edge-1.b": {3}, "edge-1.none": set()}


def test_asking_for_no_segment_asks_nothing(store):
    assert store.stored_records([]) == {}


def test_inserting_nothing_changes_nothing(store):
    store.insert_hits([])
    store.insert_sends([])
    assert store.insert_send_events([]) == 0


def test_a_send_event_handed_over_again_is_stored_once(store, account):
    send = send_id()
    first, second = send_event(account, send), send_event(account, send, EventName.QUEUED)
    assert store.insert_send_events([first]) == 1
    assert store.insert_send_events([first, second, second]) == 1
    assert sorted(e.event for e in store.send_events(account, send)) == [EventName.ACCEPTED, EventName.QUEUED]


def test_threads_that_hand_over_the_same_send_events_store_each_once(store, account):
    send = send_id()
    rows = [send_event(account, send) for _ in range(20)]
    threads = [threading.Thread(target=store.insert_send_events, args=(rows,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.send_events(account, send)) == len(rows)


def test_reading_and_writing_from_many_threads_loses_nothing(store, account):
    send = send_id()

    def work(worker):
        for record in range(5):
            store.insert_hits([hit_row(hit(account, send), segment=f"edge-1.t{worker}", record=record)])
            store.analysis.summary(account, Period(NOON, NOON + timedelta(days=1)), Filters())

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.send_events(account, send)) == 20


SLOW = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"


def test_a_long_analysis_does_not_hold_up_what_the_pipeline_asks(store, account, monkeypatch):
    monkeypatch.setattr(reading, "READ_SECONDS", 1)
    with ThreadPoolExecutor(1) as thread:
        analysis = thread.submit(store._query, "analysis", SLOW)
        store.insert_send_events([send_event(account, send_id())])
        assert store.stored_records([span(account, "edge-0.s")]) == {"edge-0.s": set()}
        assert not analysis.done()
        assert isinstance(analysis.exception(), StoreFailed)


def test_a_query_that_takes_too_long_is_given_up(store, monkeypatch):
    monkeypatch.setattr(reading, "READ_SECONDS", 0.2)
    with pytest.raises(StoreFailed, match="Timeout exceeded"):
        store._query("analysis", SLOW)


class StuckReader:
    """A connection that does not answer until it is told to."""

    def __init__(self):
        self.asked = threading.Semaphore(0)
        self.answer = threading.Event()

    def query(self, *_, **__):
        self.asked.release()
        self.answer.wait(60)
        return SimpleNamespace(result_rows=[])


def test_a_stuck_store_holds_a_few_readers_and_refuses_the_next_at_once(account):
    reader = StuckReader()
    store = EventStore(Connection(writer=None, reader=reader, glance=None, close=lambda: None))
    with ThreadPoolExecutor(reading.READERS_MAX) as threads:
        waiting = [
            threads.submit(store.analysis.domains, account, Period(NOON, NOON + DAY), Filters(), 1)
            for _ in range(reading.READERS_MAX)
        ]
        for _ in waiting:
            assert reader.asked.acquire(timeout=60)
        with pytest.raises(StoreFailed, match="waiting already"):
            store.analysis.domains(account, Period(NOON, NOON + DAY), Filters(), 1)
        reader.answer.set()
    assert [future.exception() for future in waiting] == [None] * reading.READERS_MAX
    assert store.analysis.domains(account, Period(NOON, NOON + DAY), Filters(), 1)


@dataclass(frozen=True)
class Counted:
    name: str
    at: timedelta
    outcome: Outcome
    expected: PeriodCount


DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    "case",
    [
        Counted("at the start of the period", timedelta(0), Outcome.ANSWERED, PeriodCount(1, 0)),
        Counted("just before it", -TICK, Outcome.ANSWERED, PeriodCount(0, 1)),
        Counted("just before its end", DAY - TICK, Outcome.ANSWERED, PeriodCount(1, 0)),
        Counted("at its end", DAY, Outcome.ANSWERED, PeriodCount(0, 0)),
        Counted("at the start of the previous period", -DAY, Outcome.ANSWERED, PeriodCount(0, 1)),
        Counted("before the previous period", -DAY - TICK, Outcome.ANSWERED, PeriodCount(0, 0)),
        Counted("a HEAD request", timedelta(0), Outcome.HEAD, PeriodCount(0, 0)),
        Counted("a prefetch", timedelta(0), Outcome.PREFETCH, PeriodCount(0, 0)),
    ],
    ids=lambda case: case.name,
)
def test_summary_counts_what_lies_in_the_period_and_leaves_out_head_and_prefetch(store, account, case):
    store.insert_hits([hit_row(hit(account, send_id(), occurred_at=NOON + case.at, outcome=case.outcome))])
    summary = store.analysis.summary(account, Period(NOON, NOON + DAY), Filters())
    assert summary.counts[EventName.CLICK] == case.expected
    assert (summary.from_, summary.to) == (NOON, NOON + DAY)


def test_summary_has_every_event_name_and_counts_the_states_of_sends_and_anonymous_hits(store, account):
    store.insert_send_events(
        [send_event(account, send_id(), name) for name in [EventName.SENT] * 2 + [EventName.BOUNCE]]
    )
    store.insert_hits([hit_row(hit(account, None, kind=HitKind.OPEN))])
    counts = store.analysis.summary(account, Period(NOON, NOON + DAY), Filters()).counts
    assert list(counts) == list(EventName)
    assert {name: count.current for name, count in counts.items() if count.current} == {
        EventName.SENT: 2,
        EventName.BOUNCE: 1,
        EventName.OPEN: 1,
    }
    assert counts[EventName.SENT].delta == 2


@pytest.mark.parametrize("year", [1971, 2039, 2150])
def test_an_edge_with_a_wrong_clock_loses_nothing(store, account, year):
    send, at = send_id(), datetime(year, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    segment = f"edge-1.{year}"
    store.insert_hits([hit_row(hit(account, send, occurred_at=at), segment=segment)])
    assert store.stored_records([span(account, segment, at)]) == {segment: {0}}
    assert [e.occurred_at for e in store.send_events(account, send)] == [at]


def test_a_batch_may_spread_over_more_months_than_the_engine_likes(store, account):
    times = [datetime(1990 + i // 12, 1 + i % 12, 1, tzinfo=UTC) for i in range(150)]
    store.insert_hits([hit_row(hit(account, None, occurred_at=at), "edge-1.months", i) for i, at in enumerate(times)])
    assert len(store.stored_records([span(account, "edge-1.months", *times)])["edge-1.months"]) == 150


def test_what_the_engine_refuses_is_told_in_its_words(store):
    with pytest.raises(StoreFailed, match="no_such_table") as caught:
        store._query("a test", "SELECT 1 FROM no_such_table")
    assert caught.value.operation == "a test"


def test_ids_are_bound_and_never_pasted(store, account):
    segment = "x') OR 1=1 -- \\'"
    store.insert_hits([hit_row(hit(account, uuid4()), segment=segment)])
    assert store.stored_records([span(account, segment)]) == {segment: {0}}
