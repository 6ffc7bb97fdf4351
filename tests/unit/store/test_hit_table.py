"""What goes in is what a row says, whether rows share what they have in common or not."""

from datetime import UTC, datetime, timedelta
from math import isnan
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace
from tests.unit.store.rows import LONDON, PHONE, hit, hit_row, send_id

from waypost.events.client import UNKNOWN, ImageProxy
from waypost.events.hit import HitKind, Outcome
from waypost.events.location import UNKNOWN as NOWHERE
from waypost.events.verdict import Reason, Verdict, VerdictClass
from waypost.pipeline.anonymous import anonymous
from waypost.store import StoreRefused

BOT = Verdict(
    verdict_class=VerdictClass.MACHINE,
    score=100,
    reasons=(Reason.HEAD, Reason.SEC_FETCH_MISSING),
    final=True,
    rules_version=65_535,
)


def plainly(row):
    """Each column of a row, by name, as a query gives it."""
    headers = dict(row.hit.headers)
    user_agent = headers.pop("user-agent", "")
    return {
        "event_id": row.hit.event_id,
        "event": row.hit.kind.value,
        "outcome": row.hit.outcome.value,
        "occurred_at": row.hit.occurred_at,
        "received_at": row.received_at,
        "account": row.hit.account,
        "profile": row.hit.profile,
        "send_id": row.hit.send_id or UUID(int=0),
        "link_index": row.hit.link_index,
        "destination": row.hit.destination,
        "link_domain": row.hit.link_domain,
        "edge": row.hit.edge,
        "segment": row.segment,
        "record": row.record,
        "client_address": row.hit.client_address,
        "user_agent": user_agent,
        "headers": headers,
        "browser": row.client.browser,
        "browser_version": row.client.browser_version,
        "os": row.client.os,
        "os_version": row.client.os_version,
        "device": row.client.device,
        "device_type": row.client.device_type.value,
        "image_proxy": row.client.image_proxy.value if row.client.image_proxy else "",
        "country": row.location.country,
        "region": row.location.region,
        "city": row.location.city,
        "latitude": row.location.latitude,
        "longitude": row.location.longitude,
        "time_zone": row.location.time_zone,
        "asn": row.location.asn,
        "as_organisation": row.location.as_organisation,
        "unenriched": list(row.unenriched),
        "cleared": list(row.cleared),
        "verdict": row.verdict.verdict_class.value,
        "verdict_score": row.verdict.score,
        "verdict_reasons": [reason.value for reason in row.verdict.reasons],
        "verdict_final": row.verdict.final,
        "verdict_rules": row.verdict.rules_version,
        "detail": "",
    }


def stored(store, segment):
    described = store._query("columns", "DESCRIBE TABLE events")
    names = [name for name, *_ in described if name != "stored_at"]
    rows = store._query(
        "rows", f"SELECT {', '.join(names)} FROM events WHERE segment = {{s:String}} ORDER BY record", s=segment
    )
    found = [dict(zip(names, row, strict=True)) for row in rows]
    for row in found:
        for degrees in ("latitude", "longitude"):
            row[degrees] = None if isnan(row[degrees]) else pytest.approx(row[degrees], abs=1e-4)
    return found


def test_every_column_is_as_its_row_says_shared_or_not(store, account):
    segment = f"edge-0.{uuid4()}"
    many = {f"x-{number}": "v" * number for number in range(300)}
    hits = [
        hit(account, send_id()),
        hit(account, send_id(), headers={}),
        hit(account, None, kind=HitKind.OPEN, destination="", client_address=""),
        hit(account, send_id(), headers={"user-agent": "Größe \x00 \U0001f600", "accept": ""}),
        hit(account, send_id(), headers=many, outcome=Outcome.HEAD),
        hit(account, send_id(), destination="https://例え.example/" + "x" * 60_000, link_index=2**32 - 1),
        hit(account, send_id(), occurred_at=datetime(2300, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)),
        hit(account, send_id(), occurred_at=datetime(1900, 1, 1, tzinfo=UTC), profile=2**64 - 1),
    ]
    hits += [replace(each, event_id=uuid4(), headers=dict(each.headers)) for each in hits] + hits[:2]
    facts = [
        {},
        {"client": UNKNOWN, "location": NOWHERE, "unenriched": ("client", "location")},
        {"client": replace(PHONE, image_proxy=ImageProxy.APPLE), "verdict": BOT},
        {"location": replace(LONDON, asn=2**32 - 1, latitude=0.0)},
    ]
    rows = [
        hit_row(each, segment=segment, record=number, **facts[number % len(facts)]) for number, each in enumerate(hits)
    ]
    store.insert_hits(rows)
    assert stored(store, segment) == [plainly(row) for row in rows]


def test_a_row_alone_and_rows_that_share_everything_are_stored_as_they_are(store, account):
    segment = f"edge-0.{uuid4()}"
    alone = hit_row(hit(account, None, headers={}), segment=segment, record=2**32 - 1)
    store.insert_hits([alone])
    assert stored(store, segment) == [plainly(alone)]
    segment, click = f"edge-0.{uuid4()}", hit(account, send_id())
    alike = [hit_row(click, segment=segment, record=number) for number in range(3)]
    store.insert_hits(alike)
    assert stored(store, segment) == [plainly(row) for row in alike]


def test_rows_of_several_segments_and_of_an_erased_send_go_in_together(store, account):
    segments = [f"edge-{number}.{uuid4()}" for number in range(3)]
    rows = [
        hit_row(hit(account, send_id(), edge=segment.partition(".")[0]), segment=segment, record=number)
        for number in range(4)
        for segment in segments
    ]
    rows[5] = anonymous(rows[5])
    store.insert_hits(rows)
    for segment in segments:
        assert stored(store, segment) == [plainly(row) for row in rows if row.segment == segment]


@pytest.mark.parametrize(
    "fields",
    [
        {"link_index": 2**32},
        {"link_index": -1},
        {"profile": 2**64},
        {"edge": "edge-\udfff"},
        {"destination": "https://shop.example/\ud800"},
        {"headers": {"user-agent": "\udfff"}},
    ],
)
def test_a_value_that_no_column_holds_is_refused_and_nothing_is_stored(store, account, fields):
    segment = f"edge-0.{uuid4()}"
    good, bad = hit(account, send_id()), hit(account, send_id(), **fields)
    with pytest.raises(StoreRefused):
        store.insert_hits([hit_row(good, segment=segment), hit_row(bad, segment=segment, record=1)])
    assert stored(store, segment) == []
