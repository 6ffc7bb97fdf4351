"""Reading the numbers through the API, over a real event store: counts, filters, clicks of sends, exports."""

import csv
import io
import itertools
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from tests.integration.control.conftest import START
from tests.unit.store.rows import hit, hit_row, send_event, send_id, send_row

from waypost.db.states import Role
from waypost.events.hit import HitKind, Outcome
from waypost.events.name import EventName
from waypost.store import StoreFailed, export

ANALYSIS = "/api/v1/analysis"
COUNTRY = f"{ANALYSIS}/engagement/country/summary"
DOMAIN = f"{ANALYSIS}/delivery/domain/summary"
EXPORT = f"{ANALYSIS}/export"
SEND = "/api/v1/email/send"


@pytest.fixture(scope="module")
def over_real_store(served, store):
    """A client of the API over the real store instead of the fake."""
    fake, served.store = served.store, store
    with served.served_anew() as client:
        served.store = fake
        yield client


@pytest.fixture
def events(api, over_real_store, store):
    fake, api.store = api.store, store
    yield over_real_store
    api.store = fake


@pytest.fixture
def reader(api, events):
    tenant = api.tenant()
    tenant.client = events
    return tenant


@pytest.fixture
def exporter(api, events):
    """At a time that is later than what the engine stamps rows with."""
    api.clock.now = datetime.now(UTC) + timedelta(hours=1)
    tenant = api.tenant()
    tenant.client = events
    return tenant


def ms(at):
    return round(at.timestamp() * 1000)


EVER = {"from": ms(START - timedelta(days=30)), "to": ms(START + timedelta(days=300))}


def put(store, tenant, send=None, **fields):
    send = send or send_id()
    at = fields.pop("occurred_at", START - timedelta(hours=1))
    store.insert_hits([hit_row(hit(tenant.account.number, send, occurred_at=at, **fields), segment=f"s.{uuid4()}")])
    return send


def test_engagement_is_smtpds_form_with_what_is_known_beside(reader, store):
    put(store, reader)
    put(store, reader, kind=HitKind.OPEN)
    put(store, reader, outcome=Outcome.HEAD)
    body = reader.get(COUNTRY, params={"unique": "true"}).json()

    assert (body["total"], body["group_by"]) == (2, {"GB": 2})
    assert body["period"] == {"from": ms(START - timedelta(days=31)), "to": ms(START)}
    [row] = body["rows"]
    assert (row["key"], row["human"]) == ("GB", {"current": 2, "previous": 0, "delta": 2})
    assert body["totals"] == {name: count for name, count in row.items() if name != "key"}


def test_a_key_of_the_previous_period_only_is_no_key_of_smtpds(reader, store):
    put(store, reader, occurred_at=START - timedelta(days=40))
    body = reader.get(COUNTRY).json()
    assert (body["total"], body["group_by"], body["rows"][0]["total"]["delta"]) == (0, {}, -1)


def test_an_empty_period_is_zeros(reader):
    assert reader.get(COUNTRY).json()["group_by"] == {}
    assert reader.get(DOMAIN).json()["total"] == 0
    assert set(map(tuple, (c.values() for c in reader.get(f"{ANALYSIS}/summary").json()["group_by"].values()))) == {
        (0, 0, 0)
    }


def test_deliveries_by_domain(reader, store):
    send, number = send_id(), reader.account.number
    store.insert_sends([send_row(number, send)])
    at = START - timedelta(hours=1)
    store.insert_send_events([send_event(number, send, EventName.DELIVERED, occurred_at=at)])
    assert reader.get(DOMAIN).json()["group_by"] == {"example.com": 1}
    assert reader.get(DOMAIN, params={"event": "bounce"}).json()["group_by"] == {}


def test_clicks_by_link_leave_opens_out(reader, store):
    put(store, reader, destination="https://a.example/")
    put(store, reader, kind=HitKind.OPEN, destination="")
    link = f"{ANALYSIS}/engagement/link/summary"
    assert reader.get(link).json()["group_by"] == {"https://a.example/": 1}
    assert reader.get(link, params={"event": "open"}).json()["code"] == 40002


def test_a_profile_is_a_filter_and_anothers_looks_absent(api, reader, store):
    put(store, reader, profile=reader.profile.number)
    put(store, reader, profile=reader.profile.number + 1000)
    mine = reader.get(COUNTRY, params={"profile": reader.profile.public_id}).json()
    others = reader.get(COUNTRY, params={"profile": api.tenant().profile.public_id})
    assert mine["total"] == 1
    assert (others.status_code, others.json()["code"]) == (404, 40402)


@pytest.mark.parametrize(
    ("path", "params", "field"),
    [
        (COUNTRY, {"from": 2_000_000_000_000}, "from"),
        (EXPORT, {"from": ms(START - timedelta(days=366))}, "from"),
        (f"{ANALYSIS}/engagement/hour/summary", {"time_zone": "Mars/Base"}, "time_zone"),
        (COUNTRY, {"limit": 10_001}, "limit"),
        (COUNTRY, {"verdict": "robot"}, "verdict"),
        (COUNTRY, {"event": "sent"}, "event"),
        (DOMAIN, {"event": "click"}, "event"),
        (EXPORT, {"format": "xls"}, "format"),
        (EXPORT, {"cursor": "AAAA"}, "cursor"),
        (EXPORT, {"cursor": "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"}, "cursor"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_field(reader, path, params, field):
    answer = reader.get(path, params=params)
    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert field in answer.json()["message"]


def test_an_unknown_dimension_is_not_found(reader):
    assert reader.get(f"{ANALYSIS}/engagement/shoe_size/summary").status_code == 404


def test_sends_show_their_clicks_one_by_one_in_lists_and_in_search(reader, store):
    send = UUID(reader.send().json()["send_id"])
    put(store, reader, send)
    put(store, reader, send, occurred_at=START - timedelta(hours=2), outcome=Outcome.PREFETCH)
    first = int((START - timedelta(hours=1)).timestamp())
    expected = {"total": 1, "human": 1, "machine": 0, "unknown": 0, "first_at_utc": first, "first_human_at_utc": first}

    assert reader.get(f"{SEND}/{send}").json()["clicks"] == expected
    assert [each["clicks"] for each in reader.get(SEND).json()] == [expected]
    assert [each["clicks"] for each in reader.get(f"{SEND}/search?q=ada").json()] == [expected]


def test_without_the_event_store_sends_are_shown_without_clicks(api):
    tenant = api.tenant()
    send = tenant.send().json()["send_id"]
    api.store.broken = StoreFailed("read", "down")

    assert [each["send_id"] for each in tenant.get(SEND).json()] == [send]
    assert "clicks" not in tenant.get(f"{SEND}/{send}").json()


def test_the_first_click_is_the_earliest_that_counts_whenever_it_came(reader, store):
    send = UUID(reader.send().json()["send_id"])
    at = START - timedelta(hours=1)
    put(store, reader, send, occurred_at=at)
    put(store, reader, send, occurred_at=at - timedelta(seconds=9), outcome=Outcome.HEAD)
    put(store, reader, send, occurred_at=at - timedelta(seconds=5), link_index=9)
    put(store, reader, send, occurred_at=at - timedelta(seconds=7), kind=HitKind.OPEN)
    shown = reader.get(f"{SEND}/{send}/events").json()

    assert [(each["event"], each["first_for_send"], each["first_for_link"]) for each in shown] == [
        ("click", False, False),
        ("open", True, None),
        ("click", True, True),
        ("click", False, True),
    ]
    assert shown[0]["verdict"]["class"] == "human"


def exported(tenant, **params):
    answer = tenant.get(EXPORT, params=EVER | params)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("rows", [1, 2, 7, 100])
def test_an_export_has_every_event_once_whatever_a_page_holds(exporter, store, monkeypatch, rows):
    monkeypatch.setattr(export, "PAGE_ROWS", rows)
    send, number = send_id(), exporter.account.number
    store.insert_sends([send_row(number, send, tags=("a", "b"))])
    for _ in range(3):
        put(store, exporter, send)
        put(store, exporter, None if rows == 7 else send_id())
    put(store, exporter, send, outcome=Outcome.HEAD)
    store.insert_send_events([send_event(number, send, EventName.SENT, occurred_at=START)])

    answer = exported(exporter)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert len({line["event_id"] for line in lines}) == len(lines) == int(answer.headers["Waypost-Rows"]) == 8
    assert {line["recipient_email_address"] for line in lines if line["send_id"] == str(send)} == {"reader@example.com"}
    assert [line["verdict"]["class"] for line in lines if line["event"] == "click"] == ["human"] * 7


def test_a_later_export_takes_up_where_the_one_before_ended(api, exporter, store):
    put(store, exporter)
    [[stored_at]] = store._query(
        "test", "SELECT max(stored_at) FROM events WHERE account = {a:UInt64}", a=exporter.account.number
    )
    api.clock.now = stored_at + timedelta(minutes=2)
    first = exported(exporter, to=ms(api.clock.now))
    assert first.headers["Waypost-Rows"] == "1"

    again = exported(exporter, to=ms(api.clock.now), cursor=first.headers["Waypost-Cursor"])
    assert (again.headers["Waypost-Rows"], again.text) == ("0", "")

    # What comes late is new to it, however long ago it occurred.
    store._connection.writer.command(
        "INSERT INTO events SELECT * REPLACE (generateUUIDv4() AS event_id, {at:DateTime64(6)} AS stored_at) "
        "FROM events WHERE account = {a:UInt64}",
        parameters={"a": exporter.account.number, "at": stored_at + timedelta(minutes=1, seconds=30)},
    )
    assert (
        exported(exporter, to=ms(api.clock.now), cursor=first.headers["Waypost-Cursor"]).headers["Waypost-Rows"] == "1"
    )


def test_csv_holds_no_formula(exporter, store):
    number, send = exporter.account.number, send_id()
    hostile = ['=HYPERLINK("https://evil.example")', "+1", "-1", "@SUM(A1)", "\t=1", "\uff1d1", "ok; =1"]
    for text in hostile:
        put(store, exporter, send, headers={"user-agent": text})
    store.insert_sends([send_row(number, send, tags=("=cmd|' /C calc'!A0",), recipient_email_address="=a@b.example")])

    answer = exported(exporter, format="csv")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert sorted(row["user_agent"] for row in rows) == sorted([*(f"'{text}" for text in hostile[:-1]), hostile[-1]])
    assert {(row["tags"], row["recipient_email_address"]) for row in rows} == {("'=cmd|' /C calc'!A0", "'=a@b.example")}
    assert {float(row["longitude"]) for row in rows} == {-0.0931}
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert len(rows) == int(answer.headers["Waypost-Rows"])


def test_an_export_without_events_is_a_header_or_nothing(exporter):
    assert exported(exporter).text == ""
    assert exported(exporter, format="csv").text.startswith('"event_id","event",')


def test_an_export_is_the_askers_accounts_and_for_roles_that_read(api, exporter, store):
    put(store, exporter)
    stranger = api.tenant()
    stranger.client = exporter.client
    assert exported(stranger).headers["Waypost-Rows"] == "0"
    sender = api.as_role(exporter, Role.SEND_ONLY)
    assert sender.get(EXPORT).json()["code"] == 40301


def test_filters_hold_for_exports(exporter, store):
    put(store, exporter)
    put(store, exporter, kind=HitKind.OPEN)
    for params, rows in (({"event": "open"}, "1"), ({"verdict": "machine"}, "0"), ({"tag": "none"}, "0")):
        assert exported(exporter, **params).headers["Waypost-Rows"] == rows


def test_a_store_that_fails_on_the_way_cuts_the_export_off(exporter, store, monkeypatch):
    monkeypatch.setattr(export, "PAGE_ROWS", 1)
    pages, page = itertools.count(1), export.Export._page

    def fail_later(*asked):
        if next(pages) == 3:
            raise StoreFailed("export", "gone")
        return page(*asked)

    monkeypatch.setattr(export.Export, "_page", fail_later)
    for _ in range(4):
        put(store, exporter)
    with pytest.raises(httpx.RemoteProtocolError):
        exported(exporter)
