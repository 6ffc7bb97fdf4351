"""Sending, and reading back what was sent."""

import base64
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, func, select
from tests.integration.control.conftest import START

from waypost.control.links.planning import MAX_LINKS, TOO_MANY
from waypost.control.profiles.schema import NewProfile
from waypost.control.sends import acceptance
from waypost.db.outbox import LinkRecord, SendEvent, SendRecord, fact_of
from waypost.db.states import AccountState, DeliveryState, OutboxTopic, ProfileState, Role, SendState
from waypost.db.tables import (
    Content,
    ContentAttachment,
    Delivery,
    IdempotencyKey,
    Outbox,
    Profile,
    Report,
    SearchEntry,
    Send,
)
from waypost.events.client import Client, DeviceType, ImageProxy
from waypost.events.hit import Outcome
from waypost.events.ids import uuid7_unix_ms
from waypost.events.location import Location
from waypost.events.name import EventName
from waypost.events.verdict import Reason, Verdict, VerdictClass
from waypost.store.errors import StoreFailed
from waypost.store.rows import Event, EventLink

SEND = "/api/v1/email/send"
NO_CLICKS = {"total": 0, "human": 0, "machine": 0, "unknown": 0, "first_at_utc": None, "first_human_at_utc": None}


def counts(api):
    with api.database.reading() as session:
        return [
            session.scalars(select(func.count()).select_from(table)).one()
            for table in (Send, Content, Delivery, SearchEntry, Outbox, IdempotencyKey)
        ]


def test_an_accepted_send_is_answered_in_smtpds_form(api):
    tenant = api.tenant()

    answer = tenant.send(
        from_name="Shop", recipient_name="Ada", subject="Hej 👋", open_tracking=True, click_tracking=True, tags=["a"]
    )

    body = answer.json()
    assert answer.status_code == 202, body
    send_id, send_key = UUID(body.pop("send_id")), body.pop("send_key")
    assert (send_id.version, uuid7_unix_ms(send_id)) == (7, int(START.timestamp() * 1000))
    assert re.fullmatch("[0-9A-Za-z]{27}", send_key)
    assert body.pop("link_report")["tracked"] == 1
    assert body == {
        "sending_profile_id": str(tenant.profile.public_id),
        "from_email_address": f"shop@{tenant.domain}",
        "from_name": "Shop",
        "reply_to": "",
        "recipient_email_address": "ada@example.com",
        "recipient_name": "Ada",
        "subject": "Hej 👋",
        "open_tracking": True,
        "click_tracking": True,
        "privacy_mode": "identified",
        "ip_policy": "full",
        "tags": ["a"],
        "state": "accepted",
        "state_category": "accepted",
        "created_at_utc": int(START.timestamp()),
        "modified_at_utc": int(START.timestamp()),
    }


def test_what_was_answered_is_what_is_read_later(api):
    tenant = api.tenant()
    answer = tenant.send(click_tracking=True, tags=["x", "y"]).json()

    assert tenant.get(f"{SEND}/{answer['send_id']}").json() == answer | {"clicks": NO_CLICKS}


def test_a_send_its_queue_place_and_its_news_are_there_together(api):
    tenant = api.tenant()
    html = '<a href="https://a.example/" data-smtpd-link-name="buy">1</a><a href="#x">2</a>'

    answer = tenant.send(content_html=html, content_text="plain", click_tracking=True, tags=["t"]).json()

    send_id = UUID(answer["send_id"])
    with api.database.reading() as session:
        send = session.get_one(Send, send_id)
        content = session.get_one(Content, send.content_id)
        delivery = session.scalars(select(Delivery).where(Delivery.send_id == send_id)).one()
        news = [
            fact
            for row in session.scalars(select(Outbox).order_by(Outbox.outbox_id))
            if (fact := fact_of(row.topic, row.payload)).send_id == send_id
        ]
    assert (content.html, content.text) == (html, "plain")
    assert content.report["links"] == answer["link_report"]["links"]
    assert (delivery.state, delivery.attempts, delivery.next_attempt_at) == (DeliveryState.QUEUED, 0, START)
    assert delivery.claimed_until is None
    assert news[0] == SendRecord(
        send_id=send_id,
        send_key=answer["send_key"],
        account=tenant.account.number,
        profile=tenant.profile.number,
        sending_profile_id=tenant.profile.public_id,
        recipient_email_address="ada@example.com",
        tags=["t"],
        links=[LinkRecord(0, "buy", "html")],
        created_at=START,
    )
    assert [(fact.event, fact.occurred_at, fact.account) for fact in news[1:]] == [
        (SendState.ACCEPTED, START, tenant.account.number),
        (SendState.QUEUED, START, tenant.account.number),
    ]
    assert all(isinstance(fact, SendEvent) for fact in news[1:])
    assert news[1].event_id < news[2].event_id, "ids keep the order of what happens at one instant"


def test_the_report_says_of_each_link_what_was_decided_and_why(api):
    html = '<a href=" https://a.example/?x=1&amp;y ">one</a><a href="mailto:a@b.c">two</a>'

    report = api.tenant().send(content_html=html, click_tracking=True).json()["link_report"]

    assert (report["tracked"], report["skipped"], report["error"]) == (1, 1, None)
    assert [(link["index"], link["destination"], link["decision"], link["reason"]) for link in report["links"]] == [
        (0, "https://a.example/?x=1&y", "tracked", None),
        (1, "mailto:a@b.c", "skipped", "scheme"),
    ]
    assert html[report["links"][0]["start"] : report["links"][0]["end"]] == " https://a.example/?x=1&amp;y "
    assert report["size"]["content_bytes"] > len(html), "as it will be sent: tracked links are longer"


def test_twins_for_outlook_are_one_link_of_the_slim_record(api):
    html = (
        '<!--[if mso]><a href="https://a.example/">o</a><![endif]--><a href="https://a.example/">h</a>'
        '<!--[if mso]><a href="https://b.example/">only</a><![endif]-->'
    )

    send_id = UUID(api.tenant().send(content_html=html, click_tracking=True).json()["send_id"])

    with api.database.reading() as session:
        rows = session.scalars(select(Outbox).where(Outbox.topic == OutboxTopic.SEND))
        [record] = [fact for row in rows if (fact := fact_of(row.topic, row.payload)).send_id == send_id]
    assert sorted((link.index, link.part) for link in record.links) == [(0, "html"), (1, "outlook")]


def test_names_of_links_may_hold_what_html_lets_them(api):
    html = '<a href="https://a.example/" data-smtpd-link-name="a\x00&#0;\x85&#x7f;b">x</a>'

    assert api.tenant().send(content_html=html, click_tracking=True).status_code == 202


@pytest.mark.parametrize("fields", [{}, {"click_tracking": False}, {"click_tracking": "none"}])
def test_without_click_tracking_there_is_no_report(api, fields):
    assert "link_report" not in api.tenant().send(**fields).json()


@pytest.mark.parametrize(
    ("written", "answered"), [(True, True), (False, False), ("none", False), ("click_tracking", True)]
)
def test_click_tracking_is_written_in_four_ways_and_answered_as_a_boolean(api, written, answered):
    assert api.tenant().send(click_tracking=written).json()["click_tracking"] is answered


def test_optional_fields_may_be_null(api):
    nothing = dict.fromkeys(["recipient_name", "from_name", "reply_to", "subject", "content_text", "tags"])

    answer = api.tenant().send(**nothing)

    assert answer.status_code == 202
    assert (answer.json()["subject"], answer.json()["tags"]) == ("", [])


@pytest.mark.parametrize(
    "html",
    [
        "<a href=",
        "<<<>>>",
        "<!--",
        "</body></body><a",
        "\x00<a href='http://x.example'>\r\n",
        "<a href=''>",
        "🎈" * 1000,
    ],
)
@pytest.mark.parametrize("click_tracking", [True, False])
def test_malformed_html_is_always_accepted_and_kept_as_it_is(api, html, click_tracking):
    tenant = api.tenant()
    answer = tenant.send(content_html=html, click_tracking=click_tracking)

    assert answer.status_code == 202
    assert tenant.get(f"{SEND}/{answer.json()['send_id']}/content/html").content == html.encode()


def test_what_a_message_has_besides_its_parts_is_kept_with_it(api):
    """Base64 with line breaks too, as MIME encoders write it."""
    tenant = api.tenant()
    leave = {"url": "https://shop.example/leave?a=1", "mailto": "mailto:l@shop.example", "one_click": True}
    files = [
        {"name": "Größe.csv", "content_type": "text/csv; charset=utf-8", "content": "w6Qs\r\nw7Y=\r\n"},
        {"name": "logo.png", "content_type": "image/png", "content": "", "content_id": "logo@shop.example"},
    ]

    answer = tenant.send(
        attachments=files, headers={"X-Campaign": " spring ", "X-B": "1", "X-A": "2"}, list_unsubscribe=leave
    )

    assert answer.status_code == 202, answer.text
    with api.database.reading() as session:
        send = session.get_one(Send, UUID(answer.json()["send_id"]))
        content = session.get_one(Content, send.content_id)
        kept = session.scalars(
            select(ContentAttachment)
            .where(ContentAttachment.content_id == send.content_id)
            .order_by(ContentAttachment.position)
        ).all()
    assert [(file.name, file.content_type, file.data, file.inline_id) for file in kept] == [
        ("Größe.csv", "text/csv; charset=utf-8", "ä,ö".encode(), None),
        ("logo.png", "image/png", b"", "logo@shop.example"),
    ]
    # PostgreSQL would sort the names of an object by their length.
    assert content.headers == [["X-Campaign", "spring"], ["X-B", "1"], ["X-A", "2"]]
    assert send.list_unsubscribe == leave


def test_a_file_as_large_as_a_request_can_hold_is_taken(api):
    data = os.urandom(7_500_000)
    file = {"name": "a", "content_type": "application/pdf", "content": base64.b64encode(data).decode()}

    answer = api.tenant().send(attachments=[file])

    with api.database.reading() as session:
        content_id = session.get_one(Send, UUID(answer.json()["send_id"])).content_id
        assert session.get_one(ContentAttachment, (content_id, 0)).data == data


def test_attachments_go_when_their_content_goes(api):
    tenant = api.tenant()
    file = {"name": "a", "content_type": "text/plain", "content": "YQ=="}
    send_id = UUID(tenant.send(attachments=[file]).json()["send_id"])

    with api.database.writing() as session:
        content_id = session.get_one(Send, send_id).content_id
        session.execute(delete(Content).where(Content.content_id == content_id))

    with api.database.reading() as session:
        assert session.get(ContentAttachment, (content_id, 0)) is None
        assert session.get_one(Send, send_id).content_id is None


def test_a_link_that_unsubscribes_is_reported_as_left_alone(api):
    """R11: the URL of the List-Unsubscribe header is not tracked in the HTML part either."""
    url = "https://shop.example/leave?a=1&b=2"
    html = '<a href="https://shop.example/leave?a=1&amp;b=2">leave</a><a href="https://shop.example/">shop</a>'

    tenant = api.tenant()
    message = tenant.message(content_html=html, click_tracking=True, list_unsubscribe={"url": url})

    for path in (SEND, "/api/v1/email/links/preview"):
        links = tenant.post(path, message).json()["link_report"]["links"]
        assert [(link["destination"], link["reason"]) for link in links] == [
            (url, "unsubscribe"),
            ("https://shop.example/", None),
        ]


def test_a_failure_in_rewriting_sends_the_message_untracked_and_says_so(api, monkeypatch):
    """R18: it never loses the message."""

    def broken(_html, _policy):
        raise RecursionError

    monkeypatch.setattr("waypost.control.links.planning.plan", broken)
    tenant = api.tenant()

    answer = tenant.send(click_tracking=True)

    body = answer.json()
    assert answer.status_code == 202
    assert (body["state"], body["click_tracking"]) == ("accepted", False)
    assert "untracked" in body["error"]
    assert body["link_report"] == {"tracked": 0, "skipped": 0, "links": [], "size": None, "error": body["error"]}
    assert tenant.get(f"{SEND}/{body['send_id']}").json() == body | {"clicks": NO_CLICKS}


@pytest.mark.parametrize(
    "headers",
    [("Authorization", {}), ("Authentication", {}), ("Authentication", {"Authorization": "Basic azpz"})],
    ids=["Authorization", "Authentication", "Authentication beside another scheme"],
)
def test_a_large_body_is_read_from_who_has_an_access_token(api, headers):
    tenant = api.tenant()
    header, others = headers
    message = tenant.message(content_text="x" * 200_000)
    answer = tenant.client.post(SEND, json=message, headers=others | {header: tenant.headers["Authorization"]})

    assert answer.status_code == 202


def test_a_message_of_more_links_than_a_report_holds_goes_out_untracked_and_says_so(api):
    tenant = api.tenant()
    link = '<a HREF="https://shop.example/">'

    for path in (SEND, "/api/v1/email/links/preview"):
        within = tenant.post(path, tenant.message(click_tracking=True, content_html=link * MAX_LINKS)).json()
        assert within["link_report"]["tracked"] == MAX_LINKS
        beyond = tenant.post(path, tenant.message(click_tracking=True, content_html=link * (MAX_LINKS + 1))).json()
        assert beyond["link_report"] == {"tracked": 0, "skipped": 0, "links": [], "size": None, "error": TOO_MANY}

    sent = tenant.send(click_tracking=True, content_html=link * (MAX_LINKS + 1)).json()
    assert (sent["state"], sent["click_tracking"], sent["error"]) == ("accepted", False, TOO_MANY)


@pytest.mark.parametrize("state", [AccountState.PENDING, AccountState.REJECTED, AccountState.SUSPENDED])
@pytest.mark.parametrize("path", [SEND, "/api/v1/email/links/preview"])
def test_an_account_that_is_not_approved_gets_40901_and_nothing_is_stored(api, state, path):
    tenant = api.tenant(state=state)
    before = counts(api)

    answer = tenant.post(path, tenant.message(click_tracking=True))

    assert (answer.status_code, answer.json()["code"]) == (409, 40901)
    assert state in answer.json()["message"]
    assert counts(api) == before


@pytest.mark.parametrize("path", [SEND, "/api/v1/email/links/preview"])
@pytest.mark.parametrize(
    "of_profile",
    [
        {"state": ProfileState.CREATING},
        {"state": ProfileState.PENDING},
        {"state": ProfileState.DISABLED},
        {"deleted_at": START},
        {"sending_domain": "other.example"},
    ],
)
def test_without_an_active_profile_for_the_domain_it_is_40020_and_nothing_is_stored(api, path, of_profile):
    tenant = api.tenant()
    with api.database.writing() as session:
        profile = session.get_one(Profile, tenant.profile.number)
        for name, value in of_profile.items():
            setattr(profile, name, value)
    before = counts(api)

    answer = tenant.post(path, tenant.message(click_tracking=True))

    assert (answer.status_code, answer.json()["code"]) == (400, 40020)
    assert tenant.domain in answer.json()["message"]
    assert counts(api) == before


def test_another_accounts_profile_does_not_help(api):
    tenant, other = api.tenant(), api.tenant()

    assert tenant.send(from_email_address=f"shop@{other.domain}").json()["code"] == 40020


@pytest.mark.parametrize("written", ["Shop@{}", "shop@{}"])
def test_the_profile_is_found_by_the_domain_in_any_letter_case(api, written):
    tenant = api.tenant()

    assert tenant.send(from_email_address=written.format(tenant.domain.upper())).status_code == 202


def test_an_international_domain_is_found_in_either_form(api):
    tenant = api.tenant(link_domain=None)
    label = f"bücher{tenant.account.number}"
    new = NewProfile(profile_name="p", sending_domain=f"{label}.example", link_domain="localhost")
    profile = api.create_profile(tenant.account, new)

    for domain in (f"{label}.example", profile.sending_domain):
        assert tenant.send(from_email_address=f"shop@{domain}").status_code == 202


def test_content_is_served_raw_and_inert(api):
    tenant = api.tenant()
    html = '<p onclick="x">\r\n<a href="https://a.example/">é</a>'
    send_id = tenant.send(content_html=html, content_text="tëxt\n", click_tracking=True).json()["send_id"]

    shown, text = (tenant.get(f"{SEND}/{send_id}/content/{part}") for part in ("html", "text"))

    assert (shown.content, shown.headers["Content-Type"]) == (html.encode(), "text/html; charset=utf-8")
    assert (text.content, text.headers["Content-Type"]) == ("tëxt\n".encode(), "text/plain; charset=utf-8")
    assert "sandbox" in shown.headers["Content-Security-Policy"]


def test_a_part_that_the_message_has_not_is_404(api):
    tenant = api.tenant()
    send_id = tenant.send().json()["send_id"]

    assert tenant.get(f"{SEND}/{send_id}/content/text").json()["code"] == 40402


def test_content_that_is_not_kept_any_more_is_404_while_the_send_stays(api):
    tenant = api.tenant()
    send_id = tenant.send(click_tracking=True).json()["send_id"]
    with api.database.writing() as session:
        send = session.get_one(Send, UUID(send_id))
        session.delete(session.get_one(Content, send.content_id))

    assert tenant.get(f"{SEND}/{send_id}/content/html").status_code == 404
    assert tenant.get(f"{SEND}/{send_id}").status_code == 200
    assert "link_report" not in tenant.get(f"{SEND}/{send_id}").json()


def test_a_report_that_an_earlier_release_kept_beside_the_send_is_shown(api):
    tenant = api.tenant()
    answer = tenant.send(click_tracking=True).json()
    with api.database.writing() as session:
        content = session.get_one(Content, session.get_one(Send, UUID(answer["send_id"])).content_id)
        session.add(Report(send_id=UUID(answer["send_id"]), report=content.report, created_at=START))
        content.report = None

    assert tenant.get(f"{SEND}/{answer['send_id']}").json() == answer | {"clicks": NO_CLICKS}


def test_what_mail_notes_of_a_send_shows(api):
    tenant = api.tenant()
    send_id = tenant.send().json()["send_id"]
    with api.database.writing() as session:
        send = session.get_one(Send, UUID(send_id))
        send.state, send.error, send.modified_at = SendState.BOUNCE, "550 no such user", START + timedelta(minutes=1)

    body = tenant.get(f"{SEND}/{send_id}").json()

    assert (body["state"], body["state_category"], body["error"]) == ("bounce", "bounce", "550 no such user")
    assert body["modified_at_utc"] - body["created_at_utc"] == 60


def test_a_send_that_waits_shows_why_and_until_when_and_a_finished_one_does_not(api):
    tenant = api.tenant()
    send_id = tenant.send().json()["send_id"]
    with api.database.writing() as session:
        delivery = session.scalars(select(Delivery).where(Delivery.send_id == UUID(send_id))).one()
        delivery.last_error, delivery.attempts = "450 not now", 2
        delivery.next_attempt_at = START + timedelta(minutes=5)

    assert tenant.get(f"{SEND}/{send_id}").json()["delivery"] == {
        "attempts": 2,
        "last_error": "450 not now",
        "next_attempt_at_utc": int((START + timedelta(minutes=5)).timestamp()),
    }
    with api.database.writing() as session:
        session.scalars(select(Delivery).where(Delivery.send_id == UUID(send_id))).one().state = DeliveryState.DELIVERED
    assert "delivery" not in tenant.get(f"{SEND}/{send_id}").json()


def an_event(tenant, send_id, name, **fields):
    unknown = {
        "outcome": None, "link": None, "link_domain": "", "edge": "", "client_address": "", "user_agent": "",
        "client": Client(), "location": Location(), "verdict": None, "detail": "",
    }  # fmt: skip
    return Event(
        **unknown
        | {
            "event_id": uuid4(),
            "event": name,
            "occurred_at": START,
            "received_at": START,
            "stored_at": START,
            "account": tenant.account.number,
            "profile": tenant.profile.number,
            "send_id": send_id,
        }
        | fields
    )


def test_events_say_who_did_what_when_with_what(api):
    tenant = api.tenant()
    answer = tenant.send(tags=["t"]).json()
    send_id = UUID(answer["send_id"])
    click = an_event(
        tenant,
        send_id,
        EventName.CLICK,
        outcome=Outcome.ANSWERED,
        occurred_at=START + timedelta(seconds=5),
        link=EventLink(index=3, name="buy", url="https://a.example/", part="html"),
        client_address="192.0.2.1",
        user_agent="Mozilla/5.0",
        client=Client("Firefox", "128.0", "Linux", "", "Phone", DeviceType.MOBILE, ImageProxy.GOOGLE),
        location=Location("GB", "England", "London", 51.5142, -0.0931, "Europe/London", 20712, "Andrews & Arnold"),
        verdict=Verdict(
            verdict_class=VerdictClass.MACHINE,
            score=80,
            reasons=(Reason.SEC_FETCH_MISSING,),
            final=True,
            rules_version=1,
        ),
    )
    sent = an_event(tenant, send_id, EventName.SENT, detail="250 ok")
    api.store.events[tenant.account.number, send_id] = [sent, click]

    of_state, of_click = tenant.get(f"{SEND}/{send_id}/events").json()

    shared = {
        "send_id": str(send_id),
        "send_key": answer["send_key"],
        "sending_profile_id": str(tenant.profile.public_id),
        "recipient_email_address": "ada@example.com",
        "tags": ["t"],
    }
    assert of_click == shared | {
        "event_id": str(click.event_id),
        "event": "click",
        "occurred_at_utc": int(START.timestamp()) + 5,
        "detail": "",
        "link": {"index": 3, "name": "buy", "url": "https://a.example/", "part": "html"},
        "outcome": "answered",
        "client": {"name": "Firefox", "version": "128.0"},
        "image_proxy": "google",
        "os": {"name": "Linux", "version": ""},
        "device": {"name": "Phone", "type": "mobile"},
        "user_agent": "Mozilla/5.0",
        "geo": {
            "country": "GB",
            "region": "England",
            "city": "London",
            "latitude": 51.5142,
            "longitude": -0.0931,
            "time_zone": "Europe/London",
        },
        "ip": "192.0.2.1",
        "verdict": {"class": "machine", "final": True, "score": 80, "reasons": ["sec_fetch_missing"]},
        "first_for_link": True,
        "first_for_send": True,
    }
    absent = dict.fromkeys(["link", "outcome", "client", "image_proxy", "os", "device", "user_agent", "geo", "ip"])
    absent |= dict.fromkeys(["verdict", "first_for_link", "first_for_send"])
    assert of_state == shared | absent | {
        "event_id": str(sent.event_id),
        "event": "sent",
        "occurred_at_utc": int(START.timestamp()),
        "detail": "250 ok",
    }


def test_a_send_without_events_has_an_empty_list(api):
    tenant = api.tenant()

    assert tenant.get(f"{SEND}/{tenant.send().json()['send_id']}/events").json() == []


def test_an_event_store_that_is_down_is_503_and_does_not_stop_sending(api):
    tenant = api.tenant()
    api.store.broken = StoreFailed("read", "password=topsecret refused")
    sent = tenant.send()

    answer = tenant.get(f"{SEND}/{sent.json()['send_id']}/events")

    assert sent.status_code == 202
    assert (answer.status_code, answer.json()["code"]) == (503, 50301)
    assert "topsecret" not in answer.text


def test_many_sends_at_once_are_all_kept(api):
    tenant = api.tenant()
    start = threading.Barrier(8)

    def work(number):
        start.wait()
        return [tenant.send(subject=f"{number}.{n}", click_tracking=True) for n in range(5)]

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for batch in pool.map(work, range(8)) for answer in batch]

    assert {answer.status_code for answer in answers} == {202}
    with api.database.reading() as session:
        of_account = select(func.count()).select_from(Send).where(Send.account == tenant.account.number)
        assert session.scalars(of_account).one() == 40


@pytest.mark.parametrize("fields", [{"click_tracking": True}, {}])
def test_a_preview_reports_without_sending_or_handing_out_a_link(api, fields):
    tenant = api.as_role(api.tenant(), Role.SEND_ONLY)
    before = counts(api)

    answer = tenant.post("/api/v1/email/links/preview", tenant.message(**fields))

    body = answer.json()
    assert answer.status_code == 200, body
    assert set(body) == {"sending_profile_id", "link_domain", "link_report"}
    assert body["link_report"]["tracked"] == 1
    assert "/c/" not in answer.text
    assert counts(api) == before


def test_a_preview_reports_what_a_send_would(api):
    tenant = api.tenant()
    message = tenant.message(click_tracking=True, content_html='<a href="https://a.example">x</a><a href="/r">y</a>')

    preview = tenant.post("/api/v1/email/links/preview", message).json()["link_report"]

    assert preview == tenant.post(SEND, message).json()["link_report"]


def test_of_many_at_once_each_is_answered_for_itself(api):
    """Those that come at the same time share a transaction; what is wrong with one is not the others' fault."""
    good, bad = api.tenant(), api.tenant(link_domain=None)
    senders = [good, bad, good, good] * 4
    start = threading.Barrier(len(senders))

    def one(number):
        start.wait()
        return senders[number].send(subject=f"number {number}", tags=[str(number)])

    with ThreadPoolExecutor(len(senders)) as pool:
        answers = list(pool.map(one, range(len(senders))))

    assert [answer.status_code for answer in answers] == [202, 400, 202, 202] * 4
    assert {answer.json()["code"] for answer in answers[1::4]} == {40020}
    for number, answer in enumerate(answers):
        if answer.status_code == 202:
            assert (answer.json()["subject"], answer.json()["tags"]) == (f"number {number}", [str(number)])
            assert good.get(f"{SEND}/{answer.json()['send_id']}").json() == answer.json() | {"clicks": NO_CLICKS}


def test_a_message_that_the_database_refuses_costs_no_other_its_place(api, monkeypatch):
    """Of a round that fails, each message is tried by itself."""
    tenant = api.tenant()
    real = acceptance.news

    def without_a_time(sources, send, profile, planned):
        rows = real(sources, send, profile, planned)
        return [row | {"created_at": None} for row in rows] if send["subject"] == "poison" else rows

    monkeypatch.setattr(acceptance, "news", without_a_time)
    start = threading.Barrier(12)

    def one(number):
        start.wait()
        return tenant.send(subject="poison" if number == 5 else "fine", tags=["round"])

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(one, range(12)))

    assert [answer.status_code for answer in answers] == [202] * 5 + [500] + [202] * 6
    with api.database.reading() as session:
        subjects = session.scalars(select(Send.subject).where(Send.account == tenant.account.number)).all()
    assert subjects == ["fine"] * 11
