"""django-anymail's view of Postmark's webhooks takes ours unchanged: the package itself, behind a real server."""

import asyncio
import threading
from contextlib import contextmanager
from datetime import timedelta
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
import pytest
from django.conf import settings as django_settings
from tests.integration.webhooks.rig import Rig, until

from waypost.db.states import NoticeState, WebhookFormat
from waypost.events.notice import NoticeType
from waypost.webhooks.postmark import POSTMARK_TYPES
from waypost.webhooks.queue import test_notice as a_test


@pytest.fixture(scope="module")
def consumer():
    """Django with anymail, as its documentation sets it up; what its signal said, and where it listens."""
    django_settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        ANYMAIL={"WEBHOOK_SECRET": "na:me"},
        INSTALLED_APPS=["anymail"],
        ROOT_URLCONF="anymail.urls",
        SECRET_KEY="test",
        USE_TZ=True,
        LOGGING_CONFIG=None,
    )
    django.setup()
    from anymail.signals import tracking  # noqa: PLC0415 -- wants Django to be set up
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415 -- as above

    told = []

    def note(sender, event, esp_name, **_):  # noqa: ARG001 -- the signal's own names
        told.append((esp_name, event))

    tracking.connect(note, weak=False)
    with serving(get_wsgi_application()) as port:
        yield told, port


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def serving(application):
    with make_server("127.0.0.1", 0, application, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def rig(database, tmp_path):
    return Rig(database, tmp_path)


READER = {
    "client": {"name": "Firefox", "version": "140.0"},
    "os": {"name": "Windows", "version": "11"},
    "device": {"name": "Other", "type": "desktop"},
    "user_agent": "Mozilla/5.0",
    "ip": "192.0.2.1",
    "geo": {"country": "AT", "region": "Wien", "city": "Vienna"},
}
COMMON = {
    "send_key": "2aUyqjCzEIiEcYMKj7TZtw2zcY3",
    "recipient_email_address": "reader@inbox.example",
    "tags": ["spring", "sale"],
    "detail": "",
}
EVENTS = {
    NoticeType.DELIVERED: {"detail": "250 2.0.0 taken"},
    NoticeType.BOUNCE: {"detail": "550 5.1.1 no such mailbox"},
    NoticeType.OPEN: {**READER, "first_for_send": True},
    NoticeType.CLICK: {**READER, "link": {"index": 0, "name": "", "url": "https://shop.example/?a=1", "part": "html"}},
}


def tell(rig, url, credentials, *types):
    """Events of these types, and how the one endpoint did."""

    async def scenario():
        account = rig.account()
        endpoint, _ = rig.endpoint(
            account, url, format=WebhookFormat.POSTMARK, credentials=credentials, events=list(POSTMARK_TYPES)
        )
        events = [rig.click(account, each, **{**COMMON, **EVENTS[each]}) for each in types]
        rig.notices.occurred(events)
        async with rig.running():
            await until(lambda: len(rig.attempts()) >= len(types))
        return endpoint, events

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (NoticeType.DELIVERED, {"event_type": "delivered", "mta_response": "250 2.0.0 taken"}),
        (
            NoticeType.BOUNCE,
            {"event_type": "bounced", "reject_reason": "bounced", "mta_response": "550 5.1.1 no such mailbox"},
        ),
        (NoticeType.OPEN, {"event_type": "opened", "user_agent": "Mozilla/5.0"}),
        (NoticeType.CLICK, {"event_type": "clicked", "click_url": "https://shop.example/?a=1"}),
    ],
)
def test_anymail_understands_each_event(rig, consumer, type_, expected):
    told, port = consumer
    told.clear()

    endpoint, [event] = tell(rig, f"http://127.0.0.1:{port}/postmark/tracking/", "na:me", type_)

    assert rig.states(endpoint) == {NoticeState.DELIVERED: 1}, rig.attempts()
    [(esp, understood)] = told
    assert esp == "Postmark"
    assert {name: getattr(understood, name) for name in expected} == expected
    assert understood.message_id == str(event.send_id)
    assert understood.recipient == "reader@inbox.example"
    assert understood.tags == ["spring"]
    assert understood.metadata == {"send_key": COMMON["send_key"]}
    assert understood.timestamp - event.occurred_at == timedelta()


def test_anymail_takes_a_test_for_a_delivery(rig, consumer):
    told, port = consumer
    told.clear()

    async def scenario():
        endpoint, _ = rig.endpoint(
            rig.account(),
            f"http://127.0.0.1:{port}/postmark/tracking/",
            format=WebhookFormat.POSTMARK,
            credentials="na:me",
        )
        with rig.database.writing() as session:
            session.add(a_test(endpoint, endpoint.public_id, rig.now()))
        async with rig.running():
            await until(rig.settled(1))

    asyncio.run(scenario())
    assert [(event.event_type, event.recipient) for _, event in told] == [("delivered", "test@example.com")]


@pytest.mark.parametrize("credentials", [None, "na:other"])
def test_anymail_refuses_who_does_not_log_in(rig, consumer, credentials):
    told, port = consumer
    told.clear()

    tell(rig, f"http://127.0.0.1:{port}/postmark/tracking/", credentials, NoticeType.CLICK)

    assert [attempt.status for attempt in rig.attempts()] == [400]
    assert told == []
