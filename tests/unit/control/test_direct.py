"""A direct route answers as any other route does."""

import asyncio
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Response
from pydantic import ValidationError

from waypost.control import boundary
from waypost.control.context import ControlParts
from waypost.control.direct import direct_route
from waypost.control.errors import UnconfirmedError
from waypost.control.fields import RequestModel, Subject
from waypost.control.idempotency import KeyHeader
from waypost.control.oauth.bearer import Sender
from waypost.control.permissions import Permission
from waypost.db.states import AccountState, Role

NOW = datetime(2026, 3, 29, tzinfo=UTC)
SESSIONS = {"sender": UUID(int=1), "reader": UUID(int=2), "revoked": UUID(int=3)}
ROLES = {SESSIONS["sender"]: Role.SEND_ONLY, SESSIONS["reader"]: Role.READ_ONLY}
JSON = {"Content-Type": "application/json"}
SENDER = {"Authorization": "Bearer sender"}
BODY = '{"subject": "Grüße"}'
FAULTY = "what is answered breaks a rule"
DONE = []


class Asked(RequestModel):
    subject: Subject


async def endpoint(
    control: ControlParts, principal: Sender, body: Asked, idempotency_key: KeyHeader = None
) -> Response:
    if principal.unconfirmed not in {None, *ROLES}:
        raise UnconfirmedError
    DONE.append(body.subject)
    if body.subject == FAULTY:
        Asked(subject=None)
    return Response(json.dumps([control.settings, principal.role, body.subject, idempotency_key]), 202)


def verify(token):
    return {"sid": str(SESSIONS[token]), "exp": NOW.timestamp()} if token in SESSIONS else None


async def find(session_id):
    return as_found(ROLES.get(session_id))


def as_found(role, state=AccountState.APPROVED):
    return role and (SimpleNamespace(role=role), SimpleNamespace(state=state))


KNOWN = {
    "nothing is known": lambda _: None,
    "known as it is, the revoked one as it was": lambda session_id: as_found(ROLES.get(session_id, Role.SEND_ONLY)),
    "known of before the account was approved": lambda _: as_found(Role.SEND_ONLY, AccountState.PENDING),
}


@pytest.fixture(scope="module", params=KNOWN.values(), ids=KNOWN)
def app(request):
    made = FastAPI(strict_content_type=False)
    boundary.install(made)
    made.post("/usual")(endpoint)
    made.router.add_api_route(
        "/direct", endpoint, methods=["POST"], route_class_override=direct_route(Asked, Permission.SEND)
    )
    made.state.control = SimpleNamespace(
        settings="these",
        signing_keys=SimpleNamespace(verify=verify),
        sessions=SimpleNamespace(find=find, found_before=request.param),
        sources=SimpleNamespace(now=lambda: NOW),
    )
    return made


def post(app, path, headers, content):
    async def answer():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
            return await client.post(path, headers=headers, content=content)

    return asyncio.run(answer())


@pytest.mark.parametrize(
    ("status", "headers", "content"),
    [
        pytest.param(202, SENDER | JSON, BODY, id="as nearly all are"),
        pytest.param(202, SENDER, BODY, id="no content type"),
        pytest.param(202, SENDER | {"Content-Type": "application/json; charset=utf-8"}, BODY, id="a charset"),
        pytest.param(202, SENDER | JSON, BODY.encode("utf-16"), id="UTF-16"),
        pytest.param(202, {"Authorization": "bearer  sender "}, BODY, id="the scheme in small letters"),
        pytest.param(202, {"Authentication": "Bearer sender"} | JSON, BODY, id="SMTPD's other header"),
        pytest.param(202, SENDER | JSON | {"Idempotency-Key": "k" * 255}, BODY, id="the longest key"),
        pytest.param(400, SENDER | JSON | {"Idempotency-Key": "k" * 256}, BODY, id="a key too long"),
        pytest.param(400, SENDER | JSON | {"Idempotency-Key": ""}, BODY, id="an empty key"),
        pytest.param(400, SENDER | JSON | {"Idempotency-Key": "a b"}, "{}", id="a bad key, and a field missing"),
        pytest.param(202, SENDER | {"Content-Type": "text/plain"}, BODY, id="not said to be JSON"),
        pytest.param(400, SENDER | JSON, "{", id="not JSON"),
        pytest.param(400, SENDER | JSON, "[" * 100_000, id="nested too deep"),
        pytest.param(400, SENDER | JSON, "[]", id="no object"),
        pytest.param(400, SENDER | JSON, "", id="no body"),
        pytest.param(400, SENDER | JSON, '{"subject": 7}', id="of the wrong type"),
        pytest.param(400, SENDER | JSON, '{"subject": "a\\nb"}', id="against a rule"),
        pytest.param(401, JSON, BODY, id="nobody"),
        pytest.param(401, {"Authorization": "Bearer "} | JSON, BODY, id="no token"),
        pytest.param(401, {"Authorization": "Basic c2VuZGVy"} | JSON, BODY, id="another scheme"),
        pytest.param(401, {"Authorization": "Bearer stranger"} | JSON, BODY, id="not a token of ours"),
        pytest.param(401, {"Authorization": "Bearer revoked"} | JSON, BODY, id="revoked"),
        pytest.param(401, {"Authorization": "Bearer revoked"} | JSON, "{}", id="revoked, and a field missing"),
        pytest.param(403, {"Authorization": "Bearer reader"} | JSON, BODY, id="a role that may not"),
    ],
)
def test_a_request_is_answered_as_by_any_other_route(app, status, headers, content):
    direct, usual = (post(app, path, headers, content) for path in ("/direct", "/usual"))

    assert direct.status_code == status, direct.text
    assert (direct.status_code, direct.content, direct.headers) == (usual.status_code, usual.content, usual.headers)


def test_a_usual_request_is_read_without_dependencies(app, monkeypatch):
    async def unwanted() -> None:
        raise AssertionError

    for dependency in {each.call for each in app.router.routes[-1].dependant.dependencies}:
        monkeypatch.setitem(app.dependency_overrides, dependency, unwanted)

    assert post(app, "/direct", SENDER | JSON, BODY).status_code == 202
    with pytest.raises(AssertionError):
        post(app, "/usual", SENDER | JSON, BODY)


def test_what_is_done_and_then_cannot_be_answered_is_not_done_once_more(app):
    DONE.clear()
    with pytest.raises(ValidationError):
        post(app, "/direct", SENDER | JSON, json.dumps({"subject": FAULTY}))
    assert DONE == [FAULTY]
