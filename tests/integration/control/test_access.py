"""Who may do what: every route against every role, no role, and another account."""

import pytest

from waypost.db.states import AccountState, Role

SEND = "/api/v1/email/send"
ANY = frozenset(Role)
SENDING = frozenset({Role.STANDARD, Role.SEND_ONLY})
READING = frozenset({Role.STANDARD, Role.READ_ONLY})

# (method, path, roles that may)
ROUTES = [
    ("GET", "/oauth/validate", ANY),
    ("GET", "/oauth/me", ANY),
    ("POST", SEND, SENDING),
    ("POST", "/api/v1/email/links/preview", SENDING),
    ("GET", f"{SEND}/{{send_id}}", READING),
    ("GET", f"{SEND}/{{send_id}}/events", READING),
    ("GET", f"{SEND}/{{send_id}}/content/html", READING),
    ("GET", f"{SEND}/{{send_id}}/content/text", READING),
    ("GET", "/api/v1/analysis/summary", READING),
]
WITHOUT_TOKEN = {("POST", "/oauth/token"), ("POST", "/oauth/revoke")}
# Its bodies are of another shape, and what an operator may differs: test_blocks.py has all of it.
BLOCKS = {
    ("POST", "/api/v1/link/block"),
    ("GET", "/api/v1/link/block"),
    ("DELETE", "/api/v1/link/block/{block_id}"),
}

each_route = pytest.mark.parametrize(("method", "path", "allowed"), ROUTES, ids=lambda value: str(value)[:60])
each_role = pytest.mark.parametrize("role", list(Role))


@pytest.fixture(scope="module")
def household(served):
    """An account with a send and a key of every role, and a stranger with the same."""
    owner, stranger = served.tenant(), served.tenant()
    send_id = owner.send(content_text="text").json()["send_id"]
    return {
        "send_id": send_id,
        "owner": {role: served.as_role(owner, role) for role in Role},
        "stranger": {role: served.as_role(stranger, role) for role in Role},
    }


def ask(tenant, method, path, send_id):
    body = tenant.message() if method == "POST" else None
    return tenant.client.request(method, path.format(send_id=send_id), json=body, headers=tenant.headers)


@each_role
@each_route
def test_a_role_may_do_what_it_says_and_nothing_else(household, method, path, allowed, role):
    answer = ask(household["owner"][role], method, path, household["send_id"])

    if role in allowed:
        assert answer.status_code in {200, 202}, answer.text
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, 40301)
        assert role in answer.json()["message"]


@each_role
@pytest.mark.parametrize("path", [path for _, path, _ in ROUTES if "{send_id}" in path])
def test_another_accounts_send_looks_absent(household, path, role):
    stranger = household["stranger"][role]

    others = ask(stranger, "GET", path, household["send_id"])
    nobodys = ask(stranger, "GET", path, "01890a5d-ac96-774b-bcce-b302099a8057")

    assert others.status_code == (404 if role in READING else 403)
    assert (others.status_code, others.json()) == (nobodys.status_code, nobodys.json())


@each_route
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer x"}])
def test_without_a_good_token_it_is_40101(api, method, path, allowed, headers):
    answer = api.client.request(method, path.format(send_id="x"), headers=headers)

    assert allowed
    assert (answer.status_code, answer.json()["code"]) == (401, 40101)


def test_no_route_is_missing_from_this_table(api):
    document = api.client.get("/openapi.json").json()
    served = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}

    assert served == {(method, path) for method, path, _ in ROUTES} | WITHOUT_TOKEN | BLOCKS


@pytest.mark.parametrize("state", [AccountState.PENDING, AccountState.REJECTED, AccountState.SUSPENDED])
def test_an_account_that_may_not_send_may_still_read(api, state):
    tenant = api.tenant(state=state)

    assert tenant.get("/api/v1/analysis/summary").status_code == 200
    assert tenant.get("/oauth/me").json()["state"] == state


def test_a_summary_counts_the_askers_account_only(api):
    tenant = api.tenant()
    tenant.get("/api/v1/analysis/summary")

    assert [account for account, _, _ in api.store.asked] == [tenant.account.number]
