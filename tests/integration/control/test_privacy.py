"""E10: how much is known of a reader is said of her, else of the message, else of the account."""

import pytest

from waypost.db.states import Role

SEND = "/api/v1/email/send"


def kept(answer):
    assert answer.status_code == 202, answer.text
    return answer.json()["privacy_mode"], answer.json()["ip_policy"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("identified", "full")),
        ({"privacy_mode": None, "ip_policy": None}, ("identified", "full")),
        ({"ip_policy": "none"}, ("identified", "none")),
        ({"privacy_mode": "pseudonymous"}, ("pseudonymous", "truncated")),
        ({"privacy_mode": "anonymous"}, ("anonymous", "truncated")),
        ({"privacy_mode": "anonymous", "ip_policy": "full"}, ("anonymous", "full")),
    ],
)
def test_a_message_says_how_much_is_known(api, fields, expected):
    tenant = api.tenant()
    answer = tenant.send(click_tracking=True, **fields)
    assert kept(answer) == expected
    again = tenant.get(f"{SEND}/{answer.json()['send_id']}").json()
    assert (again["privacy_mode"], again["ip_policy"], again["click_tracking"]) == (*expected, True)


def test_an_account_says_it_for_messages_that_do_not(api):
    tenant = api.tenant()
    manager = api.as_role(tenant, Role.IAC)
    said = manager.put("/api/v1/account/privacy", {"privacy_mode": "pseudonymous", "ip_policy": "none"})
    assert (said.status_code, said.json()["privacy_mode"]) == (200, "pseudonymous")
    assert kept(tenant.send()) == ("pseudonymous", "none")
    assert kept(tenant.send(privacy_mode="identified", ip_policy="full")) == ("identified", "full")
    assert manager.put("/api/v1/account/privacy", {}).json()["privacy_mode"] is None
    assert kept(tenant.send()) == ("identified", "full")


def test_without_consent_one_recipient_of_many_is_not_tracked(api):
    tenant = api.tenant()
    recipients = [
        {"recipient_email_address": "yes@example.com"},
        {"recipient_email_address": "no@example.com", "privacy_mode": "off"},
        {"recipient_email_address": "some@example.com", "privacy_mode": "identified", "ip_policy": "none"},
    ]
    body = tenant.message(recipients=recipients, click_tracking=True, open_tracking=True, privacy_mode="anonymous")
    del body["recipient_email_address"]
    answer = tenant.post(f"{SEND}/batch", body)
    assert answer.status_code == 202, answer.text
    sends = [tenant.get(f"{SEND}/{each['send_id']}").json() for each in answer.json()["recipients"]]
    assert [
        (each["privacy_mode"], each["ip_policy"], each["click_tracking"], each["open_tracking"]) for each in sends
    ] == [
        ("anonymous", "truncated", True, True),
        ("off", "truncated", False, False),
        ("identified", "none", True, True),
    ]
    assert ["link_report" in each for each in sends] == [True, False, True]


@pytest.mark.parametrize("field", ["privacy_mode", "ip_policy"])
def test_any_other_word_is_refused(api, field):
    answer = api.tenant().send(**{field: "secret"})
    assert answer.status_code == 400
    assert field in answer.json()["message"]
