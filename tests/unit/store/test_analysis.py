"""Counts over stored events: who, how many different ones, by what, in which time zone."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec
import pytest
from tests.unit.store.rows import NOON, PERSON, hit, hit_row, send_event, send_id, send_row

from waypost.events.client import Client, DeviceType
from waypost.events.hit import HitKind, Outcome
from waypost.events.location import Location
from waypost.events.name import EventName
from waypost.events.verdict import VerdictClass
from waypost.store import EventStore, PeriodCount, StoreFailed, reading
from waypost.store.analysis import Dimension, Filters, Period
from waypost.store.connection import Connection
from waypost.store.export import Choice
from waypost.store.rows import Clicks, Measure
from waypost.store.verdicts import Judged

DAY = timedelta(days=1)
TODAY = Period(NOON, NOON + DAY)
MACHINE = msgspec.structs.replace(PERSON, verdict_class=VerdictClass.MACHINE, score=100)
IN_DOUBT = msgspec.structs.replace(PERSON, verdict_class=VerdictClass.UNKNOWN, score=30)


def put(store, account, *hits):
    """(send, verdict, fields of the hit) each."""
    store.insert_hits(
        [
            hit_row(hit(account, send, **fields), segment=f"s.{uuid4()}", verdict=verdict)
            for send, verdict, fields in hits
        ]
    )


def by(store, account, dimension, filters=None, period=TODAY, time_zone="UTC", limit=100, *, unique=False):
    return store.analysis.engagement(
        account, period, filters or Filters(), dimension, time_zone=time_zone, limit=limit, unique=unique
    )


def totals(breakdown):
    return {key: measures[Measure.TOTAL].current for key, measures in breakdown.by_key.items()}


def accepted(at):
    """The id of a send that was accepted then: UUID version 7."""
    return UUID(int=(round(at.timestamp() * 1000) << 80) + (uuid4().int & ((1 << 80) - 1)))


def now(measures):
    return {measure: count.current for measure, count in measures.items() if count.current}


def test_human_machine_and_unknown_add_up_and_each_recipient_and_link_is_counted_once(store, account):
    ada, eve = send_id(), send_id()
    put(
        store,
        account,
        (ada, PERSON, {}),
        (ada, PERSON, {}),
        (ada, PERSON, {"link_index": 3}),
        (ada, MACHINE, {"link_index": 4}),
        (eve, MACHINE, {}),
        (eve, IN_DOUBT, {}),
        (None, PERSON, {}),
        (None, PERSON, {}),
        (eve, PERSON, {"outcome": Outcome.HEAD}),
        (eve, PERSON, {"outcome": Outcome.PREFETCH}),
        (eve, PERSON, {"kind": HitKind.OPEN, "destination": ""}),
    )
    summary = store.analysis.summary(account, TODAY, Filters())

    assert now(summary.measures[EventName.CLICK]) == {
        Measure.TOTAL: 8,
        Measure.HUMAN: 5,
        Measure.MACHINE: 2,
        Measure.UNKNOWN: 1,
        Measure.UNIQUE_SEND: 2,
        Measure.UNIQUE_SEND_HUMAN: 1,
        Measure.UNIQUE_SEND_MACHINE: 2,
        Measure.UNIQUE_LINK: 4,
        Measure.UNIQUE_LINK_HUMAN: 2,
        Measure.UNIQUE_LINK_MACHINE: 2,
    }
    assert now(summary.measures[EventName.OPEN]) == {
        Measure.TOTAL: 1,
        Measure.HUMAN: 1,
        Measure.UNIQUE_SEND: 1,
        Measure.UNIQUE_SEND_HUMAN: 1,
    }


def test_a_recipient_who_came_in_both_periods_is_unique_in_each(store, account):
    ada = send_id()
    put(
        store,
        account,
        (ada, PERSON, {}),
        (ada, PERSON, {"occurred_at": NOON - DAY}),
        (ada, PERSON, {"occurred_at": NOON - DAY}),
    )
    measures = store.analysis.summary(account, TODAY, Filters()).measures[EventName.CLICK]
    assert measures[Measure.TOTAL] == PeriodCount(1, 2)
    assert measures[Measure.UNIQUE_SEND] == PeriodCount(1, 1)


def test_what_is_unique_adds_up_over_sends_of_different_days_and_over_many_links_of_one(store, account):
    """They are counted in spans of sends; ids without a time and anonymous hits have none of their own."""
    sends = [accepted(NOON - days * DAY) for days in range(10)] + [uuid4()]
    links = 70
    put(
        store,
        account,
        *((send, PERSON, {"link_index": index}) for send in sends for index in (1, 1, 2)),
        *((sends[0], MACHINE, {"link_index": index}) for index in range(links)),
        (None, PERSON, {}),
    )
    for filters in (Filters(), Filters(event=EventName.CLICK)):
        measures = now(store.analysis.summary(account, TODAY, filters).measures[EventName.CLICK])
        assert measures == {
            Measure.TOTAL: 3 * len(sends) + links + 1,
            Measure.HUMAN: 3 * len(sends) + 1,
            Measure.MACHINE: links,
            Measure.UNIQUE_SEND: len(sends),
            Measure.UNIQUE_SEND_HUMAN: len(sends),
            Measure.UNIQUE_SEND_MACHINE: 1,
            Measure.UNIQUE_LINK: 2 * len(sends) - 2 + links,
            Measure.UNIQUE_LINK_HUMAN: 2 * len(sends),
            Measure.UNIQUE_LINK_MACHINE: links,
        }


def test_a_hit_that_no_rule_has_seen_is_unknown(store, account):
    put(store, account, (send_id(), PERSON, {}))
    store._connection.writer.command(
        "ALTER TABLE events UPDATE verdict = '' WHERE account = {a:UInt64}",
        parameters={"a": account},
        settings={"mutations_sync": 1},
    )
    measures = store.analysis.summary(account, TODAY, Filters()).measures[EventName.CLICK]
    assert now(measures)[Measure.UNKNOWN] == 1


def test_a_final_verdict_moves_a_click_from_one_class_to_the_other_and_changes_no_total(store, account):
    send = send_id()
    click = hit(account, send)
    store.insert_hits([hit_row(click, segment=f"s.{uuid4()}")])
    store.verdicts.write([Judged(account, send, click.event_id, NOON, msgspec.structs.replace(MACHINE, final=True))])
    measures = store.analysis.summary(account, TODAY, Filters()).measures[EventName.CLICK]
    assert (now(measures)[Measure.TOTAL], now(measures)[Measure.MACHINE], Measure.HUMAN in now(measures)) == (
        1,
        1,
        False,
    )


def test_a_late_event_is_counted_when_it_occurred_and_not_when_it_came(store, account):
    send = send_id()
    put(store, account, (send, PERSON, {"occurred_at": NOON + DAY}))
    put(store, account, (send, PERSON, {"occurred_at": NOON}))
    assert store.analysis.summary(account, TODAY, Filters()).counts[EventName.CLICK] == PeriodCount(1, 0)
    assert store.analysis.clicks(account, [send])[send].first_at == NOON


def test_another_account_counts_nowhere(store, account):
    put(store, account, (send := send_id(), PERSON, {}))
    other = account + 1_000_000
    assert not any(count.current for count in store.analysis.summary(other, TODAY, Filters()).counts.values())
    assert [by(store, other, dimension).by_key for dimension in Dimension] == [{}] * len(Dimension)
    assert store.analysis.domains(other, TODAY, Filters(), 10).by_domain == {}
    assert store.analysis.clicks(other, [send]) == {}


@pytest.mark.parametrize(
    ("dimension", "key"),
    [
        (Dimension.COUNTRY, "GB"),
        (Dimension.REGION, "GB/England"),
        (Dimension.CITY, "GB/England/London"),
        (Dimension.DEVICE, "mobile"),
        (Dimension.BROWSER, "Mobile Safari"),
        (Dimension.OS, "iOS"),
        (Dimension.LINK, "https://a.example/?q='\\"),
        (Dimension.HOUR, "2026-03-05T12:00+00:00"),
        (Dimension.DAY, "2026-03-05"),
    ],
)
def test_each_key_is_found_in_the_event(store, account, dimension, key):
    put(store, account, (send_id(), PERSON, {"destination": "https://a.example/?q='\\"}))
    assert totals(by(store, account, dimension)) == {key: 1}


def test_what_is_unique_is_counted_by_key_and_over_all_if_asked_for(store, account):
    ada = send_id()
    put(store, account, (ada, PERSON, {}), (ada, PERSON, {}), (send_id(), PERSON, {}))
    without, found = (by(store, account, Dimension.COUNTRY, unique=unique) for unique in (False, True))
    assert list(without.by_key["GB"]) == [Measure.TOTAL, Measure.HUMAN, Measure.MACHINE, Measure.UNKNOWN]
    assert without.by_key["GB"] == without.overall
    assert found.by_key["GB"] == found.overall
    assert found.overall[Measure.UNIQUE_LINK] == PeriodCount(2, 0)


def test_what_is_unknown_has_an_empty_key(store, account):
    row = hit_row(
        hit(account, send_id()), client=Client(device_type=DeviceType.UNKNOWN), location=Location(country="GB")
    )
    store.insert_hits([row])
    keys = [
        next(iter(by(store, account, each).by_key)) for each in (Dimension.REGION, Dimension.CITY, Dimension.BROWSER)
    ]
    assert keys == ["", "", ""]


def test_a_limit_keeps_the_highest_and_the_totals_know_of_all(store, account):
    for country, times in (("GB", 1), ("FR", 3), ("DE", 2)):
        for _ in range(times):
            place = Location(country=country)
            store.insert_hits([hit_row(hit(account, send_id()), segment=f"s.{uuid4()}", location=place)])
    found = by(store, account, Dimension.COUNTRY, limit=2)
    assert list(totals(found).items()) == [("FR", 3), ("DE", 2)]
    assert found.overall[Measure.TOTAL].current == 6


def test_a_key_of_the_previous_period_only_is_there_with_what_was_lost(store, account):
    put(store, account, (send_id(), PERSON, {"occurred_at": NOON - DAY}))
    [(key, measures)] = by(store, account, Dimension.COUNTRY).by_key.items()
    assert (key, measures[Measure.TOTAL].delta) == ("GB", -1)


def test_a_send_with_two_tags_counts_for_both_and_once_in_the_totals(store, account):
    two, none, unknown = send_id(), send_id(), send_id()
    store.insert_sends([send_row(account, two, tags=("a", "b")), send_row(account, none, tags=())])
    store.insert_sends([send_row(account, two, tags=("a", "b"))])
    put(store, account, (two, PERSON, {}), (none, PERSON, {}), (unknown, PERSON, {}))
    found = by(store, account, Dimension.TAG)
    assert totals(found) == {"a": 1, "b": 1, "": 2}
    assert found.overall[Measure.TOTAL].current == 3


def test_what_is_unique_adds_up_over_sends_that_share_a_tag(store, account):
    one, other = send_id(), send_id()
    store.insert_sends([send_row(account, one, tags=("a", "b, c")), send_row(account, other, tags=("d", "a"))])
    put(store, account, (one, PERSON, {}), (one, PERSON, {}), (other, PERSON, {}), (other, MACHINE, {}))
    found = by(store, account, Dimension.TAG, unique=True).by_key
    assert {tag: now(measures)[Measure.UNIQUE_SEND] for tag, measures in found.items()} == {"a": 2, "b, c": 1, "d": 1}
    assert [now(found["a"])[measure] for measure in (Measure.TOTAL, Measure.HUMAN, Measure.MACHINE)] == [4, 3, 1]
    assert found["a"][Measure.UNIQUE_SEND_MACHINE] == found["d"][Measure.UNIQUE_SEND_MACHINE] == PeriodCount(1, 0)


@pytest.mark.parametrize(
    "send",
    [
        accepted(NOON + timedelta(hours=1)),
        accepted(NOON - 2 * DAY),
        accepted(NOON - 9 * DAY),
        accepted(NOON - 3650 * DAY),
        accepted(NOON + 2 * DAY),
        UUID("20354d7a-e4fe-47af-8ff6-187bca92f3f9"),
    ],
    ids=["in the period", "days before", "longer before", "years before", "later, by a wrong clock", "at no time"],
)
def test_the_record_of_a_send_is_found_whenever_it_was_accepted(store, account, send):
    store.insert_sends([send_row(account, send, tags=("a",), recipient_email_address="ada@shop.example")])
    store.insert_sends([send_row(account, accepted(NOON), tags=("b",))])
    put(store, account, (send, PERSON, {}), (send, PERSON, {"occurred_at": NOON - DAY}))
    store.insert_send_events([send_event(account, send, EventName.DELIVERED)])

    tagged = Filters(tag="a")
    assert totals(by(store, account, Dimension.TAG)) == {"a": 1}
    assert store.analysis.summary(account, TODAY, tagged).counts[EventName.CLICK] == PeriodCount(1, 1)
    assert store.analysis.domains(account, TODAY, Filters(), 10).by_domain == {"shop.example": PeriodCount(1, 0)}
    choice = Choice(account=account, period=TODAY, filters=tagged, stored_until=datetime.now(UTC) + DAY)
    assert store.export.count(choice) == 2


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(), 4),
        (Filters(tag="a"), 2),
        (Filters(tag="a'); DROP TABLE events; --"), 0),
        (Filters(profile=8), 1),
        (Filters(verdict=VerdictClass.HUMAN), 2),
        (Filters(verdict=VerdictClass.MACHINE), 1),
        (Filters(verdict=VerdictClass.UNKNOWN), 1),
        (Filters(event=EventName.OPEN), 1),
        (Filters(tag="a", verdict=VerdictClass.MACHINE, event=EventName.CLICK, profile=7), 1),
    ],
)
def test_filters_leave_out_what_they_say(store, account, filters, expected):
    tagged, other = send_id(), send_id()
    store.insert_sends([send_row(account, tagged, tags=("a",)), send_row(account, other, tags=("A",))])
    put(
        store,
        account,
        (tagged, PERSON, {}),
        (tagged, MACHINE, {}),
        (other, IN_DOUBT, {"profile": 8}),
        (other, PERSON, {"kind": HitKind.OPEN}),
    )
    summary = store.analysis.summary(account, TODAY, filters)
    assert summary.counts[EventName.CLICK].current + summary.counts[EventName.OPEN].current == expected
    assert by(store, account, Dimension.COUNTRY, filters).overall[Measure.TOTAL].current == expected


def test_states_have_no_verdict_and_are_left_out_by_one(store, account):
    store.insert_send_events([send_event(account, send_id(), EventName.SENT)])
    of_people = Filters(verdict=VerdictClass.HUMAN)
    assert store.analysis.summary(account, TODAY, Filters()).counts[EventName.SENT].current == 1
    assert store.analysis.summary(account, TODAY, of_people).counts[EventName.SENT].current == 0


def test_deliveries_are_counted_by_the_recipients_domain_in_small_letters(store, account):
    for address, times in (("a@Shop.Example", 2), ("b@shop.example", 1), ("c@mail.example", 1)):
        for _ in range(times):
            send = send_id()
            store.insert_sends([send_row(account, send, recipient_email_address=address)])
            store.insert_send_events(
                [send_event(account, send, EventName.DELIVERED), send_event(account, send, EventName.SENT)]
            )
    found = store.analysis.domains(account, TODAY, Filters(event=EventName.DELIVERED), 1)
    assert found.by_domain == {"shop.example": PeriodCount(3, 0)}
    assert found.overall == PeriodCount(4, 0)


ZONES = [
    "UTC",
    "Europe/London",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/St_Johns",
]
CHANGES = [
    datetime(2026, 3, 29, tzinfo=UTC),
    datetime(2026, 10, 25, tzinfo=UTC),
    datetime(2026, 4, 4, 12, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("around", CHANGES, ids=lambda at: f"{at:%d %B}")
def test_hours_and_days_are_those_that_the_clocks_of_the_zone_show(store, account, zone, around):
    """Through changes of the clocks, by whole hours and by half of one, against Python's own time zones."""
    times = [around + timedelta(minutes=15 * n, seconds=1) for n in range(-20, 4 * 30)]
    put(store, account, *((send_id(), PERSON, {"occurred_at": at}) for at in times))
    period = Period(around - DAY, around + 2 * DAY)
    local = [at.astimezone(ZoneInfo(zone)) for at in times]

    days = totals(by(store, account, Dimension.DAY, period=period, time_zone=zone))
    assert days == counted(f"{at:%Y-%m-%d}" for at in local)
    hours = totals(by(store, account, Dimension.HOUR, period=period, time_zone=zone))
    expected = counted(at.replace(minute=0).isoformat(timespec="minutes") for at in local)
    assert list(hours) == sorted(hours, key=datetime.fromisoformat)
    if zone == "Australia/Lord_Howe" and around == CHANGES[2]:
        # Clocks go back from 02:00 to 01:30: the half hour that comes again stands alone, under when it was first.
        expected["2026-04-05T01:30+11:00"] = 2
        expected["2026-04-05T01:00+11:00"] -= 2
    assert hours == expected


def counted(keys):
    found = {}
    for key in keys:
        found[key] = found.get(key, 0) + 1
    return found


def test_the_previous_period_is_laid_over_the_current_one(store, account):
    put(
        store, account, (send_id(), PERSON, {}), (send_id(), PERSON, {"occurred_at": NOON - DAY + timedelta(minutes=5)})
    )
    [(hour, measures)] = by(store, account, Dimension.HOUR).by_key.items()
    assert (hour, measures[Measure.TOTAL]) == ("2026-03-05T12:00+00:00", PeriodCount(1, 1))


def test_time_zones_are_those_of_the_engine(store):
    assert [store.analysis.knows_time_zone(each) for each in (*ZONES, "Mars/Base", "", "UTC' OR 1")] == [True] * 7 + [
        False
    ] * 3


def test_clicks_of_sends_say_how_often_by_whom_and_when_first(store, account):
    ada, eve, none = send_id(), send_id(), send_id()
    later = NOON + timedelta(minutes=3)
    put(
        store,
        account,
        (ada, PERSON, {"occurred_at": later}),
        (ada, MACHINE, {}),
        (ada, PERSON, {"occurred_at": NOON - DAY, "outcome": Outcome.HEAD}),
        (ada, PERSON, {"occurred_at": NOON - DAY, "kind": HitKind.OPEN}),
        (eve, MACHINE, {}),
    )
    assert store.analysis.clicks(account, [ada, eve, none]) == {
        ada: Clicks(2, 1, 1, NOON, later),
        eve: Clicks(1, 0, 1, NOON, None),
    }
    assert store.analysis.clicks(account, []) == {}


class Stuck:
    """A connection that hangs until it is told to go on."""

    def __init__(self):
        self.go_on = threading.Event()

    def query(self, *_, **__):
        self.go_on.wait(60)
        return SimpleNamespace(result_rows=[])


def test_a_stuck_store_costs_a_moment_and_no_more_threads_than_there_are(account, monkeypatch):
    monkeypatch.setattr(reading, "GLANCE_SECONDS", 0.05)
    stuck = Stuck()
    store = EventStore(Connection(writer=None, reader=None, glance=stuck, close=lambda: None))
    began = time.monotonic()
    with ThreadPoolExecutor(20) as threads:
        asked = [threads.submit(store.analysis.clicks, account, [send_id()]) for _ in range(20)]
    assert {type(each.exception()) for each in asked} == {StoreFailed}
    assert time.monotonic() - began < 20, "nobody waited until it went on"
    stuck.go_on.set()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            assert store.analysis.clicks(account, [send_id()]) == {}
            break
        except StoreFailed:
            continue
    else:
        pytest.fail("the store answers again, and nobody hears it")
    store.close()


def test_a_long_analysis_does_not_hold_up_a_look_at_clicks(store, account, monkeypatch):
    """Of three looks one ends before the analysis: on a busy machine any one may wait for a processor."""
    monkeypatch.setattr(reading, "READ_SECONDS", 2)

    def is_first():
        with ThreadPoolExecutor(1) as thread:
            analysis = thread.submit(
                store._query, "analysis", "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"
            )
            assert store.analysis.clicks(account, [send_id()]) == {}
            first = not analysis.done()
            assert isinstance(analysis.exception(), StoreFailed)
        return first

    assert any(is_first() for _ in range(3))


def test_empty_periods_are_zeros(store, account):
    found = by(store, account, Dimension.COUNTRY)
    assert found.by_key == {}
    assert set(found.overall.values()) == {PeriodCount(0, 0)}
