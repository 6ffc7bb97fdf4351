"""Opening an account, and what operators decide on it, through the API."""

from uuid import UUID

import pytest
from sqlalchemy import select
from tests.integration.control.conftest import START, Tenant

from waypost.control.limits import SIGN_UPS_OF_ADDRESS
from waypost.control.publishing.service import snapshot_of
from waypost.db.states import AccountState, Role
from waypost.db.tables import Account, ApiKey

ACCOUNT = "/api/v1/account"
ADMIN = "/api/v1/admin/account"


def sign_up(api, email="new@shop.example", **more):
    return api.client.post(ACCOUNT, json={"name": "Shop", "email": email}, **more)


def opened(api, email):
    """A tenant who opened the account itself."""
    body = sign_up(api, email).json()
    with api.database.reading() as session:
        account = session.scalars(select(Account).where(Account.public_id == UUID(body["account_id"]))).one()
    tenant = Tenant(api.client, account, None, "shop.example")
    key = body["api_key"]
    answer = api.client.post("/oauth/token", params={"grant_type": "password"}, auth=(key["key"], key["secret"]))
    tenant.headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    return tenant


def decided(api, tenant, verb, body=None, **query):
    return api.operator().put(f"{ADMIN}/{tenant.account.public_id}/{verb}", body, **query)


def test_an_account_is_opened_pending_with_a_first_key_shown_once(api):
    answer = sign_up(api, "one@shop.example")

    body = answer.json()
    assert answer.status_code == 201, body
    assert answer.headers["Cache-Control"] == "no-store"
    key = body.pop("api_key")
    assert UUID(body.pop("account_id"))
    assert body == {
        "name": "Shop",
        "email": "one@shop.example",
        "state": "pending",
        "state_reason": None,
        "is_account_verified": False,
        "privacy_mode": None,
        "ip_policy": None,
        "event_days": None,
        "address_days": None,
        "user_agent_days": None,
        "created_at_utc": int(START.timestamp()),
        "modified_at_utc": int(START.timestamp()),
    }
    assert (key["role"], key["last_used_at_utc"], key["revoked_at_utc"]) == ("iac", None, None)
    with api.database.reading() as session:
        stored = session.scalars(select(ApiKey).where(ApiKey.key == key["key"])).one()
    assert stored.secret_hash.startswith("$argon2id$")
    assert key["secret"] not in stored.secret_hash


def test_the_first_key_manages_and_sees_how_the_account_stands_and_sends_nothing(api):
    tenant = opened(api, "two@shop.example")

    assert tenant.get(ACCOUNT).json()["state"] == "pending"
    assert tenant.post(f"{ACCOUNT}/api_key", {"name": "app", "role": "send_only"}).status_code == 201
    assert tenant.send().json()["code"] == 40301


def test_an_address_has_one_account_however_many_ask(api):
    assert sign_up(api, "three@shop.example").status_code == 201

    again = sign_up(api, "three@shop.example")

    assert (again.status_code, again.json()["code"]) == (409, 40902)


def test_new_accounts_are_limited_by_address(api):
    answers = [sign_up(api, f"{n}@many.example") for n in range(SIGN_UPS_OF_ADDRESS.attempts + 1)]

    assert [answer.status_code for answer in answers] == [201] * SIGN_UPS_OF_ADDRESS.attempts + [429]
    assert (answers[-1].json()["code"], int(answers[-1].headers["Retry-After"])) == (42901, 720)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\r\nb"}, "name"),
        ({"name": "x" * 257}, "name"),
        ({"name": 7}, "name"),
        ({"email": "nobody"}, "email"),
        ({"email": "a@shop.example\n"}, "email"),
        ({"email": None}, "email"),
    ],
)
def test_an_account_with_a_wrong_field_is_refused_by_name(api, fields, field):
    answer = api.client.post(ACCOUNT, json={"name": "Shop", "email": "x@shop.example", **fields})

    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert answer.json()["message"].startswith(f"{field}: ")


def test_where_sign_up_is_closed_nobody_opens_an_account(api):
    with api.served_anew({"WAYPOST_CONTROL__SIGN_UP": "false"}) as client:
        answer = client.post(ACCOUNT, json={"name": "Shop", "email": "closed@shop.example"})

    assert (answer.status_code, answer.json()["code"]) == (403, 40303)


def test_an_operator_approves_and_the_claim_and_the_sending_follow(api):
    tenant = api.tenant(state=AccountState.PENDING)
    assert tenant.send().json()["code"] == 40901

    answer = decided(api, tenant, "approve")

    assert (answer.status_code, answer.json()["state"], answer.json()["is_account_verified"]) == (200, "approved", True)
    assert tenant.get("/oauth/me").json()["is_account_verified"] is True
    assert tenant.send().status_code == 202


def test_a_rejected_owner_sees_the_reason(api):
    tenant = api.tenant(state=AccountState.PENDING)

    decided(api, tenant, "reject", {"reason": "We do not know you."})

    body = tenant.get(ACCOUNT).json()
    assert (body["state"], body["state_reason"]) == ("rejected", "We do not know you.")
    assert "We do not know you." in tenant.send().json()["message"]


def test_a_suspension_stops_sending_at_once_and_leaves_links_alone(api):
    tenant = api.tenant()

    body = decided(api, tenant, "suspend", {"reason": "spam"}).json()

    assert (body["state"], body["links_blocked"]) == ("suspended", False)
    assert tenant.send().json()["code"] == 40901
    assert (
        tenant.account.number not in snapshot_of(api.database, (), api.clock(), lambda send_id: send_id).blocks.accounts
    )


def test_a_suspension_can_block_every_link_and_approval_does_not_lift_that(api):
    tenant = api.tenant()

    body = decided(api, tenant, "suspend", {"reason": "phishing", "block_links": True}).json()

    assert body["links_blocked"] is True
    assert tenant.account.number in snapshot_of(api.database, (), api.clock(), lambda send_id: send_id).blocks.accounts
    assert decided(api, tenant, "approve").json()["links_blocked"] is True
    blocks = api.operator().get("/api/v1/link/block").json()
    [block] = [block for block in blocks if block["value"] == str(tenant.account.public_id)]
    assert (block["kind"], block["reason"]) == ("account", "phishing")
    api.operator().delete(f"/api/v1/link/block/{block['block_id']}")
    assert api.operator().get(f"{ADMIN}/{tenant.account.public_id}").json()["links_blocked"] is False


def test_the_history_tells_who_decided_what_and_why(api):
    tenant = api.tenant(state=AccountState.PENDING)
    decided(api, tenant, "reject", {"reason": "who?"})
    api.clock.advance(hours=1)
    decided(api, tenant, "approve")

    steps = api.operator().get(f"{ADMIN}/{tenant.account.public_id}/history").json()

    operator = api.operator().account.email
    assert [(step["state"], step["reason"], step["decided_by"]) for step in steps] == [
        ("rejected", "who?", operator),
        ("approved", None, operator),
    ]
    assert steps[1]["decided_at_utc"] - steps[0]["decided_at_utc"] == 3600


@pytest.mark.parametrize(
    ("verb", "body", "code"),
    [
        ("suspend", {"reason": "x"}, 40902),
        ("reject", {}, 40002),
        ("reject", {"reason": ""}, 40002),
        ("reject", {"reason": "a\x00b"}, 40002),
        ("suspend", {"reason": "x", "block_links": "yes"}, 40002),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused_and_changes_nothing(api, verb, body, code):
    tenant = api.tenant(state=AccountState.PENDING)

    answer = decided(api, tenant, verb, body)

    assert (answer.status_code, answer.json()["code"]) == (code // 100, code)
    assert tenant.get(ACCOUNT).json()["state"] == "pending"
    assert api.operator().get(f"{ADMIN}/{tenant.account.public_id}/history").json() == []


def test_accounts_are_listed_by_state_in_pages_that_hold_each_once(api):
    made = [api.tenant(state=AccountState.REJECTED, link_domain=None).account for _ in range(5)]
    operator, found, path = api.operator(), [], f"{ADMIN}?state=rejected&limit=2"
    while path:
        answer = operator.get(path)
        found += [each["account_id"] for each in answer.json()]
        path = answer.links.get("next", {}).get("url")

    assert found[-5:] == [str(account.public_id) for account in made]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("query", ["cursor=x", "cursor=%00", "cursor=LTE", "limit=0", "limit=1001", "state=none"])
def test_a_page_that_cannot_be_is_refused_by_name(api, query):
    answer = api.operator().get(f"{ADMIN}?{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert answer.json()["message"].startswith(f"{query.partition('=')[0]}: ")


def test_an_operator_who_only_sends_decides_nothing(api):
    assert api.operator(Role.STANDARD).get(ADMIN).json()["code"] == 40301
