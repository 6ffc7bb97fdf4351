"""How the nouns become columns, and how rows become nouns again."""

import math
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from msgspec import Struct

from waypost.events.client import Client, DeviceType, ImageProxy
from waypost.events.hit import Outcome
from waypost.events.location import Location
from waypost.events.name import EventName
from waypost.events.verdict import Reason, Verdict, VerdictClass
from waypost.store.rows import Event, EventLink, SendEventRow, SendRow, SentLink

# Stands for "no send": a nullable column costs a second file and loses the primary key.
NO_SEND: Final = UUID(int=0)

Row = TypeVar("Row")


class Column(Struct, Generic[Row], frozen=True):
    """A column, and where its value is found in a row."""

    name: str
    value: Callable[[Row], object]


def transpose(columns: Sequence[Column[Row]], rows: Sequence[Row]) -> list[list[object]]:
    """`rows` as one list per column, the form that costs the client least."""
    return [list(map(column.value, rows)) for column in columns]


def client_values(client: Client) -> tuple[object, ...]:
    """In the order of `derived.CLIENT`."""
    return (
        client.browser,
        client.browser_version,
        client.os,
        client.os_version,
        client.device,
        client.device_type.value,
        client.image_proxy.value if client.image_proxy else "",
    )


def location_values(location: Location) -> tuple[object, ...]:
    """In the order of `derived.LOCATION`."""
    return (
        location.country,
        location.region,
        location.city,
        degrees(location.latitude),
        degrees(location.longitude),
        location.time_zone,
        location.asn,
        location.as_organisation,
    )


def degrees(known: float | None) -> float:
    """As it is stored: NaN is unknown, for a nullable column costs a file and a second look at every row."""
    return math.nan if known is None else known


SEND_EVENT_COLUMNS: Final[tuple[Column[SendEventRow], ...]] = (
    Column("event_id", attrgetter("event_id")),
    Column("event", attrgetter("event")),
    Column("occurred_at", attrgetter("occurred_at")),
    Column("received_at", attrgetter("received_at")),
    Column("account", attrgetter("account")),
    Column("profile", attrgetter("profile")),
    Column("send_id", attrgetter("send_id")),
    Column("device_type", lambda _: DeviceType.UNKNOWN),
    Column("detail", attrgetter("detail")),
)

SEND_COLUMNS: Final[tuple[Column[SendRow], ...]] = (
    Column("send_id", attrgetter("send_id")),
    Column("send_key", attrgetter("send_key")),
    Column("account", attrgetter("account")),
    Column("profile", attrgetter("profile")),
    Column("sending_profile_id", attrgetter("sending_profile_id")),
    Column("recipient_email_address", attrgetter("recipient_email_address")),
    Column("tags", attrgetter("tags")),
    Column("link_indexes", lambda row: [link.index for link in row.links]),
    Column("link_names", lambda row: [link.name for link in row.links]),
    Column("link_parts", lambda row: [link.part for link in row.links]),
    Column("accepted_at", attrgetter("accepted_at")),
)


def send_of(row: Sequence[Any]) -> SendRow:
    """A row of `queries.SEND_COLUMNS`."""
    send_id, send_key, account, profile, profile_id, recipient, tags, indexes, names, parts, accepted_at = row
    return SendRow(
        send_id=send_id,
        send_key=send_key,
        account=account,
        profile=profile,
        sending_profile_id=profile_id,
        recipient_email_address=recipient,
        tags=tuple(tags),
        links=tuple(map(SentLink, indexes, names, parts)),
        accepted_at=accepted_at,
    )


def event_of(row: Sequence[Any], send: SendRow | None) -> Event:
    """A row of `queries.EVENT_COLUMNS`, and the record of its send, where there is one."""
    event_id, event, outcome, occurred_at, received_at, stored_at, account, profile, send_id = row[:9]
    link_index, destination, link_domain, edge, client_address, user_agent = row[9:15]
    country, region, city, latitude, longitude, time_zone, asn, as_organisation = row[22:30]
    name = EventName(event)
    return Event(
        event_id=event_id,
        event=name,
        outcome=Outcome(outcome) if outcome else None,
        occurred_at=occurred_at,
        received_at=received_at,
        stored_at=stored_at,
        account=account,
        profile=profile,
        send_id=None if send_id == NO_SEND else send_id,
        link=_link(link_index, destination, send) if name is EventName.CLICK else None,
        link_domain=link_domain,
        edge=edge,
        client_address=client_address,
        user_agent=user_agent,
        client=client_of(row[15:22]),
        location=Location(
            country=country,
            region=region,
            city=city,
            latitude=_known(latitude),
            longitude=_known(longitude),
            time_zone=time_zone,
            asn=asn,
            as_organisation=as_organisation,
        ),
        verdict=verdict_of(row[30:35]),
        detail=row[35],
    )


def client_of(row: Sequence[Any]) -> Client:
    """Its seven columns."""
    browser, browser_version, os, os_version, device, device_type, image_proxy = row
    return Client(
        browser=browser,
        browser_version=browser_version,
        os=os,
        os_version=os_version,
        device=device,
        device_type=DeviceType(device_type),
        image_proxy=ImageProxy(image_proxy) if image_proxy else None,
    )


def verdict_of(row: Sequence[Any]) -> Verdict | None:
    """Its five columns; None for what no rule has seen."""
    verdict_class, score, reasons, final, rules_version = row
    if not verdict_class:
        return None
    return Verdict(
        verdict_class=VerdictClass(verdict_class),
        score=score,
        reasons=tuple(map(Reason, reasons)),
        final=final,
        rules_version=rules_version,
    )


def _link(index: int, destination: str, send: SendRow | None) -> EventLink:
    links = send.links if send else ()
    sent = next((link for link in links if link.index == index), SentLink(index, "", "html"))
    return EventLink(index=index, name=sent.name, url=destination, part=sent.part)


def _known(degrees: float) -> float | None:
    """As it went in: the column has 32 bits, whose noise begins behind the fourth decimal."""
    return None if math.isnan(degrees) else round(degrees, 4)
