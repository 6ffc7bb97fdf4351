"""One message to many: its content kept once, its links planned once, each recipient a send of its own."""

from uuid import UUID

import pytest
from sqlalchemy import func, select

from waypost.db.outbox import SendEvent, SendRecord, fact_of
from waypost.db.states import AccountState
from waypost.db.tables import Content, Delivery, Outbox, Send

SEND = "/api/v1/email/send"
BATCH = f"{SEND}/batch"


def batch(tenant, recipients, **fields):
    message = tenant.message(**fields)
    del message["recipient_email_address"]
    return tenant.post(BATCH, message | {"recipients": recipients})


def to(address, **fields):
    return {"recipient_email_address": address, **fields}


def stored(api):
    with api.database.reading() as session:
        return [
            session.scalars(select(func.count()).select_from(table)).one()
            for table in (Send, Content, Delivery, Outbox)
        ]


def test_each_recipient_gets_a_send_with_its_own_name_and_tags(api):
    tenant = api.tenant()
    recipients = [
        to("ada@example.com", recipient_name="Ada", tags=["a"]),
        to("grace@example.com"),
        to("ada@example.com"),
    ]

    answer = batch(tenant, recipients, subject="News", from_name="Shop", click_tracking=True, open_tracking=True)

    body = answer.json()
    assert answer.status_code == 202, body
    assert (body["accepted"], body["refused"]) == (3, 0)
    assert body["sending_profile_id"] == str(tenant.profile.public_id)
    assert body["link_report"]["tracked"] == 1
    assert [each["index"] for each in body["recipients"]] == [0, 1, 2]
    assert len({each["send_id"] for each in body["recipients"]}) == 3
    for asked, became in zip(recipients, body["recipients"], strict=True):
        assert set(became) == {"index", "recipient_email_address", "state", "send_id", "send_key"}
        send = tenant.get(f"{SEND}/{became['send_id']}").json()
        assert send["send_key"] == became["send_key"]
        assert send["link_report"] == body["link_report"]
        assert (send["recipient_email_address"], send["recipient_name"], send["tags"]) == (
            asked["recipient_email_address"],
            asked.get("recipient_name", ""),
            asked.get("tags", []),
        )
        assert (send["subject"], send["from_name"], send["open_tracking"], send["state"]) == (
            "News",
            "Shop",
            True,
            "accepted",
        )


def test_the_content_is_kept_once_and_each_send_has_its_place_in_the_queue_and_its_news(api):
    tenant = api.tenant()
    before = stored(api)

    body = batch(tenant, [to(f"r{n}@example.com") for n in range(50)], click_tracking=True).json()

    assert [after - then for after, then in zip(stored(api), before, strict=True)] == [50, 1, 50, 150]
    ids = [UUID(each["send_id"]) for each in body["recipients"]]
    with api.database.reading() as session:
        assert len(set(session.scalars(select(Send.content_id).where(Send.send_id.in_(ids))))) == 1
        order = session.scalars(
            select(Delivery.send_id).where(Delivery.send_id.in_(ids)).order_by(Delivery.delivery_id)
        ).all()
        facts = [fact_of(row.topic, row.payload) for row in session.scalars(select(Outbox).order_by(Outbox.outbox_id))]
    assert order == ids
    of_batch = [fact for fact in facts if fact.send_id in set(ids)]
    assert [fact.send_id for fact in of_batch if isinstance(fact, SendRecord)] == ids
    assert {fact.recipient_email_address for fact in of_batch if isinstance(fact, SendRecord)} == {
        f"r{n}@example.com" for n in range(50)
    }
    assert len({fact.event_id for fact in of_batch if isinstance(fact, SendEvent)}) == 100


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (to("nobody"), "recipient_email_address: must be an e-mail address"),
        (to("a@b.example\r\nBcc: c@d.example"), "recipient_email_address: must be an e-mail address"),
        (to(7), "recipient_email_address: must be a string"),
        ({}, "recipient_email_address: is required"),
        (to("a@b.example", recipient_name="A\r\nBcc: x"), "recipient_name: must not hold control characters"),
        (to("a@b.example", tags=["x"] * 257), "tags: "),
        (to("a@b.example", tags=["a\x00b"]), "tags[0]: must not hold control characters"),
        ("a@b.example", "recipient: must be a JSON object"),
        (None, "recipient: must be a JSON object"),
    ],
)
def test_a_wrong_recipient_is_refused_in_its_place_and_the_others_are_sent_to(api, wrong, said):
    tenant = api.tenant()

    body = batch(tenant, [to("ada@example.com"), wrong, to("grace@example.com")]).json()

    assert (body["accepted"], body["refused"]) == (2, 1)
    assert [each["state"] for each in body["recipients"]] == ["accepted", "refused", "accepted"]
    refused = body["recipients"][1]
    assert set(refused) == {"index", "recipient_email_address", "state", "error"}
    assert refused["error"]["code"] == 40002
    assert refused["error"]["message"].startswith(said)
    assert len(tenant.get(SEND).json()) == 2


def test_half_a_surrogate_pair_in_a_recipient_is_refused_and_answered_in_utf_8(api):
    tenant = api.tenant()
    raw = rb'{"from_email_address":"a@%b","content_text":"x","recipients":[%b,%b]}' % (
        tenant.domain.encode(),
        rb'{"recipient_email_address":"\ud800@example.com"}',
        rb'{"recipient_email_address":"ada@example.com"}',
    )

    answer = tenant.client.post(BATCH, content=raw, headers=tenant.headers | {"Content-Type": "application/json"})

    assert answer.status_code == 202, answer.text
    assert [each["state"] for each in answer.json()["recipients"]] == ["refused", "accepted"]


@pytest.mark.parametrize(
    ("recipients", "said"),
    [
        ([], "recipients: "),
        ([to("a@b.example")] * 1001, "recipients: "),
        ("a@b.example", "recipients: must be a list"),
        (None, "recipients: must be a list"),
        ([to("x"), to("y")], "recipients: none of them can be sent to; the first: recipient_email_address: must be"),
    ],
)
def test_a_batch_that_can_be_sent_to_nobody_is_refused_and_nothing_is_kept(api, recipients, said):
    tenant = api.tenant()
    before = stored(api)

    answer = batch(tenant, recipients)

    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert answer.json()["message"].startswith(said)
    assert stored(api) == before


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"subject": "a\nb"}, "subject"),
        ({"from_email_address": "x"}, "from_email_address"),
        ({"click_tracking": 1}, "click_tracking"),
    ],
)
def test_a_wrong_field_of_the_message_refuses_all_of_it(api, fields, field):
    tenant = api.tenant()
    before = stored(api)

    answer = batch(tenant, [to("ada@example.com")], **fields)

    assert answer.json()["message"].startswith(f"{field}: ")
    assert stored(api) == before


def test_an_account_or_domain_that_may_not_send_is_refused_as_a_single_send_is(api):
    pending, bare = api.tenant(state=AccountState.PENDING), api.tenant(link_domain=None)

    assert batch(pending, [to("ada@example.com")]).json()["code"] == 40901
    assert batch(bare, [to("ada@example.com")]).json()["code"] == 40020


def test_a_thousand_recipients_are_taken_at_once(api):
    tenant = api.tenant()

    body = batch(tenant, [to(f"r{n}@example.com", tags=["news"]) for n in range(1000)], click_tracking=True).json()

    assert (body["accepted"], body["refused"]) == (1000, 0)
    assert len(tenant.get(f"{SEND}/search?q=r999&limit=1000").json()) == 1
    assert len(tenant.get(f"{SEND}?limit=1000").json()) == 1000


def test_a_failure_in_rewriting_sends_all_of_it_untracked_and_says_so(api, monkeypatch):
    """R18: it never loses the message."""

    def broken(_html, _policy):
        raise RecursionError

    monkeypatch.setattr("waypost.control.links.planning.plan", broken)
    tenant = api.tenant()

    body = batch(tenant, [to("ada@example.com"), to("grace@example.com")], click_tracking=True).json()

    assert "untracked" in body["error"]
    assert {send["click_tracking"] for send in tenant.get(SEND).json()} == {False}
