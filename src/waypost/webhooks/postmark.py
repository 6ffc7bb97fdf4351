"""The same in the words of Postmark's webhooks, for consumers that are there already: pure.

Source: Postmark's developer documentation, "Bounce webhook", "Delivery webhook", "Open tracking webhook" and "Click
webhook". Fields that only Postmark could fill are left out, or are those of an account without servers and streams.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from waypost.events.notice import NoticeType
from waypost.webhooks.payload import Event, written

_PLATFORMS: Final = {"desktop": "Desktop", "mobile": "Mobile", "tablet": "Mobile"}
_PARTS: Final = {"html": "HTML", "outlook": "HTML"}


def body(type_: NoticeType, occurred_at: datetime, event: Event) -> bytes:
    """A message in Postmark's words.

    Raises:
        KeyError: Postmark has no word for this type: `POSTMARK_TYPES` are those it has.
    """
    record = {
        **_RECORDS[type_](event, written(occurred_at)),
        "MessageID": event["send_id"],
        "MessageStream": "outbound",
        "ServerID": 0,
        "Tag": next(iter(event["tags"]), ""),
        "Metadata": {"send_key": event["send_key"]},
    }
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _delivery(event: Event, at: str) -> dict[str, Any]:
    return {
        "RecordType": "Delivery",
        "Recipient": event["recipient_email_address"],
        "DeliveredAt": at,
        "Details": event["detail"],
    }


def _bounce(event: Event, at: str) -> dict[str, Any]:
    return {
        "RecordType": "Bounce",
        # Postmark's ids are 64-bit numbers; the last half of an event's is as good as random.
        "ID": int(event["event_id"].replace("-", "")[-15:], 16),
        "Type": "HardBounce",
        "TypeCode": 1,
        "Name": "Hard bounce",
        "Description": "The message was refused, or given up after days of trying.",
        "Details": event["detail"],
        "Email": event["recipient_email_address"],
        "BouncedAt": at,
        "DumpAvailable": False,
        "Inactive": False,
        "CanActivate": False,
    }


def _open(event: Event, at: str) -> dict[str, Any]:
    first = {"FirstOpen": event["first_for_send"]} if "first_for_send" in event else {}
    return {"RecordType": "Open", **first, **_reader(event, at)}


def _click(event: Event, at: str) -> dict[str, Any]:
    link = event["link"] or {"url": "", "part": "html"}
    return {
        "RecordType": "Click",
        "ClickLocation": _PARTS.get(link["part"], "Text"),
        "OriginalLink": link["url"],
        **_reader(event, at),
    }


def _reader(event: Event, at: str) -> dict[str, Any]:
    device = event["device"] or {}
    return {
        "Recipient": event["recipient_email_address"],
        "ReceivedAt": at,
        "Client": _software(event["client"]),
        "OS": _software(event["os"]),
        "Platform": _PLATFORMS.get(device.get("type", ""), "Unknown"),
        "UserAgent": event["user_agent"] or "",
        "Geo": _geo(event),
    }


def _software(software: Mapping[str, str] | None) -> dict[str, str]:
    name, version = (software["name"], software["version"]) if software else ("", "")
    return {"Name": f"{name} {version}".strip(), "Company": "", "Family": name}


def _geo(event: Event) -> dict[str, str]:
    geo = event.get("geo") or {}
    return {
        "IP": event["ip"] or "",
        "CountryISOCode": geo.get("country") or "",
        "Region": geo.get("region") or "",
        "City": geo.get("city") or "",
    }


_RECORDS: Final[Mapping[NoticeType, Callable[[Event, str], dict[str, Any]]]] = {
    NoticeType.DELIVERED: _delivery,
    NoticeType.BOUNCE: _bounce,
    NoticeType.OPEN: _open,
    NoticeType.CLICK: _click,
}
POSTMARK_TYPES: Final = frozenset(_RECORDS)
"""What an endpoint of this format can be told of."""

TEST_EVENT: Final[Event] = {
    "send_id": "00000000-0000-0000-0000-000000000000",
    "send_key": "test",
    "tags": ["test"],
    "recipient_email_address": "test@example.com",
    "detail": "This is a test: nothing was delivered.",
}
"""The event of a test, which goes out as a delivery: Postmark has no type for tests."""
