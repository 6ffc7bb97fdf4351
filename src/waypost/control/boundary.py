"""Where refusals and faults become HTTP: the one translation, and what holds for every body that comes in."""

import logging
import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from waypost.control.errors import (
    MAX_BODY_BYTES,
    MAX_STRANGERS_BODY_BYTES,
    BearerInvalidError,
    BodyTooLargeError,
    Code,
    ControlError,
    LaterError,
)
from waypost.control.oauth.bearer import bearer_token
from waypost.control.rules import broken_rules, sentence
from waypost.db import UNAVAILABLE
from waypost.fleet.courier import SEGMENT_BYTES_MAX
from waypost.store.errors import StoreError

_log = logging.getLogger(__name__)

# Where edges hand over segments: larger than any message, and only for those who have a credential.
_SEGMENTS = "/internal/spool/"
# Edges have credentials of their own, which are looked at before a body is.
_INTERNAL = "/internal/"

# What the framework itself refuses. 401 is HTTPBasic's, for credentials that are not base64 or hold no colon.
_OF_FRAMEWORK: Mapping[int, tuple[Code, str]] = MappingProxyType(
    {
        400: (Code.BODY_MALFORMED, "the request body is not JSON in UTF-8"),
        401: (Code.CREDENTIALS_INVALID, "bad credentials: Authorization: Basic takes base64(key:secret)"),
        404: (Code.NO_SUCH_PATH, "there is nothing at this path"),
        405: (Code.METHOD_NOT_ALLOWED, "this path does not take this method"),
    }
)
# RFC 9110, section 11.6.1: a 401 says how to do better.
_CHALLENGES: Mapping[Code, str] = MappingProxyType(
    {
        Code.BEARER_INVALID: "Bearer",
        Code.CREDENTIALS_INVALID: 'Basic realm="waypost", charset="UTF-8"',
        Code.REFRESH_TOKEN_INVALID: 'Basic realm="waypost", charset="UTF-8"',
    }
)


def install(app: FastAPI) -> None:
    """Give every refusal and every fault the body `{code, message}`, and limit bodies."""
    app.add_exception_handler(ControlError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _framework)
    for unavailable in (StoreError, *UNAVAILABLE):
        app.add_exception_handler(unavailable, _unavailable)
    app.add_exception_handler(Exception, _fault)
    app.add_middleware(JsonWhatever)
    app.add_middleware(BodyLimit)


class JsonWhatever:
    """ASGI middleware: a body is JSON, whatever `Content-Type` says; `curl --data` says that it is a form.

    Nothing else is taken anyway, and no page in a browser can have another's session abused: that is a bearer token.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Do nothing yet."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on without the header, which the framework takes for JSON."""
        if scope["type"] == "http":
            scope = {**scope, "headers": [each for each in scope["headers"] if each[0] != b"content-type"]}
        await self._app(scope, receive, send)


class BodyLimit:
    """ASGI middleware: refuses a body over the limit, as soon as that is known.

    Ten megabytes are read only from who has an access token: a thousand connections of strangers would fill the memory.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Do nothing yet."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a `receive` that counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        allowance = _Allowance(scope)
        declared = dict(scope["headers"]).get(b"content-length", b"")
        if declared.isdigit() and (refused := allowance.refusal_of(int(declared))):
            await refusal(refused)(scope, receive, send)
            return
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if refused := allowance.refusal_of(received):
                raise _RefusedBody(refused)
            return message

        await self._app(scope, counting, send)


class _RefusedBody(HTTPException):
    """An HTTPException, because FastAPI takes any other for a body that cannot be parsed."""

    def __init__(self, refused: ControlError) -> None:
        super().__init__(refused.code.status)
        self.refused = refused


class _Allowance:
    """How much of a request's body is read. Whether a token comes with it is looked at once, when it is large."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._limit = SEGMENT_BYTES_MAX if scope["path"].startswith(_SEGMENTS) else MAX_BODY_BYTES
        self._strangers = not scope["path"].startswith(_INTERNAL)

    def refusal_of(self, size: int) -> ControlError | None:
        """Why a body of so many bytes is not read; None: it is."""
        if size > self._limit:
            return BodyTooLargeError(self._limit)
        if self._strangers and size > MAX_STRANGERS_BODY_BYTES:
            if not _has_token(self._scope):
                return BearerInvalidError()
            self._strangers = False
        return None


def _has_token(scope: Scope) -> bool:
    """Whether an access token of ours comes with it; that its session has not ended is looked at later."""
    headers = Headers(scope=scope)
    token = bearer_token(headers.get("authorization")) or bearer_token(headers.get("authentication"))
    keys = scope["app"].state.control.signing_keys
    try:
        return token is not None and keys.verify(token) is not None
    except UNAVAILABLE:
        return True  # the route will say what is the matter


def _answer(
    code: Code,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,  # noqa: ANN401 - any JSON
) -> JSONResponse:
    challenge = {"WWW-Authenticate": _CHALLENGES[code]} if code in _CHALLENGES else {}
    return JSONResponse(
        {"code": int(code), "message": message, **more}, code.status, headers={**challenge, **(headers or {})}
    )


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ControlError)  # noqa: S101 - registered for this type only
    return refusal(error)


def refusal(error: ControlError) -> JSONResponse:
    """The answer to a request that is refused."""
    headers = {"Retry-After": str(error.retry_after_seconds)} if isinstance(error, LaterError) else None
    return _answer(error.code, str(error), headers=headers)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type only
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return _answer(*_OF_FRAMEWORK[400])
    if any(problem["loc"][0] == "path" for problem in problems):
        # An id that cannot be one names nothing.
        return _answer(Code.NO_SUCH_OBJECT, "there is no such object")
    broken = broken_rules(problems)
    return _answer(Code.FIELD_INVALID, sentence(broken), errors=broken)


async def _framework(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
    if isinstance(error, _RefusedBody):
        return refusal(error.refused)
    return _answer(*_OF_FRAMEWORK[error.status_code], headers=error.headers)


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    _log.error("a request failed: %s", error, exc_info=error)
    if isinstance(error, StoreError):
        return _answer(Code.STORE_UNAVAILABLE, "the event store cannot be asked now: try again later")
    return _answer(Code.DATABASE_UNAVAILABLE, "the control database cannot be asked now: try again later")


async def _fault(_request: Request, error: Exception) -> JSONResponse:
    fault_id = secrets.token_hex(6)
    _log.error("fault %s: a request failed with %s", fault_id, type(error).__name__, exc_info=error)
    return _answer(Code.INTERNAL, f"something went wrong here; it has been noted as fault {fault_id}")
