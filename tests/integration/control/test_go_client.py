"""SMTPD's official Go client (smtpd-dev/smtpd-go, v0.1), request by request: what it sends, and every field it parses.

It keeps the first refresh token it got, sends its old bearer when it refreshes, writes every field of a request (the
empty ones as ""), and reads a profile from `/setup`. Go's decoder takes a field of another type for an error.
"""

import base64
from dataclasses import dataclass, field

import httpx
import pytest

from waypost.db.states import Role

JSON = "application/json"
TOKEN = {"token_type": str, "access_token": str, "refresh_token": str, "expires_in": int, "scope": [str]}
PROFILE = {
    "profile_id": str,
    "profile_name": str,
    "sending_domain": str,
    "link_domain": str,
    "link_domain_default_redirect": str,
    "bounce_domain": str,
    "state": str,
    "created_at_utc": int,
    "modified_at_utc": int,
}
SETUP = {
    "profile_id": str,
    "profile_name": str,
    "state": str,
    "created_at_utc": int,
    "modified_at_utc": int,
    "dns_records": [{"name": str, "type": str, "value": str, "validation_state": str}],
}
SEND = {
    "send_id": str,
    "send_key": str,
    "sending_profile_id": str,
    "from_email_address": str,
    "from_name": str,
    "recipient_email_address": str,
    "recipient_name": str,
    "subject": str,
    "open_tracking": bool,
    "click_tracking": bool,
    "tags": [str],
    "state": str,
    "state_category": str,
    "created_at_utc": int,
    "modified_at_utc": int,
}
ERROR = {"code": int, "message": str}


def parsed(answer, shape):
    """The fields the client looks at, each of the type it declares."""
    body = answer.json()
    assert_shape(body, shape)
    return body


def assert_shape(value, shape):
    if isinstance(shape, list):
        assert type(value) is list
        for each in value:
            assert_shape(each, shape[0])
    elif isinstance(shape, dict):
        for name, of in shape.items():
            assert name in value, name
            assert_shape(value[name], of)
    else:
        assert type(value) is shape, (value, shape)


@dataclass
class GoClient:
    """What the client remembers between requests."""

    http: httpx.Client
    key: str
    secret: str
    access_token: str = ""
    refresh_token: str = ""
    asked: list = field(default_factory=list)

    def authenticate(self):
        """As before every first request: validate, else refresh, else log in."""
        if self.access_token and self._request("GET", "/oauth/validate", self._bearer()).status_code == 200:
            return None
        if self.refresh_token:
            body = b'{"refresh_token":"%b"}' % self.refresh_token.encode()
            return self._take(self._request("POST", "/oauth/token?grant_type=refresh_token", self._bearer(), body))
        basic = base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()
        answer = self._request("POST", "/oauth/token?grant_type=password", {"Authorization": f"Basic {basic}"}, b"")
        self.refresh_token = answer.json()["refresh_token"]
        return self._take(answer)

    def get(self, path):
        return self._request("GET", path, self._bearer() | {"User-Agent": "smtpd-go/0.1"})

    def post(self, path, body):
        content = httpx.Request("POST", "http://x", json=body).content
        return self._request("POST", path, self._bearer() | {"User-Agent": "smtpd-go/0.1"}, content)

    def _take(self, answer):
        assert answer.status_code == 200, answer.text
        token = parsed(answer, TOKEN)
        self.access_token = token["access_token"]
        return token

    def _bearer(self):
        return {"Authorization": f"Bearer {self.access_token}"}

    def _request(self, method, path, headers, body=None):
        self.asked.append(f"{method} {path}")
        return self.http.request(method, path, content=body, headers=headers | {"Content-Type": JSON})


@pytest.fixture
def clients(api):
    """One with a key that manages, one with a key that sends, of one account."""
    tenant = api.tenant(Role.IAC, link_domain=None)
    sender = api.another_key(tenant.account, Role.STANDARD)
    manages, sends = (GoClient(api.client, key.api_key.key, key.secret) for key in (tenant.key, sender))
    return tenant, manages, sends


def test_it_authenticates_validates_refreshes_creates_a_profile_reads_it_lists_and_sends(api, clients):
    tenant, manages, sends = clients

    first = manages.authenticate()
    assert (first["token_type"], first["expires_in"] > 3000) == ("bearer", True)
    assert manages.authenticate() is None, "the bearer is good"
    api.clock.advance(hours=2)
    refreshed = manages.authenticate()
    assert refreshed["refresh_token"] == first["refresh_token"]
    assert refreshed["access_token"] != first["access_token"]
    assert manages.authenticate() is None
    assert manages.asked == [
        "POST /oauth/token?grant_type=password",
        "GET /oauth/validate",
        "GET /oauth/validate",
        "POST /oauth/token?grant_type=refresh_token",
        "GET /oauth/validate",
    ]

    new = {
        "profile_name": "main",
        "sending_domain": tenant.domain,
        "link_domain": "localhost",
        "link_domain_default_redirect": "",
        "bounce_domain": "",
    }
    answer = manages.post("/api/v1/email/profile", new)
    assert answer.status_code == 202, answer.text
    profile = parsed(answer, PROFILE)
    assert profile | new == profile

    answer = manages.get(f"/api/v1/email/profile/{profile['profile_id']}/setup")
    assert answer.status_code == 200
    assert {name: parsed(answer, PROFILE)[name] for name in PROFILE} == profile
    assert parsed(answer, SETUP)["dns_records"]

    answer = manages.get("/api/v1/email/profile")
    assert answer.status_code == 200, "GetAllProfiles; GetProfileByName asks the same and expects 202: it cannot work"
    assert parsed(answer, [PROFILE]) == [profile]

    sends.authenticate()
    message = {
        "recipient_email_address": "ada@example.com",
        "recipient_name": "",
        "from_email_address": f"shop@{tenant.domain}",
        "from_name": "Shop",
        "reply_to": "",
        "subject": "Hello",
        "content_html": '<a href="https://shop.example/">Shop</a>',
        "content_text": "",
        "open_tracking": True,
        "click_tracking": True,
        "tags": None,
    }
    answer = sends.post("/api/v1/email/send", message)
    assert answer.status_code == 202, answer.text
    send = parsed(answer, SEND)
    assert send["sending_profile_id"] == profile["profile_id"]
    assert send["state"] == send["state_category"] == "accepted"
    assert send["tags"] == []
    for name in ("recipient_email_address", "from_email_address", "from_name", "subject", "open_tracking"):
        assert send[name] == message[name]


def test_it_reads_code_and_message_of_every_refusal(clients):
    tenant, manages, sends = clients
    sends.authenticate()
    manages.authenticate()
    wrong = GoClient(manages.http, manages.key, "wrong")

    refusals = {
        40102: wrong._request("POST", "/oauth/token?grant_type=password", {"Authorization": "Basic eDp5"}, b""),
        40020: sends.post("/api/v1/email/send", tenant.message()),
        40002: manages.post("/api/v1/email/profile", {"profile_name": ""}),
        40402: manages.get("/api/v1/email/profile/01890a5d-ac96-774b-bcce-b302099a8057/setup"),
    }

    for code, answer in refusals.items():
        assert parsed(answer, ERROR)["code"] == code
        assert answer.status_code == code // 100
