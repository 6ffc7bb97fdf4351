"""API keys through the API: shown once, listed with their sessions, ended at once or by themselves."""

import os
from datetime import timedelta
from functools import partial
from ipaddress import ip_network
from uuid import uuid4

import pytest
from sqlalchemy import insert, select, text
from tests.integration.control.conftest import START

from waypost.control.accounts.schema import NewAccount
from waypost.control.accounts.service import create_account
from waypost.control.housekeeping import clean
from waypost.control.keys import service
from waypost.control.keys.schema import NewApiKey
from waypost.control.keys.service import create_api_key, list_api_keys
from waypost.control.limits import LOGINS_OF_KEY
from waypost.control.sources import Sources
from waypost.db.states import Role
from waypost.db.tables import AuthSession
from waypost.edge.forwarded import Front, client_of

KEYS = "/api/v1/account/api_key"


@pytest.fixture
def manager(api):
    return api.tenant(Role.IAC)


def new_key(manager, role="standard"):
    answer = manager.post(KEYS, {"name": "app", "role": role})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json()


def login(api, key, secret=None):
    return api.client.post(
        "/oauth/token", params={"grant_type": "password"}, auth=(key["key"], secret or key["secret"])
    )


@pytest.mark.parametrize("role", list(Role))
def test_a_new_key_works_with_its_role_and_its_secret_is_never_shown_again(api, manager, role):
    key = new_key(manager, role.value)

    assert login(api, key).json()["token_type"] == "bearer"
    for shown in (manager.get(f"{KEYS}/{key['id']}"), manager.get(KEYS)):
        assert key["secret"] not in shown.text
        assert key["key"] in shown.text
    secret = key.pop("secret")
    assert secret
    assert manager.get(f"{KEYS}/{key['id']}").json() == key | {"last_used_at_utc": int(START.timestamp())}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"role": "admin"}, "role"),
        ({"role": None}, "role"),
        ({"role": ["iac"]}, "role"),
    ],
)
def test_a_key_with_a_wrong_field_is_refused_by_name(manager, fields, field):
    answer = manager.post(KEYS, {"name": "app", "role": "standard", **fields})

    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert answer.json()["message"].startswith(f"{field}: ")


def test_the_last_use_is_the_last_login_or_refresh(api, manager):
    key = new_key(manager)
    token = login(api, key).json()["refresh_token"]
    api.clock.advance(minutes=10)
    api.client.post("/oauth/token", params={"grant_type": "refresh_token"}, json={"refresh_token": token})

    assert manager.get(f"{KEYS}/{key['id']}").json()["last_used_at_utc"] == int(START.timestamp()) + 600


def test_sessions_are_listed_newest_first_with_what_they_are_worth(api, manager):
    key = new_key(manager)
    revoked = login(api, key).json()["refresh_token"]
    api.client.post("/oauth/revoke", json={"refresh_token": revoked})
    login(api, key)
    api.clock.advance(minutes=1)
    login(api, key)

    sessions = manager.get(f"{KEYS}/{key['id']}/sessions").json()

    assert [session["state"] for session in sessions] == ["active", "superseded", "revoked"]
    assert set(sessions[0]) == {"id", "state", "created_at_utc", "last_used_at_utc", "expires_at_utc"}
    assert sessions[0]["created_at_utc"] - sessions[1]["created_at_utc"] == 60
    assert sessions[0]["expires_at_utc"] - sessions[0]["created_at_utc"] == 30 * 86_400


def test_of_many_logins_the_newest_are_listed(api, manager, monkeypatch):
    key = new_key(manager)
    for _ in range(3):
        login(api, key)
    listed = manager.get(f"{KEYS}/{key['id']}/sessions").json()
    monkeypatch.setattr(service, "MAX_SESSIONS", 2)

    assert manager.get(f"{KEYS}/{key['id']}/sessions").json() == listed[:2]


def test_a_login_looks_at_none_of_the_logins_before_but_the_last(database):
    sources = Sources(lambda: START, os.urandom)
    owner = create_account(database, sources, NewAccount(name="Shop", email="owner@shop.example"))
    key = create_api_key(database, sources, owner.public_id, NewApiKey(name="k", role=Role.STANDARD)).api_key.number
    times = {"created_at": START, "last_used_at": START, "expires_at": START + timedelta(days=30)}
    earlier = times | {"api_key": key, "superseded_at": START}
    sessions = [earlier | {"public_id": uuid4(), "refresh_token_hash": str(number)} for number in range(5000)]
    sqlite = database.engine.dialect.name == "sqlite"
    with database.writing() as session:
        session.execute(insert(AuthSession), sessions)
        if not sqlite:
            session.execute(text("ANALYZE auth_sessions"))
        explain = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
        looking = f"SELECT number FROM auth_sessions WHERE api_key = {key} AND superseded_at IS NULL"
        plan = session.execute(text(f"{explain} {looking}")).all()

    assert "ix_auth_sessions_current" in str(plan)


def test_a_revoked_key_ends_at_once_with_its_tokens(api, manager):
    key = new_key(manager)
    token = login(api, key).json()
    first = manager.put(f"{KEYS}/{key['id']}/revoke").json()
    api.clock.advance(minutes=1)
    again = manager.put(f"{KEYS}/{key['id']}/revoke").json()

    assert first["revoked_at_utc"] == again["revoked_at_utc"] == int(START.timestamp())
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    assert api.client.get("/oauth/validate", headers=bearer).json()["code"] == 40101
    assert login(api, key).json()["code"] == 40102


def test_a_key_may_revoke_itself(manager):
    assert manager.put(f"{KEYS}/{manager.key.api_key.public_id}/revoke").status_code == 200
    assert manager.get(KEYS).json()["code"] == 40101


def test_an_idle_key_is_revoked_without_anybody_trying_it(database):
    sources = Sources(lambda: START, os.urandom)
    owner = create_account(database, sources, NewAccount(name="Shop", email="owner@shop.example"))
    key = create_api_key(database, sources, owner.public_id, NewApiKey(name="k", role=Role.STANDARD))

    for days, revoked in [(90, False), (91, True)]:
        clean(database, Sources(lambda: START + timedelta(days=days), os.urandom))  # noqa: B023 - called at once
        [listed] = list_api_keys(database, owner.public_id)
        assert (listed.revoked_at is not None) is revoked
    assert listed.key == key.api_key.key


def test_expired_sessions_are_forgotten(database):
    def at(now):
        return Sources(lambda: now, os.urandom)

    owner = create_account(database, at(START), NewAccount(name="Shop", email="owner@shop.example"))
    key = create_api_key(database, at(START), owner.public_id, NewApiKey(name="k", role=Role.STANDARD)).api_key
    with database.writing() as session:
        for day in (1, 2):
            expires_at = START + timedelta(days=day)
            session.add(
                AuthSession(
                    public_id=uuid4(),
                    api_key=key.number,
                    refresh_token_hash=str(day),
                    created_at=START,
                    last_used_at=START,
                    expires_at=expires_at,
                )
            )

    clean(database, at(START + timedelta(days=1)))

    with database.reading() as session:
        assert session.scalars(select(AuthSession.refresh_token_hash)).all() == ["2"]


def test_too_many_wrong_secrets_are_429_and_the_right_one_too_until_it_is_time(api, manager):
    key = new_key(manager)
    wrong = [login(api, key, "wrong").status_code for _ in range(LOGINS_OF_KEY.attempts)]

    limited = login(api, key)

    assert set(wrong) == {401}
    assert (limited.status_code, limited.json()["code"]) == (429, 42901)
    assert 0 < int(limited.headers["Retry-After"]) <= 30
    api.clock.advance(seconds=int(limited.headers["Retry-After"]))
    assert login(api, key).status_code == 200


def test_a_limited_key_does_not_limit_another(api, manager):
    first, second = new_key(manager), new_key(manager)
    for _ in range(LOGINS_OF_KEY.attempts + 1):
        login(api, first, "wrong")

    assert login(api, second).status_code == 200


def test_clients_behind_a_front_are_told_apart_by_what_the_front_says(api, manager):
    key = new_key(manager)
    front = Front((ip_network("127.0.0.0/8"),))

    def attempt(client, secret, address):
        return client.post(
            "/oauth/token?grant_type=password", auth=(key["key"], secret), headers={"X-Forwarded-For": address}
        ).status_code

    with api.served_anew(client_of=partial(client_of, front=front)) as client:
        for _ in range(LOGINS_OF_KEY.attempts):
            attempt(client, "wrong", "192.0.2.1")
        assert attempt(client, key["secret"], "192.0.2.1") == 429
        assert attempt(client, key["secret"], "203.0.113.9, 192.0.2.1") == 429, "what the client wrote itself"
        assert attempt(client, key["secret"], "192.0.2.2") == 200
