"""`GET /metrics`: for operators' keys as Basic credentials."""

from datetime import timedelta

import pytest

from waypost.control.keys.service import IDLE_LIMIT, find_api_key, revoke_api_key
from waypost.db.states import Role


def scrape(api, tenant):
    return api.client.get("/metrics", headers=tenant.basic)


@pytest.mark.parametrize("role", [Role.READ_ONLY, Role.STANDARD, Role.IAC])
def test_an_operators_key_reads_them_without_an_access_token(api, role):
    with api.served_anew(metrics=lambda: b"waypost_ready 1.0\n") as client:
        answer = client.get("/metrics", headers=api.operator(role).basic)

    assert (answer.status_code, answer.content) == (200, b"waypost_ready 1.0\n")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_a_role_that_only_sends_and_an_account_that_is_no_operators_are_refused(api):
    assert scrape(api, api.operator(Role.SEND_ONLY)).json()["code"] == 40301
    assert scrape(api, api.tenant(Role.IAC)).json()["code"] == 40302


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer x"}])
def test_without_a_good_key_they_are_refused(api, headers):
    answer = api.client.get("/metrics", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, 40102)
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_a_revoked_key_is_refused_at_once_and_guesses_are_limited_as_logins_are(api):
    operator = api.operator()
    assert scrape(api, operator).status_code == 200
    revoke_api_key(api.database, api.sources, operator.key.api_key.public_id)

    assert [scrape(api, operator).json()["code"] for _ in range(11)] == [40102] * 10 + [42901]


def test_a_key_that_is_used_for_nothing_else_is_not_idle(api):
    operator = api.operator()

    def last_used():
        return find_api_key(api.database, operator.account, operator.key.api_key.public_id).last_used_at

    logged_in = last_used()
    api.clock.advance(hours=20)
    scrape(api, operator)
    assert last_used() == logged_in, "written once a day at most"
    api.clock.advance(seconds=IDLE_LIMIT.total_seconds() - timedelta(days=2).total_seconds())
    scrape(api, operator)
    assert last_used() == api.clock.now
    api.clock.advance(days=30)
    assert scrape(api, operator).status_code == 200
