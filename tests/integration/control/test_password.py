"""Logging in as `username:password`: an account's e-mail address and its password."""

import pytest
from tests.integration.control.test_at_once import AT_ONCE, at_once

from waypost.control.accounts.schema import NewAccount
from waypost.control.accounts.service import create_account
from waypost.control.keys.service import IDLE_LIMIT, authenticate, list_api_keys, set_password
from waypost.control.sources import SYSTEM
from waypost.db.states import Role

ACCOUNT = "/api/v1/account"
PASSWORD = "correct: horse battery"


def login(api, email, password=PASSWORD):
    return api.client.post("/oauth/token", params={"grant_type": "password"}, auth=(email, password))


def owner(api):
    tenant = api.tenant(Role.IAC)
    answer = tenant.put(f"{ACCOUNT}/password", {"password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return tenant, answer.json()


def test_the_owner_logs_in_with_address_and_password_and_may_what_standard_may(api):
    tenant, key = owner(api)

    granted = login(api, tenant.account.email)

    assert granted.status_code == 200, granted.text
    headers = {"Authorization": f"Bearer {granted.json()['access_token']}"}
    assert (key["role"], key["is_password"]) == ("standard", True)
    assert PASSWORD not in str(key)
    assert api.client.get("/oauth/validate", headers=headers).status_code == 200
    assert api.client.post("/api/v1/email/send", json=tenant.message(), headers=headers).status_code == 202
    assert api.client.get("/api/v1/account/api_key", headers=headers).json()["code"] == 40301
    refreshed = api.client.post(
        "/oauth/token",
        params={"grant_type": "refresh_token"},
        json={"refresh_token": granted.json()["refresh_token"]},
    )
    assert refreshed.status_code == 200


def test_a_password_can_be_chosen_at_sign_up(api):
    new = {"name": "Shop", "email": "chosen@shop.example", "password": PASSWORD}

    answer = api.client.post(ACCOUNT, json=new)

    assert answer.status_code == 201, answer.text
    assert answer.json()["api_key"]["is_password"] is False
    assert login(api, "chosen@shop.example").status_code == 200


def test_a_wrong_password_is_refused_as_a_wrong_secret_is_and_guesses_are_limited(api):
    tenant, _ = owner(api)
    without = api.tenant()

    answers = [login(api, tenant.account.email, f"{PASSWORD}{number}") for number in range(11)]

    assert [answer.json()["code"] for answer in answers] == [40102] * 10 + [42901]
    assert login(api, tenant.account.email).json()["code"] == 42901
    assert login(api, without.account.email).json()["code"] == 40102
    assert login(api, "nobody@shop.example").json() == answers[0].json()


def test_a_new_password_ends_the_one_before_and_its_sessions(api):
    tenant, key = owner(api)
    before = login(api, tenant.account.email).json()
    headers = {"Authorization": f"Bearer {before['access_token']}"}

    changed = tenant.put(f"{ACCOUNT}/password", {"password": "another password"})

    assert changed.json()["id"] == key["id"]
    assert login(api, tenant.account.email).json()["code"] == 40102
    assert api.client.get("/oauth/validate", headers=headers).status_code == 401
    assert login(api, tenant.account.email, "another password").status_code == 200
    assert tenant.get("/oauth/validate").status_code == 200, "keys go on"


def test_a_login_with_the_password_before_that_meets_the_change_is_refused(api, monkeypatch):
    tenant, _ = owner(api)

    def overtaken(*args):
        api_key = authenticate(*args)
        set_password(api.database, api.sources, tenant.account.public_id, "another password")
        return api_key

    monkeypatch.setattr("waypost.control.oauth.service.authenticate", overtaken)

    assert login(api, tenant.account.email).json()["code"] == 40102


def test_it_is_revoked_as_keys_are_and_comes_back_when_it_is_set_anew(api):
    tenant, key = owner(api)
    assert key["id"] in {each["id"] for each in tenant.get("/api/v1/account/api_key").json()}

    tenant.put(f"/api/v1/account/api_key/{key['id']}/revoke")

    assert login(api, tenant.account.email).json()["code"] == 40102
    tenant.put(f"{ACCOUNT}/password", {"password": PASSWORD})
    assert login(api, tenant.account.email).status_code == 200
    api.clock.advance(seconds=IDLE_LIMIT.total_seconds() + 1)
    assert login(api, tenant.account.email).json()["code"] == 40102


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("fourteen chars", "at least 15"),
        ("x" * 257, "at most 256"),
        ("fifteen chärs, yes", "ASCII"),
        ("line\nline line line", "ASCII"),
        (None, "password"),
    ],
)
def test_a_password_that_breaks_a_rule_is_refused_and_not_quoted(api, password, said):
    tenant = api.tenant(Role.IAC)

    answer = tenant.put(f"{ACCOUNT}/password", {"password": password})

    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert said in answer.json()["message"]
    assert str(password) not in answer.text


def test_passwords_set_at_once_leave_one_of_them(database):
    account = create_account(database, SYSTEM, NewAccount(name="Shop", email="owner@shop.example"))

    at_once(lambda number: set_password(database, SYSTEM, account.public_id, f"password number {number}"))

    assert len(list_api_keys(database, account.public_id)) == 1
    good = [
        number
        for number in range(AT_ONCE)
        if authenticate(database, SYSTEM, account.email, f"password number {number}")
    ]
    assert len(good) == 1
