"""Events as the API shows them."""

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from waypost.control.sends.event_schema import (
    DeviceView,
    EventLink,
    EventView,
    GeoView,
    SoftwareView,
    StoredEventView,
    VerdictView,
)
from waypost.control.sends.service import FoundSend
from waypost.control.times import unix_seconds
from waypost.events.hit import Outcome
from waypost.events.location import Location
from waypost.events.name import EventName
from waypost.events.verdict import Verdict
from waypost.store.rows import Event, SendRow


def event_views(found: FoundSend, events: Sequence[Event]) -> list[EventView]:
    """All events of a send, in the order they occurred."""
    sent, of_send, of_link = sent_row(found), first_of_send(events), first_of_link(events)
    return [event_view(sent, event, of_send, of_link) for event in events]


def sent_row(found: FoundSend) -> SendRow:
    """What an event is shown with of its send; its links are known to the event."""
    send = found.send
    return SendRow(
        send_id=send.send_id,
        send_key=send.send_key,
        account=send.account,
        profile=send.profile,
        sending_profile_id=found.sending_profile_id,
        recipient_email_address=send.recipient_email_address,
        tags=tuple(send.tags),
        links=(),
        accepted_at=send.created_at,
    )


def event_view(sent: SendRow, event: Event, of_send: Collection[UUID], of_link: Collection[UUID]) -> EventView:
    """One of them.

    Args:
        sent: its send.
        event: it.
        of_send: holds its id when it is the first click, or the first open, of the send.
        of_link: holds its id when it is the first click on its link.
    """
    return EventView(
        **dict(stored_event_view(event, sent)),
        first_for_link=event.event_id in of_link if event.event is EventName.CLICK else None,
        first_for_send=event.event_id in of_send if event.outcome is not None else None,
    )


def first_of_send(events: Iterable[Event]) -> set[UUID]:
    """The first click and the first open of a send, of events in order. HEAD and prefetch are neither."""
    first: dict[EventName, UUID] = {}
    for event in events:
        if event.outcome is Outcome.ANSWERED:
            first.setdefault(event.event, event.event_id)
    return set(first.values())


def first_of_link(events: Iterable[Event]) -> set[UUID]:
    """The first click on each link of a send, likewise."""
    first: dict[int, UUID] = {}
    for event in events:
        if event.outcome is Outcome.ANSWERED and event.link is not None:
            first.setdefault(event.link.index, event.event_id)
    return set(first.values())


def stored_event_view(event: Event, send: SendRow | None) -> StoredEventView:
    """An event of a send; None: it has none, or its record is gone."""
    by_reader, client = event.outcome is not None, event.client
    return StoredEventView(
        event_id=event.event_id,
        event=event.event,
        send_id=event.send_id,
        send_key=send.send_key if send else None,
        sending_profile_id=send.sending_profile_id if send else None,
        recipient_email_address=send.recipient_email_address if send else None,
        tags=list(send.tags) if send else [],
        occurred_at_utc=unix_seconds(event.occurred_at),
        detail=event.detail,
        link=EventLink(index=link.index, name=link.name, url=link.url, part=link.part)
        if (link := event.link)
        else None,
        outcome=event.outcome,
        client=SoftwareView(name=client.browser, version=client.browser_version) if by_reader else None,
        image_proxy=client.image_proxy,
        os=SoftwareView(name=client.os, version=client.os_version) if by_reader else None,
        device=DeviceView(name=client.device, type=client.device_type) if by_reader else None,
        user_agent=event.user_agent if by_reader else None,
        geo=_geo(event.location) if by_reader else None,
        ip=event.client_address if by_reader else None,
        verdict=_verdict(event.verdict) if event.verdict else None,
    )


def _geo(location: Location) -> GeoView:
    return GeoView(
        country=location.country,
        region=location.region,
        city=location.city,
        latitude=location.latitude,
        longitude=location.longitude,
        time_zone=location.time_zone,
    )


def _verdict(verdict: Verdict) -> VerdictView:
    return VerdictView(
        class_=verdict.verdict_class, final=verdict.final, score=verdict.score, reasons=list(verdict.reasons)
    )
