"""Webhook endpoints over the API: what they say, what they never say again, and whose they are."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from waypost.control.accounts.service import decide
from waypost.control.webhooks import routes
from waypost.db.states import AccountState, NoticeState, Role, WebhookFormat
from waypost.db.tables import WebhookEndpoint, WebhookNotice
from waypost.db.webhook_secrets import WebhookSecret, open_webhook_secret
from waypost.webhooks import queue

HOOK = "/api/v1/webhook"
URL = "https://hooks.example/in?a=1"


@pytest.fixture
def tenant(api):
    return api.tenant(Role.IAC)


def created(tenant, **fields):
    answer = tenant.post(HOOK, {"url": URL, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_an_endpoint_is_created_with_a_secret_that_is_shown_once(tenant):
    answer = tenant.post(HOOK, {"url": URL, "description": "shop"})
    assert answer.headers["cache-control"] == "no-store"
    endpoint = answer.json()
    assert endpoint["secret"].startswith("whsec_")
    assert endpoint["url"] == URL
    assert endpoint["state"] == "enabled"
    assert {"click", "click.reclassified", "bounce"} <= set(endpoint["events"])
    assert "test" not in endpoint["events"]
    del endpoint["secret"]
    assert tenant.get(f"{HOOK}/{endpoint['endpoint_id']}").json() == endpoint
    assert tenant.get(HOOK).json() == [endpoint]


def test_credentials_are_sealed_and_never_shown(api, tenant):
    endpoint = created(tenant, url="https://na:geheim@hooks.example/in", format="postmark")
    assert endpoint["url"] == "https://hooks.example/in"
    assert endpoint["has_credentials"] is True
    assert set(endpoint["events"]) == {"delivered", "bounce", "open", "click"}
    assert "geheim" not in tenant.get(HOOK).text
    with api.database.reading() as session:
        row = session.query(WebhookEndpoint).order_by(WebhookEndpoint.number.desc()).first()
    assert row.format is WebhookFormat.POSTMARK
    assert b"geheim" not in row.sealed_credentials
    opened = open_webhook_secret(api.control_key, WebhookSecret.CREDENTIALS, row.public_id, row.sealed_credentials)
    assert opened == "na:geheim"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": "http://hooks.example/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://0x7f.1/"}, "url"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "url"),
        ({"url": "https://hooks.example:25/"}, "url"),
        ({"url": "https://hooks.example/" + "x" * 2048}, "url"),
        ({"events": []}, "events"),
        ({"events": ["clicked"]}, "events[0]"),
        ({"events": ["test"]}, "events"),
        ({"events": ["accepted"], "format": "postmark"}, "events"),
        ({"format": "sendgrid"}, "format"),
        ({"when": "never"}, "when"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_the_field(tenant, fields, field):
    answer = tenant.post(HOOK, {"url": URL, **fields})
    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert answer.json()["message"].startswith(f"{field}: ")


def test_an_account_has_twenty_endpoints_at_most(tenant):
    for _ in range(20):
        endpoint = created(tenant)
    assert tenant.post(HOOK, {"url": URL}).json()["code"] == 40902
    assert tenant.delete(f"{HOOK}/{endpoint['endpoint_id']}").status_code == 204
    created(tenant)


def test_what_is_given_is_changed_and_the_rest_stays(tenant):
    endpoint = created(tenant, description="shop")
    at = f"{HOOK}/{endpoint['endpoint_id']}"

    def changed(**fields):
        return tenant.client.patch(at, json=fields, headers=tenant.headers).json()

    assert changed(events=["click", "click"], when="after_verdict")["events"] == ["click"]
    assert changed(url="https://hooks.example/other")["description"] == "shop"
    disabled = changed(state="disabled")
    assert (disabled["state"], disabled["when"]) == ("disabled", "after_verdict")
    assert disabled["disabled_at_utc"] is not None
    assert tenant.post(f"{at}/test", None).json()["code"] == 40902
    assert changed(state="enabled")["disabled_at_utc"] is None


def test_a_new_secret_leaves_the_old_one_for_a_day(api, tenant):
    endpoint = created(tenant)
    at = f"{HOOK}/{endpoint['endpoint_id']}/rotate_secret"
    rotated = tenant.post(at, {}).json()
    assert rotated["secret"] != endpoint["secret"]
    assert rotated["previous_secret_until_utc"] == int((api.clock.now + timedelta(days=1)).timestamp())
    assert tenant.post(at, {"overlap_seconds": 0}).json()["previous_secret_until_utc"] is None


def test_a_message_is_listed_shown_and_replayed(api, tenant):
    endpoint = created(tenant)
    at = f"{HOOK}/{endpoint['endpoint_id']}/message"
    messages = [tenant.post(f"{HOOK}/{endpoint['endpoint_id']}/test", None).json() for _ in range(3)]
    assert messages[0]["state"] == "pending"

    page = tenant.get(f"{at}?limit=2")
    assert [each["message_id"] for each in page.json()] == [messages[2]["message_id"], messages[1]["message_id"]]
    rest = tenant.get(page.headers["link"].partition(">")[0][1:])
    assert [each["message_id"] for each in rest.json()] == [messages[0]["message_id"]]
    assert "link" not in rest.headers

    one = f"{at}/{messages[0]['message_id']}"
    assert tenant.post(f"{one}/replay", None).json()["code"] == 40902
    with api.database.writing() as session:
        session.execute(update(WebhookNotice).values(state=NoticeState.FAILED, attempts=10))
    assert tenant.get(one).json()["next_attempt_at_utc"] is None
    replayed = tenant.post(f"{one}/replay", None)
    assert (replayed.status_code, replayed.json()["state"]) == (202, "pending")
    assert len(tenant.get(f"{at}?state=failed").json()) == 2


def test_what_failed_in_a_period_is_replayed_and_nothing_else(api, tenant, monkeypatch):
    endpoint, other = created(tenant), created(tenant)
    at = f"{HOOK}/{endpoint['endpoint_id']}"
    begin = int(api.clock.now.timestamp())
    sent = [tenant.post(f"{HOOK}/{each['endpoint_id']}/test", None).json() for each in (endpoint,) * 5 + (other,)]

    def become(message, state, minutes):
        told = {"state": state, "attempts": 10, "occurred_at": api.clock.now + timedelta(minutes=minutes)}
        with api.database.writing() as session:
            which = WebhookNotice.message_id == UUID(message["message_id"])
            session.execute(update(WebhookNotice).where(which).values(told))

    for message, state, minutes in zip(
        sent, ("failed", "failed", "failed", "delivered", "failed", "failed"), (-1, 0, 59, 1, 60, 1), strict=True
    ):
        become(message, NoticeState(state), minutes)
    period = {"from_utc": begin, "to_utc": begin + 3600}
    monkeypatch.setattr(queue, "REPLAYED_MAX", 1)
    monkeypatch.setattr(routes, "REPLAYED_MAX", 1)

    answers = [tenant.post(f"{at}/replay", period) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {202}
    assert [answer.json() for answer in answers] == [
        {"replayed": 1, "more": True}, {"replayed": 1, "more": True}, {"replayed": 0, "more": False}
    ]  # fmt: skip
    states = {each["message_id"]: each["state"] for each in tenant.get(f"{at}/message").json()}
    assert [states[message["message_id"]] for message in sent[:5]] == [
        "failed", "pending", "pending", "delivered", "failed"
    ]  # fmt: skip
    assert tenant.get(f"{HOOK}/{other['endpoint_id']}/message").json()[0]["state"] == "failed"
    for wrong in ({}, {"from_utc": begin, "to_utc": begin}, {"from_utc": -1}):
        assert tenant.post(f"{at}/replay", wrong).json()["code"] == 40002
    tenant.client.patch(at, json={"state": "disabled"}, headers=tenant.headers)
    assert tenant.post(f"{at}/replay", period).json()["code"] == 40902


def test_without_approval_a_test_is_refused(api):
    suspended = api.tenant(Role.IAC, state=AccountState.SUSPENDED)
    endpoint = created(suspended)
    assert suspended.post(f"{HOOK}/{endpoint['endpoint_id']}/test", None).json()["code"] == 40901


def test_approval_begins_the_five_days_anew(api):
    tenant = api.tenant(Role.IAC)
    endpoint = created(tenant)
    with api.database.writing() as session:
        session.execute(update(WebhookEndpoint).values(failing_since=api.clock.now))
    for state in (AccountState.SUSPENDED, AccountState.APPROVED):
        decide(api.database, api.sources, tenant.account.public_id, state, reason="a reason", decided_by="cli")
    assert tenant.get(f"{HOOK}/{endpoint['endpoint_id']}").json()["failing_since_utc"] is None


def test_a_stranger_sees_nothing_of_it(api, tenant):
    endpoint = created(tenant)
    message = tenant.post(f"{HOOK}/{endpoint['endpoint_id']}/test", None).json()
    stranger = api.tenant(Role.IAC)
    theirs = created(stranger)
    at = f"{HOOK}/{endpoint['endpoint_id']}"

    assert stranger.get(at).status_code == 404
    assert stranger.get(f"{HOOK}/{theirs['endpoint_id']}/message/{message['message_id']}").status_code == 404
    assert stranger.delete(at).status_code == 404
    assert endpoint["endpoint_id"] not in stranger.get(HOOK).text
