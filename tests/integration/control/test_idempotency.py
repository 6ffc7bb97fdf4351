"""`Idempotency-Key`: asked twice, done once, answered twice."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from waypost.control.accounts.service import decide
from waypost.control.housekeeping import clean
from waypost.db.states import AccountState, Role
from waypost.db.tables import Content, IdempotencyKey, Profile, Send

SEND = "/api/v1/email/send"
BATCH = f"{SEND}/batch"
PROFILE = "/api/v1/email/profile"


def a_send(tenant):
    return tenant.message(click_tracking=True, tags=["t"])


def a_batch(tenant):
    message = tenant.message(recipients=[{"recipient_email_address": f"r{n}@example.com"} for n in range(3)])
    del message["recipient_email_address"]
    return message


def a_profile(tenant):
    return {"profile_name": "p", "sending_domain": tenant.domain, "link_domain": f"l.{tenant.domain}"}


ROUTES = [
    pytest.param(SEND, a_send, Role.STANDARD, id="send"),
    pytest.param(BATCH, a_batch, Role.STANDARD, id="batch"),
    pytest.param(PROFILE, a_profile, Role.IAC, id="profile"),
]
each_route = pytest.mark.parametrize(("path", "body_of", "role"), ROUTES)


def ask(tenant, path, body, key="k1"):
    return tenant.client.post(path, json=body, headers=tenant.headers | ({"Idempotency-Key": key} if key else {}))


def made(api, tenant):
    with api.database.reading() as session:
        return [
            session.scalars(select(func.count()).select_from(table).where(table.account == tenant.account.number)).one()
            for table in (Send, Profile)
        ] + [session.scalars(select(func.count()).select_from(Content)).one()]


@each_route
def test_the_same_request_is_done_once_and_answered_the_same(api, path, body_of, role):
    tenant = api.tenant(role)
    first = ask(tenant, path, body_of(tenant))
    after_first = made(api, tenant)
    api.clock.advance(minutes=30)

    again = ask(tenant, path, body_of(tenant))

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.content == first.content
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert made(api, tenant) == after_first


@each_route
def test_another_body_under_the_same_key_is_a_conflict_and_nothing_is_done(api, path, body_of, role):
    tenant = api.tenant(role)
    ask(tenant, path, body_of(tenant))
    before = made(api, tenant)

    changed = {"from_name": "Other"} if path != PROFILE else {"profile_name": "other"}
    answer = ask(tenant, path, body_of(tenant) | changed)

    assert (answer.status_code, answer.json()["code"]) == (409, 40903)
    assert made(api, tenant) == before


def test_a_key_stands_for_one_route(api):
    tenant = api.tenant()
    ask(tenant, SEND, a_send(tenant))

    assert ask(tenant, BATCH, a_batch(tenant)).json()["code"] == 40903


def test_the_same_request_in_another_order_of_fields_is_the_same(api):
    tenant = api.tenant()
    body = a_send(tenant)

    first, again = ask(tenant, SEND, body), ask(tenant, SEND, dict(reversed(body.items())))

    assert first.content == again.content


def test_a_key_of_another_account_is_another_key(api):
    one, other = api.tenant(), api.tenant()

    ids = {ask(tenant, SEND, a_send(tenant)).json()["send_id"] for tenant in (one, other)}

    assert len(ids) == 2


def test_keys_of_one_account_share_what_was_asked(api):
    tenant = api.tenant()
    sender = api.as_role(tenant, Role.SEND_ONLY)

    assert ask(tenant, SEND, a_send(tenant)).content == ask(sender, SEND, a_send(tenant)).content


def test_without_a_key_every_request_is_done(api):
    tenant = api.tenant()

    assert len({ask(tenant, SEND, a_send(tenant), key=None).json()["send_id"] for _ in range(2)}) == 2


@each_route
def test_of_many_at_once_one_is_done_and_all_are_answered_the_same(api, path, body_of, role):
    tenant = api.tenant(role)
    at_once, start = 8, threading.Barrier(8)
    before = made(api, tenant)

    def one(_):
        start.wait()
        return ask(tenant, path, body_of(tenant))

    with ThreadPoolExecutor(at_once) as pool:
        answers = list(pool.map(one, range(at_once)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    of_one = {SEND: [1, 0, 1], BATCH: [3, 0, 1], PROFILE: [0, 1, 0]}[path]
    assert [after - then for after, then in zip(made(api, tenant), before, strict=True)] == of_one


def test_a_repeat_among_others_at_once_undoes_nothing_of_theirs(api):
    tenant = api.tenant()
    first = ask(tenant, SEND, a_send(tenant), key="repeated")
    keys = ["repeated", "a", "repeated", None, "b", "c", "repeated", None]
    start = threading.Barrier(len(keys))

    def one(key):
        start.wait()
        return ask(tenant, SEND, a_send(tenant), key=key)

    with ThreadPoolExecutor(len(keys)) as pool:
        answers = list(pool.map(one, keys))

    assert {answer.status_code for answer in answers} == {202}
    assert [answer.content == first.content for answer in answers] == [key == "repeated" for key in keys]
    assert made(api, tenant)[0] == 1 + len(keys) - keys.count("repeated")


def test_what_would_be_refused_by_now_is_answered_as_the_first_time(api):
    tenant = api.tenant()
    first = ask(tenant, SEND, a_send(tenant))
    decide(
        api.database, api.sources, tenant.account.public_id, AccountState.SUSPENDED, reason="a reason", decided_by="cli"
    )

    again = ask(tenant, SEND, a_send(tenant))

    assert (again.status_code, again.content) == (202, first.content)
    assert ask(tenant, SEND, a_send(tenant), key="new").status_code == 409


def test_a_request_that_was_refused_may_be_mended_under_the_same_key(api):
    tenant = api.tenant(link_domain=None)
    assert ask(tenant, SEND, a_send(tenant)).json()["code"] == 40020
    other = api.tenant()

    assert ask(other, SEND, other.message(subject=7)).json()["code"] == 40002
    assert ask(other, SEND, a_send(other)).status_code == 202


@pytest.mark.parametrize(("hours", "same"), [(23.9, True), (24, False)])
def test_a_key_is_remembered_for_24_hours(api, hours, same):
    tenant = api.tenant()
    first = ask(tenant, SEND, a_send(tenant)).json()["send_id"]
    api.clock.advance(hours=hours)
    tenant.login()

    again = ask(tenant, SEND, a_send(tenant))

    assert again.status_code == 202
    assert (again.json()["send_id"] == first) is same
    assert ask(tenant, SEND, a_send(tenant)).json() == again.json()


def test_old_keys_are_forgotten(api):
    tenant = api.tenant()
    ask(tenant, SEND, a_send(tenant), key="old")
    api.clock.advance(hours=12)
    tenant.login()
    ask(tenant, SEND, a_send(tenant), key="young")
    api.clock.advance(hours=12)

    clean(api.database, api.sources)

    with api.database.reading() as session:
        of_account = select(IdempotencyKey.key).where(IdempotencyKey.account == tenant.account.number)
        assert session.scalars(of_account).all() == ["young"]


@pytest.mark.parametrize("key", ["x" * 256, "a b", "tab\there", b"caf\xc3\xa9"])
@each_route
def test_a_key_that_cannot_be_is_refused_by_name_and_nothing_is_done(api, path, body_of, role, key):
    tenant = api.tenant(role)
    before = made(api, tenant)

    answer = ask(tenant, path, body_of(tenant), key)

    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert answer.json()["message"].startswith("Idempotency-Key: ")
    assert made(api, tenant) == before
