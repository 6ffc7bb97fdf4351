"""Who may do what (S4): every route of the app against every role, another account, an operator and no token at all."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import update

from waypost.control.accounts.schema import NewAccount
from waypost.control.accounts.service import create_account, decide
from waypost.control.app import routes
from waypost.db.states import AccountState, NoticeState, Role
from waypost.db.tables import WebhookNotice

SEND = "/api/v1/email/send"
HOOK = "/api/v1/webhook"
ANY = frozenset(Role)
SENDING = frozenset({Role.STANDARD, Role.SEND_ONLY})
READING = frozenset({Role.STANDARD, Role.READ_ONLY})
MANAGING = frozenset({Role.IAC})
BLOCKING = frozenset({Role.STANDARD, Role.IAC})


@dataclass
class Household:
    """An account with one of everything, with a key of every role."""

    api: object
    owner: object
    by_role: dict = field(default_factory=dict)

    def send_id(self):
        return self.by_role[Role.STANDARD].send(content_text="text").json()["send_id"]

    def profile_id(self):
        return str(self.owner.profile.public_id)

    def spare_profile_id(self):
        return self.by_role[Role.IAC].post("/api/v1/email/profile", new_profile(self)).json()["profile_id"]

    def key_id(self):
        return str(self.api.another_key(self.owner.account, Role.READ_ONLY).api_key.public_id)

    def block_id(self):
        new = {"kind": "link", "value": f"https://shop.example/{uuid4()}", "reason": "r"}
        return self.by_role[Role.IAC].post("/api/v1/link/block", new).json()["block_id"]

    def erasure_id(self):
        asked = {"recipient_email_address": "nobody@example.com"}
        return self.by_role[Role.IAC].post("/api/v1/erasure", asked).json()["erasure_id"]

    def endpoint_id(self):
        new = {"url": "https://hooks.example/in"}
        answer = self.by_role[Role.IAC].post("/api/v1/webhook", new)
        if answer.status_code == 409:  # as many as an account may have
            for endpoint in self.by_role[Role.IAC].get("/api/v1/webhook").json():
                self.by_role[Role.IAC].delete(f"/api/v1/webhook/{endpoint['endpoint_id']}")
            answer = self.by_role[Role.IAC].post("/api/v1/webhook", new)
        return answer.json()["endpoint_id"]

    def message(self):
        endpoint_id = self.endpoint_id()
        answer = self.by_role[Role.IAC].post(f"/api/v1/webhook/{endpoint_id}/test", None)
        return endpoint_id, answer.json()["message_id"]

    def told_message(self):
        endpoint_id, message_id = self.message()
        with self.api.database.writing() as session:
            told = update(WebhookNotice).where(WebhookNotice.message_id == UUID(message_id))
            session.execute(told.values(state=NoticeState.DELIVERED))
        return endpoint_id, message_id

    def account_id(self):
        """Of an account that no decision was taken on yet."""
        new = NewAccount(name="Shop", email=f"{uuid4()}@shop.example")
        return str(create_account(self.api.database, self.api.sources, new).public_id)

    def approved_account_id(self):
        account_id = self.account_id()
        decide(self.api.database, self.api.sources, UUID(account_id), AccountState.APPROVED, decided_by="cli")
        return account_id


def nothing(_household):
    return None


@dataclass(frozen=True)
class Row:
    """A route: which roles may use it, and an example that succeeds."""

    roles: frozenset
    body: Callable = nothing
    query: str = ""
    of: Callable | None = None
    """Makes the object that the path names; None: it names none."""
    word: str = ""
    """What stands in the path instead, and is nobody's."""
    operators: bool = False
    """Only for the operator's account."""


def message(household):
    return household.owner.message()


def new_batch(household):
    return household.owner.message(recipients=[{"recipient_email_address": "ada@example.com"}])


def new_profile(household):
    return {"profile_name": "p", "sending_domain": household.owner.domain, "link_domain": "localhost"}


def new_block(_household):
    return {"kind": "link", "value": "https://shop.example/", "reason": "r"}


def new_endpoint(household):
    household.endpoint_id()  # makes room for one
    return {"url": "https://hooks.example/in"}


PROFILE_ROWS = {
    ("POST", "{}"): Row(MANAGING, new_profile),
    ("GET", "{}"): Row(READING | MANAGING),
    ("GET", "{}/{{profile_id}}"): Row(READING | MANAGING, of=Household.profile_id),
    ("GET", "{}/{{profile_id}}/setup"): Row(READING | MANAGING, of=Household.profile_id),
    ("PUT", "{}/{{profile_id}}/verify"): Row(MANAGING, of=Household.profile_id),
    ("DELETE", "{}/{{profile_id}}"): Row(MANAGING, of=Household.spare_profile_id),
}
ROWS = {
    ("GET", "/oauth/validate"): Row(ANY),
    ("GET", "/oauth/me"): Row(ANY),
    ("GET", "/api/v1/account"): Row(ANY),
    ("PUT", "/api/v1/account/password"): Row(MANAGING, lambda _: {"password": "correct horse battery"}),
    ("PUT", "/api/v1/account/privacy"): Row(MANAGING, lambda _: {"privacy_mode": "anonymous"}),
    ("POST", "/api/v1/account/api_key"): Row(MANAGING, lambda _: {"name": "k", "role": "read_only"}),
    ("GET", "/api/v1/account/api_key"): Row(MANAGING),
    ("GET", "/api/v1/account/api_key/{key_id}"): Row(MANAGING, of=Household.key_id),
    ("GET", "/api/v1/account/api_key/{key_id}/sessions"): Row(MANAGING, of=Household.key_id),
    ("PUT", "/api/v1/account/api_key/{key_id}/revoke"): Row(MANAGING, of=Household.key_id),
    **{
        (method, path.format(prefix)): row
        for prefix in ("/api/v1/email/profile", "/api/v1/profile/email")
        for (method, path), row in PROFILE_ROWS.items()
    },
    ("POST", SEND): Row(SENDING, message),
    ("POST", f"{SEND}/batch"): Row(SENDING, new_batch),
    ("GET", SEND): Row(READING),
    ("GET", f"{SEND}/search"): Row(READING, query="?q=ada"),
    ("GET", f"{SEND}/{{send_id}}"): Row(READING, of=Household.send_id),
    ("GET", f"{SEND}/{{send_id}}/events"): Row(READING, of=Household.send_id),
    ("GET", f"{SEND}/{{send_id}}/content/html"): Row(READING, of=Household.send_id),
    ("GET", f"{SEND}/{{send_id}}/content/text"): Row(READING, of=Household.send_id),
    ("POST", "/api/v1/email/links/preview"): Row(SENDING, message),
    ("GET", "/api/v1/analysis/summary"): Row(READING),
    ("GET", "/api/v1/analysis/engagement/{dimension}/summary"): Row(READING, word="country"),
    ("GET", "/api/v1/analysis/delivery/domain/summary"): Row(READING),
    ("GET", "/api/v1/analysis/export"): Row(READING),
    ("POST", "/api/v1/link/block"): Row(BLOCKING, new_block),
    ("GET", "/api/v1/link/block"): Row(BLOCKING),
    ("DELETE", "/api/v1/link/block/{block_id}"): Row(BLOCKING, of=Household.block_id),
    ("POST", "/api/v1/erasure"): Row(BLOCKING, lambda _: {"recipient_email_address": "nobody@example.com"}),
    ("GET", "/api/v1/erasure/{erasure_id}"): Row(BLOCKING, of=Household.erasure_id),
    ("POST", HOOK): Row(MANAGING, new_endpoint),
    ("GET", HOOK): Row(READING | MANAGING),
    ("GET", f"{HOOK}/{{endpoint_id}}"): Row(READING | MANAGING, of=Household.endpoint_id),
    ("PATCH", f"{HOOK}/{{endpoint_id}}"): Row(MANAGING, lambda _: {"description": "d"}, of=Household.endpoint_id),
    ("DELETE", f"{HOOK}/{{endpoint_id}}"): Row(MANAGING, of=Household.endpoint_id),
    ("POST", f"{HOOK}/{{endpoint_id}}/rotate_secret"): Row(MANAGING, lambda _: {}, of=Household.endpoint_id),
    ("POST", f"{HOOK}/{{endpoint_id}}/test"): Row(MANAGING, of=Household.endpoint_id),
    ("POST", f"{HOOK}/{{endpoint_id}}/replay"): Row(
        MANAGING, lambda _: {"from_utc": 1_772_712_000}, of=Household.endpoint_id
    ),
    ("GET", f"{HOOK}/{{endpoint_id}}/message"): Row(READING | MANAGING, of=Household.endpoint_id),
    ("GET", f"{HOOK}/{{endpoint_id}}/message/{{message_id}}"): Row(READING | MANAGING, of=Household.message),
    ("POST", f"{HOOK}/{{endpoint_id}}/message/{{message_id}}/replay"): Row(MANAGING, of=Household.told_message),
    ("PUT", "/api/v1/account/retention"): Row(MANAGING, lambda _: {"event_days": 400}),
    ("GET", "/api/v1/admin/account"): Row(MANAGING, operators=True),
    ("GET", "/api/v1/admin/account/{account_id}"): Row(MANAGING, of=Household.account_id, operators=True),
    ("GET", "/api/v1/admin/account/{account_id}/history"): Row(MANAGING, of=Household.account_id, operators=True),
    ("PUT", "/api/v1/admin/account/{account_id}/retention"): Row(
        MANAGING, lambda _: {"content_days": 7}, of=Household.account_id, operators=True
    ),
    ("PUT", "/api/v1/admin/account/{account_id}/approve"): Row(MANAGING, of=Household.account_id, operators=True),
    ("PUT", "/api/v1/admin/account/{account_id}/reject"): Row(
        MANAGING, lambda _: {"reason": "r"}, of=Household.account_id, operators=True
    ),
    ("PUT", "/api/v1/admin/account/{account_id}/suspend"): Row(
        MANAGING, lambda _: {"reason": "r"}, of=Household.approved_account_id, operators=True
    ),
}
# The last one takes Basic credentials: test_metrics.py.
WITHOUT_TOKEN = {
    ("POST", "/oauth/token"),
    ("POST", "/oauth/revoke"),
    ("POST", "/api/v1/account"),
    ("GET", "/metrics"),
}
# Not for accounts: edges have credentials of their own, see test_edges.py.
OF_EDGES = "/internal/"

each_route = pytest.mark.parametrize(("method", "path"), list(ROWS), ids=str)
each_role = pytest.mark.parametrize("role", list(Role))
of_an_object = pytest.mark.parametrize(("method", "path"), [at for at, row in ROWS.items() if row.of])
of_operators = pytest.mark.parametrize(("method", "path"), [at for at, row in ROWS.items() if row.operators])


@pytest.fixture(scope="module")
def household(served):
    owner = served.tenant()
    return Household(served, owner, {role: served.as_role(owner, role) for role in Role})


@pytest.fixture(scope="module")
def strangers(served):
    """Another account with the same keys."""
    stranger = served.tenant()
    return {role: served.as_role(stranger, role) for role in Role}


@pytest.fixture(scope="module")
def operators(served):
    return {role: served.operator(role) for role in Role}


def ask(tenant, method, path, object_id, body):
    names = re.findall(r"{(\w+)}", path)
    ids = object_id if isinstance(object_id, tuple) else [object_id] * len(names)
    at = path.format(**dict(zip(names, ids, strict=True)))
    return tenant.client.request(method, at, json=body, headers=tenant.headers)


@each_role
@each_route
def test_a_role_may_do_what_it_says_and_nothing_else(household, operators, method, path, role):
    row = ROWS[method, path]
    tenant = (operators if row.operators else household.by_role)[role]
    object_id = row.of(household) if row.of else row.word

    answer = ask(tenant, method, path + row.query, object_id, row.body(household))

    if role in row.roles:
        assert answer.status_code in {200, 201, 202, 204}, answer.text
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, 40301)
        who_may = " or ".join(each for each in Role if each in row.roles)
        assert answer.json()["message"] == f"an API key of role {role} may not do this: make a key of role {who_may}"


@each_role
@of_an_object
def test_another_accounts_object_looks_absent(household, strangers, method, path, role):
    row, stranger = ROWS[method, path], strangers[role]
    body = row.body(household)

    others = ask(stranger, method, path, row.of(household), body)
    nobodys = ask(stranger, method, path, "01890a5d-ac96-774b-bcce-b302099a8057", body)

    assert others.status_code == (404 if role in row.roles and not row.operators else 403)
    assert (others.status_code, others.json()) == (nobodys.status_code, nobodys.json())


@each_role
@of_operators
def test_what_is_for_operators_is_refused_to_everybody_else(household, method, path, role):
    row = ROWS[method, path]

    answer = ask(household.by_role[role], method, path, str(household.owner.account.public_id), row.body(household))

    assert (answer.status_code, answer.json()["code"]) == (403, 40302 if role is Role.IAC else 40301)


@each_route
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer x"}])
def test_without_a_good_token_it_is_40101(api, method, path, headers):
    answer = api.client.request(method, path, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, 40101)


def test_no_route_of_the_app_is_missing_from_this_table():
    found = {
        (method, context.path)
        for context in iter_route_contexts(routes().routes)
        for method in context.methods
        if method != "HEAD" and context.path != "/openapi.json" and not context.path.startswith(OF_EDGES)
    }

    assert found == set(ROWS) | WITHOUT_TOKEN


@pytest.mark.parametrize("state", [AccountState.PENDING, AccountState.REJECTED, AccountState.SUSPENDED])
def test_an_account_that_may_not_send_may_still_read(api, state):
    tenant = api.tenant(state=state)

    assert tenant.get("/api/v1/analysis/summary").status_code == 200
    assert tenant.get("/oauth/me").json()["state"] == state


def test_a_summary_counts_the_askers_account_only(api):
    tenant = api.tenant()
    tenant.get("/api/v1/analysis/summary")

    assert [account for account, _, _ in api.store.asked] == [tenant.account.number]
