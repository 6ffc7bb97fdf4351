"""A route for most of the requests there are, which reads them without FastAPI's dependencies.

Solving those takes the event loop about as long as all else it does for a send. What a request is refused for is said
by FastAPI all the same: a request that is not as it should be goes the usual way. So does one whose session, as an
earlier request found it, is not confirmed by the transaction that does what it asks.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec
from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from waypost.control.context import sending_parts_of
from waypost.control.errors import UnconfirmedError
from waypost.control.idempotency import KEY
from waypost.control.oauth.bearer import is_allowed, require
from waypost.control.oauth.service import principal_of, unconfirmed_principal_of
from waypost.control.permissions import Permission

_BEARER = "Bearer "


def direct_route(model: type[BaseModel], permission: Permission) -> type[APIRoute]:
    """A route class for `async def (control, principal, body, idempotency_key) -> Response`.

    Args:
        model: of the body.
        permission: what the role of the principal must have.
    """

    class DirectRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            usual = super().get_route_handler()
            endpoint: Callable[..., Awaitable[Response]] = self.endpoint

            async def handle(request: Request) -> Response:
                headers = request.headers
                authorization, key = headers.get("authorization", ""), headers.get("idempotency-key")
                if not authorization.startswith(_BEARER) or (key is not None and not KEY.fullmatch(key)):
                    return await usual(request)
                received = await request.body()  # kept in the request: the usual way finds it there
                try:
                    said = msgspec.json.decode(received)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    return await usual(request)
                control = sending_parts_of(request)
                token = authorization.removeprefix(_BEARER).strip()
                principal = unconfirmed_principal_of(control, token)
                if principal is None or not (principal.is_approved and is_allowed(principal, permission)):
                    principal = await principal_of(control, token)
                    require(principal, permission)
                try:
                    body = model.model_validate(said)
                except ValidationError:
                    return await usual(request)
                try:
                    return await endpoint(control, principal, body, key)
                except UnconfirmedError:  # nothing else: what has been done must not be done once more
                    return await usual(request)

            return handle

    return DirectRoute
