"""What webhooks tell is what the API shows."""

from uuid import UUID, uuid4

from waypost.control.webhooks.events import event_reader
from waypost.events.client import UNKNOWN, Client
from waypost.events.hit import Outcome
from waypost.events.location import UNKNOWN as NOWHERE
from waypost.events.name import EventName
from waypost.store.rows import Event, EventLink


def test_an_event_is_told_exactly_as_the_api_shows_it(api):
    tenant = api.tenant()
    send_id = UUID(tenant.send(tags=["spring"]).json()["send_id"])
    common = {
        "occurred_at": api.clock.now,
        "received_at": api.clock.now,
        "stored_at": api.clock.now,
        "account": tenant.account.number,
        "profile": tenant.profile.number,
        "send_id": send_id,
        "edge": "edge",
        "link_domain": "localhost",
        "client_address": "192.0.2.1",
        "user_agent": "curl",
        "location": NOWHERE,
        "verdict": None,
        "detail": "",
    }
    link = EventLink(1, "buy", "https://shop.example/", "html")
    clicked = Event(
        event_id=uuid4(), event=EventName.CLICK, outcome=Outcome.ANSWERED, link=link, client=Client(browser="curl"),
        **common,
    )  # fmt: skip
    sent = Event(event_id=uuid4(), event=EventName.SENT, outcome=None, link=None, client=UNKNOWN, **common)
    api.store.events[tenant.account.number, send_id] = [sent, clicked]

    account, events_of = tenant.account.number, event_reader(api.database, api.store)
    told = events_of([(account, send_id, each.event_id) for each in (sent, clicked)])

    assert list(told.values()) == tenant.get(f"/api/v1/email/send/{send_id}/events").json()
    assert list(told) == [sent.event_id, clicked.event_id]
    assert list(events_of([(account, send_id, sent.event_id), (account, uuid4(), uuid4())])) == [sent.event_id]
    assert events_of([(account + 1, send_id, sent.event_id)]) == {}
