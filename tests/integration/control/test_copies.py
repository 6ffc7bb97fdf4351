"""`cc` and `bcc`: copies that are sends of their own."""

from uuid import UUID

import pytest
from sqlalchemy import func, select

from waypost.control.sends.schema import MAX_COPIES
from waypost.db.tables import Content, Delivery, Send

SEND = "/api/v1/email/send"


def to(address, **fields):
    return {"recipient_email_address": address, **fields}


def stored(api):
    with api.database.reading() as session:
        return [session.scalars(select(func.count()).select_from(table)).one() for table in (Send, Content, Delivery)]


def test_each_copy_is_a_send_of_its_own_and_the_answer_names_them_in_order(api):
    tenant = api.tenant()
    before = stored(api)

    answer = tenant.send(
        recipient_name="Ada",
        tags=["news"],
        click_tracking=True,
        cc=[to("bob@example.com", recipient_name="Bob"), to("cy@example.com")],
        bcc=[to("dan@example.com")],
    )

    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert [(copy["kind"], copy["recipient_email_address"]) for copy in body["copies"]] == [
        ("cc", "bob@example.com"),
        ("cc", "cy@example.com"),
        ("bcc", "dan@example.com"),
    ]
    assert [after - was for after, was in zip(stored(api), before, strict=True)] == [4, 1, 4]
    assert len({body["send_id"], *(copy["send_id"] for copy in body["copies"])}) == 4
    for copy in body["copies"]:
        shown = tenant.get(f"{SEND}/{copy['send_id']}").json()
        assert (shown["recipient_email_address"], shown["send_key"]) == (
            copy["recipient_email_address"],
            copy["send_key"],
        )
        assert (shown["tags"], shown["click_tracking"]) == (["news"], True)
        assert "copies" not in shown
    with api.database.reading() as session:
        send = session.get_one(Send, UUID(body["send_id"]))
        assert session.get_one(Content, send.content_id).addressees == {
            "to": [["Ada", "ada@example.com"]],
            "cc": [["Bob", "bob@example.com"], ["", "cy@example.com"]],
        }


def test_who_gets_a_blind_copy_sees_the_recipient_and_not_herself(api):
    answer = api.tenant().send(bcc=[to("dan@example.com")])

    with api.database.reading() as session:
        send = session.get_one(Send, UUID(answer.json()["send_id"]))
        assert session.get_one(Content, send.content_id).addressees == {"to": [["", "ada@example.com"]], "cc": []}


@pytest.mark.parametrize("fields", [{}, {"cc": [], "bcc": []}, {"cc": None}])
def test_a_send_without_copies_is_as_it_was(api, fields):
    answer = api.tenant().send(**fields)

    assert answer.status_code == 202
    assert "copies" not in answer.json()
    with api.database.reading() as session:
        send = session.get_one(Send, UUID(answer.json()["send_id"]))
        assert session.get_one(Content, send.content_id).addressees is None


MANY = [to(f"r{number}@example.com") for number in range(MAX_COPIES + 1)]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"cc": [to("no address")]}, "cc[0].recipient_email_address"),
        ({"bcc": [to("a@example.com", recipient_name="a\r\nBcc: b@example.com")]}, "bcc[0].recipient_name"),
        ({"cc": "bob@example.com"}, "cc"),
        ({"cc": MANY}, f"at most {MAX_COPIES}"),
        ({"cc": MANY[:30], "bcc": MANY[30:]}, f"at most {MAX_COPIES}"),
        ({"cc": [to("Ada@example.com")]}, "must not hold an address twice"),
        ({"cc": [to("bob@example.com")], "bcc": [to("bob@EXAMPLE.com")]}, "must not hold an address twice"),
    ],
)
def test_copies_that_break_a_rule_refuse_the_send_and_nothing_is_kept(api, fields, said):
    tenant = api.tenant()
    before = stored(api)

    answer = tenant.send(**fields)

    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert said in answer.json()["message"]
    assert stored(api) == before


@pytest.mark.parametrize("kind", ["cc", "bcc"])
def test_a_batch_takes_no_copies_and_says_so(api, kind):
    tenant = api.tenant()
    body = tenant.message(recipients=[to("ada@example.com")], **{kind: [to("bob@example.com")]})

    answer = tenant.post(f"{SEND}/batch", body)

    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert "name everybody in recipients" in answer.json()["message"]


def test_as_many_copies_as_may_be_are_taken(api):
    assert len(api.tenant().send(bcc=MANY[:MAX_COPIES]).json()["copies"]) == MAX_COPIES


def test_the_same_request_again_is_answered_with_the_same_copies_and_sends_none(api):
    tenant = api.tenant()
    body = tenant.message(cc=[to("bob@example.com")])
    headers = tenant.headers | {"Idempotency-Key": "copies"}

    first = tenant.client.post(SEND, json=body, headers=headers)
    after_first = stored(api)
    again = tenant.client.post(SEND, json=body, headers=headers)
    other = tenant.client.post(SEND, json=body | {"cc": [to("cy@example.com")]}, headers=headers)

    assert again.content == first.content
    assert len(first.json()["copies"]) == 1
    assert stored(api) == after_first
    assert other.json()["code"] == 40903
