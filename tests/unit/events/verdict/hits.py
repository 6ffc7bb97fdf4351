"""Hits to judge, with as little said as a test needs."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from waypost.events.client import Client, DeviceType
from waypost.events.hit import HitKind, Outcome
from waypost.events.verdict import Evidence, SendFacts

DELIVERED = datetime(2026, 3, 30, 9, tzinfo=UTC)
SEND = SendFacts(DELIVERED, links=6)
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = {
    "user-agent": f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/146.0.0.0 Safari/537.36",
    "accept-language": "en-GB,en;q=0.9",
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "none",
    "sec-fetch-user": "?1",
}
SAFARI = {
    "user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.3 Mobile/15E148 Safari/604.1",
    "accept-language": "en-GB,en;q=0.9",
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "none",
}
BOT = Client(device_type=DeviceType.BOT)
HOME, ELSEWHERE = "198.51.100.7", "203.0.113.9"


def bare(headers):
    """A browser's name on what an HTTP library sends."""
    return {"user-agent": headers["user-agent"], "accept": "*/*"}


def hit(at, number=0, *, kind=HitKind.CLICK, outcome=Outcome.ANSWERED, link=0, address=HOME, headers=CHROME, **more):
    """A click in Chrome, `at` seconds after delivery. `number` tells hits apart."""
    return Evidence(
        event_id=UUID(int=number + 1),
        kind=kind,
        outcome=outcome,
        occurred_at=DELIVERED + timedelta(seconds=at),
        link_index=link,
        destination=f"https://shop.example/{link}",
        client_address=address,
        headers=headers,
        **more,
    )
