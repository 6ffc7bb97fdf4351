"""Plausible rows to put into a store; each test names only what it is about."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from waypost.events.client import Client, DeviceType
from waypost.events.hit import Hit, HitKind, Outcome
from waypost.events.ids import uuid7
from waypost.events.location import Location
from waypost.events.name import EventName
from waypost.events.verdict import RULES_VERSION, Reason, Verdict, VerdictClass
from waypost.store import HitRow, SegmentSpan, SendEventRow, SendRow, SentLink

NOON = datetime(2026, 3, 5, 12, 0, 0, 123456, tzinfo=UTC)
PHONE = Client(
    browser="Mobile Safari",
    browser_version="17.5",
    os="iOS",
    os_version="17.5.1",
    device="iPhone",
    device_type=DeviceType.MOBILE,
)
LONDON = Location(
    country="GB",
    region="England",
    city="London",
    latitude=51.5142,
    longitude=-0.0931,
    time_zone="Europe/London",
    asn=20712,
    as_organisation="Andrews & Arnold Ltd",
)

PERSON = Verdict(
    verdict_class=VerdictClass.HUMAN, score=0, reasons=(Reason.NO_SIGN,), final=False, rules_version=RULES_VERSION
)


def send_id(at=NOON) -> UUID:
    return uuid7(int(at.timestamp() * 1000), uuid4().bytes)


def hit(account, send, **changes) -> Hit:
    known = {
        "event_id": send_id(),
        "occurred_at": NOON,
        "edge": "edge-0",
        "kind": HitKind.CLICK,
        "outcome": Outcome.ANSWERED,
        "send_id": send,
        "account": account,
        "profile": 7,
        "link_index": 2,
        "destination": "https://shop.example/räder?a=1&b='\\\"\t2",
        "link_domain": "links.example.com",
        "client_address": "2001:db8::1",
        "headers": {
            "user-agent": "Mozilla/5.0 (iPhone)",
            "accept-language": "fr, ümlaut",
        },
    }
    return Hit(**(known | changes))


def hit_row(
    the_hit, segment="edge-0.s", record=0, client=PHONE, location=LONDON, unenriched=(), verdict=PERSON
) -> HitRow:
    return HitRow(
        hit=the_hit,
        client=client,
        location=location,
        segment=segment,
        record=record,
        received_at=NOON + timedelta(seconds=1),
        unenriched=unenriched,
        verdict=verdict,
    )


def span(account, segment, *times) -> SegmentSpan:
    return SegmentSpan(segment, frozenset({account}), min(times, default=NOON), max(times, default=NOON))


def send_row(account, send, **changes) -> SendRow:
    known = {
        "send_id": send,
        "send_key": "2aUyqjCzEIiEcYMKj7TZtw2zcY3",
        "account": account,
        "profile": 7,
        "sending_profile_id": UUID(int=77),
        "recipient_email_address": "reader@example.com",
        "tags": ("spring", "ürün"),
        "links": (SentLink(0, "", "html"), SentLink(2, "buy", "outlook")),
        "accepted_at": NOON,
    }
    return SendRow(**(known | changes))


def send_event(account, send, event=EventName.ACCEPTED, **changes) -> SendEventRow:
    known = {
        "event_id": send_id(),
        "event": event,
        "occurred_at": NOON,
        "received_at": NOON + timedelta(seconds=1),
        "account": account,
        "profile": 7,
        "send_id": send,
    }
    return SendEventRow(**(known | changes))
