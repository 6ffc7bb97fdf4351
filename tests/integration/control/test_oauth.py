"""Logging in: grants, refreshes, ends."""

import base64
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
from sqlalchemy import select

from waypost.control.accounts.service import decide
from waypost.control.keys.service import revoke_api_key
from waypost.db.states import AccountState, Role
from waypost.db.tables import AuthSession

PASSWORD = {"grant_type": "password"}
REFRESH = {"grant_type": "refresh_token"}


def refresh(api, token, **headers):
    return api.client.post("/oauth/token", params=REFRESH, json={"refresh_token": token}, headers=headers)


def test_a_key_and_its_secret_get_a_token_in_smtpds_form(api):
    tenant = api.tenant(Role.STANDARD)

    answer = api.client.post("/oauth/token", params=PASSWORD, headers=tenant.basic)

    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {
        "token_type", "access_token", "refresh_token", "expires_in", "expires_at", "scope", "Scope",
    }  # fmt: skip
    assert (body["token_type"], body["scope"], body["Scope"]) == ("bearer", *[["block", "erase", "read", "send"]] * 2)
    assert body["expires_in"] == pytest.approx(3600, abs=1)
    assert body["expires_at"] == pytest.approx(api.clock.now.timestamp() * 1000 + 3_600_000, abs=1000)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("state", [AccountState.APPROVED, AccountState.PENDING])
def test_the_token_is_a_jwt_with_smtpds_claims(api, state):
    tenant = api.tenant(Role.SEND_ONLY, state=state)

    claims = jwt.decode(tenant.login()["access_token"], options={"verify_signature": False})

    key = tenant.key.api_key
    assert {name: claims[name] for name in claims if name not in {"exp", "sid"}} == {
        "account_id": str(tenant.account.public_id),
        "id": str(key.public_id),
        "is_account_verified": state is AccountState.APPROVED,
        "iss": "waypost",
        "name": "k",
        "scope": ["send"],
        "sub": str(key.public_id),
        "subject": str(key.public_id),
    }


def basic(text):
    return {"Authorization": "Basic " + base64.b64encode(text).decode()}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic(b"nobody:secret"),
        basic(b"no colon"),
        basic(b"a\x00b:secret"),
        basic(b"\xff:\xff"),
        {"Authorization": "Basic %%%"},
        {"Authorization": "Bearer x"},
    ],
)
def test_bad_credentials_are_40102(api, headers):
    answer = api.client.post("/oauth/token", params=PASSWORD, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, 40102)
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_a_wrong_secret_and_a_revoked_key_are_refused_alike(api):
    tenant = api.tenant()
    wrong = api.client.post("/oauth/token", params=PASSWORD, headers=basic(f"{tenant.key.api_key.key}:x".encode()))
    revoke_api_key(api.database, api.sources, tenant.key.api_key.public_id)
    revoked = api.client.post("/oauth/token", params=PASSWORD, headers=tenant.basic)

    assert wrong.status_code == revoked.status_code == 401
    assert wrong.json() == revoked.json()


def test_a_refresh_answers_the_same_refresh_token_and_needs_no_live_bearer(api):
    tenant = api.tenant()
    first = tenant.login()
    api.clock.advance(hours=2)

    again = refresh(api, first["refresh_token"], Authorization=f"Bearer {first['access_token']}")

    assert again.status_code == 200
    assert again.json()["refresh_token"] == first["refresh_token"]
    tenant.headers = {"Authorization": f"Bearer {again.json()['access_token']}"}
    assert tenant.get("/oauth/validate").status_code == 200


def test_a_new_password_grant_ends_the_refresh_tokens_before_it_but_not_the_access_tokens(api):
    tenant = api.tenant()
    first, second = tenant.login(), tenant.login()

    assert refresh(api, first["refresh_token"]).json()["code"] == 40103
    assert refresh(api, second["refresh_token"]).status_code == 200
    bearer = {"Authorization": f"Bearer {first['access_token']}"}
    assert api.client.get("/oauth/validate", headers=bearer).status_code == 200


def test_logins_and_refreshes_at_once_all_succeed_and_leave_one_refresh_token(api):
    tenant = api.tenant()

    def work(_):
        token = tenant.login()["refresh_token"]
        return [refresh(api, token).status_code for _ in range(3)]

    with ThreadPoolExecutor(8) as pool:
        statuses = {status for answered in pool.map(work, range(24)) for status in answered}

    assert statuses <= {200, 401}, "401: a later login ended it"
    of_key = AuthSession.api_key == tenant.key.api_key.number
    with api.database.reading() as session:
        live = session.scalars(select(AuthSession).where(of_key, AuthSession.superseded_at.is_(None))).all()
    assert len(live) == 1


def test_a_flood_of_logins_holds_up_nobody_else(api, monkeypatch):
    tenant = api.tenant()
    flood, released, seen = 60, threading.Event(), []

    def slow(*secrets):
        seen.append(secrets)
        return released.wait(60) and False

    monkeypatch.setattr("waypost.control.keys.service.secret_matches", slow)
    with ThreadPoolExecutor(flood) as pool:
        try:
            logins = [
                # Of as many keys: those of one are limited to fewer.
                pool.submit(
                    api.client.post, "/oauth/token", params=PASSWORD, headers=basic(b"%d:b" % number), timeout=60
                )
                for number in range(flood)
            ]
            while len(seen) < 4:
                time.sleep(0.01)
            assert tenant.get("/oauth/validate", timeout=30).status_code == 200
            time.sleep(0.2)
            assert len(seen) == 4, "each takes 19 MB"
        finally:
            released.set()
    assert {login.result().status_code for login in logins} == {401}


def test_a_grant_to_one_key_leaves_the_sessions_of_another_alone(api):
    tenant = api.tenant()
    first = tenant.login()
    api.as_role(tenant, Role.STANDARD)

    assert refresh(api, first["refresh_token"]).status_code == 200


@pytest.mark.parametrize(("days", "status"), [(29, 200), (30, 401)])
def test_a_refresh_token_lives_thirty_days(api, days, status):
    token = api.tenant().login()["refresh_token"]
    api.clock.advance(days=days)

    assert refresh(api, token).status_code == status


def test_an_access_token_never_outlives_its_session(api):
    token = api.tenant().login()["refresh_token"]
    api.clock.advance(days=29, hours=23, minutes=30)

    assert refresh(api, token).json()["expires_in"] == pytest.approx(1800, abs=1)


def test_revoking_ends_the_refresh_token_and_its_access_tokens(api):
    tenant = api.tenant()
    token = tenant.login()["refresh_token"]

    assert api.client.post("/oauth/revoke", json={"refresh_token": token}).status_code == 200
    assert refresh(api, token).json()["code"] == 40103
    assert tenant.get("/oauth/validate").json()["code"] == 40101


def test_revoking_an_unknown_token_is_no_error(api):
    """RFC 7009, section 2.2."""
    assert api.client.post("/oauth/revoke", json={"refresh_token": "x"}).status_code == 200


def test_revoking_a_key_ends_its_sessions_at_once(api):
    tenant = api.tenant()
    token = tenant.login()["refresh_token"]
    revoke_api_key(api.database, api.sources, tenant.key.api_key.public_id)

    assert tenant.get("/oauth/validate").json()["code"] == 40101
    assert refresh(api, token).json()["code"] == 40103


@pytest.mark.parametrize(
    ("idle_days", "status"), [(90, 200), pytest.param(91, 401, id="after 90 idle days a key is revoked")]
)
def test_an_idle_key_is_revoked(api, idle_days, status):
    tenant = api.tenant()
    api.clock.advance(days=idle_days)

    assert api.client.post("/oauth/token", params=PASSWORD, headers=tenant.basic).status_code == status
    api.clock.advance(days=-idle_days)
    assert api.client.post("/oauth/token", params=PASSWORD, headers=tenant.basic).status_code == status


def test_me_says_whom_the_token_stands_for(api):
    tenant = api.tenant(Role.READ_ONLY, state=AccountState.SUSPENDED)

    assert tenant.get("/oauth/me").json() == {
        "account_id": str(tenant.account.public_id),
        "name": "Shop",
        "email": tenant.account.email,
        "state": "suspended",
        "state_reason": "a reason",
        "is_account_verified": False,
        "api_key": {"id": str(tenant.key.api_key.public_id), "name": "k", "role": "read_only"},
        "scope": ["read"],
    }


@pytest.mark.parametrize("name", ["Authorization", "authorization", "Authentication"])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_bearer_token_is_read_from_either_header(api, name, scheme):
    token = api.tenant().login()["access_token"]

    assert api.client.get("/oauth/validate", headers={name: f"{scheme} {token}"}).status_code == 200


def forged(token, **claims):
    known = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode({**known, **claims}, "k" * 32, algorithm="HS256", headers=jwt.get_unverified_header(token))


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def under_key(key_id):
    return ".".join(b64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": key_id}, {"sid": "x"}, ""))


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(lambda _: ".", id="next to nothing"),
        pytest.param(lambda _: "x.y.z", id="no JWT"),
        pytest.param(lambda token: token[:-2], id="cut"),
        pytest.param(forged, id="signed with another secret"),
        pytest.param(lambda token: forged(token, scope=["manage"]), id="more scope"),
        pytest.param(
            lambda token: jwt.encode(jwt.decode(token, options={"verify_signature": False}), None, algorithm="none"),
            id="unsigned",
        ),
        pytest.param(lambda _: jwt.encode({"sid": "x"}, "k" * 32, headers={"kid": "../x"}), id="unknown key"),
        pytest.param(lambda _: under_key("a\x00b"), id="a key id that PostgreSQL cannot hold"),
        pytest.param(lambda _: under_key("\ud800"), id="a key id that UTF-8 cannot hold"),
        pytest.param(lambda _: under_key(["k"]), id="a key id that is no text"),
        pytest.param(lambda _: f"{b64url(b'[' * 20_000)}.e30.AAAA", id="a header nested too deep"),
    ],
)
def test_a_token_that_is_not_ours_is_40101(api, alter):
    token = api.tenant().login()["access_token"]

    answer = api.client.get("/oauth/validate", headers={"Authorization": f"Bearer {alter(token)}"})

    assert (answer.status_code, answer.json()["code"]) == (401, 40101)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_an_access_token_expires(api):
    tenant = api.tenant()
    api.clock.advance(seconds=3598)
    assert tenant.get("/oauth/validate").status_code == 200
    api.clock.advance(seconds=2)
    assert tenant.get("/oauth/validate").json()["code"] == 40101


@pytest.mark.parametrize(
    ("params", "body", "code"),
    [
        ({}, None, 40002),
        ({"grant_type": "client_credentials"}, None, 40003),
        (REFRESH, None, 40002),
        (REFRESH, {}, 40002),
        (REFRESH, {"refresh_token": 1}, 40002),
        (REFRESH, {"refresh_token": "\x00"}, 40103),
        (REFRESH, {"refresh_token": "x"}, 40103),
    ],
)
def test_a_token_request_that_makes_no_sense_is_refused(api, params, body, code):
    answer = api.client.post("/oauth/token", params=params, json=body)

    assert (answer.status_code, answer.json()["code"]) == (code // 100, code)


def test_a_decision_on_the_account_shows_in_the_next_request(api):
    tenant = api.tenant()
    decide(api.database, api.sources, tenant.account.public_id, AccountState.SUSPENDED, reason="spam", decided_by="cli")

    assert tenant.get("/oauth/me").json()["is_account_verified"] is False
    assert tenant.send().json()["message"] == "this account may not send: it is suspended (spam)"
