"""The API as one of several processes has it: it takes messages in, and the core answers everything else.

Taking messages in is what an install does hundreds of times a second, and it needs the control database alone. All else
there is one of stays in the core: the event store, what counts failed logins, the snapshot, metrics.
"""

from collections.abc import Callable
from typing import Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from waypost.control import boundary
from waypost.control.context import SendingParts
from waypost.control.oauth.sessions import Sessions
from waypost.control.oauth.signing import SigningKeys
from waypost.control.sends.acceptance import Acceptance
from waypost.control.sends.sending import router
from waypost.control.sources import SYSTEM, Sources
from waypost.db import ControlKey, Database
from waypost.links.keyring import Keyring

OWN_ROUTES: Final = frozenset(
    (method, route.path) for route in router.routes if isinstance(route, APIRoute) for method in route.methods or ()
)
"""What a worker answers, as (method, path)."""


class WorkerApi:
    """An ASGI app.

    Args:
        database: prepared for this release (`waypost.control.install.join_install`).
        keyring: the newest one, to recognise our own links in what is sent.
        control_key: opens the keys that sign access tokens.
        forward: has the core answer.
        sources: clock and randomness.
    """

    def __init__(
        self,
        database: Database,
        keyring: Callable[[], Keyring],
        control_key: ControlKey,
        forward: ASGIApp,
        sources: Sources = SYSTEM,
    ) -> None:
        self._sending = FastAPI(openapi_url=None, redirect_slashes=False, strict_content_type=False)
        self._sending.include_router(router)
        boundary.install(self._sending)
        self._sending.state.control = SendingParts(
            database=database,
            signing_keys=SigningKeys(database, control_key, sources),
            sessions=Sessions(database),
            acceptance=Acceptance(database, sources, keyring),
            sources=sources,
        )
        self._forward = forward

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or have it answered."""
        app = self._sending if (scope["method"], scope["path"]) in OWN_ROUTES else self._forward
        await app(scope, receive, send)
