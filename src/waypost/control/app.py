"""The HTTP API, put together."""

from collections.abc import Callable

from fastapi import FastAPI

from waypost import __version__
from waypost.config import Settings
from waypost.control import boundary
from waypost.control.accounts.routes import router as accounts
from waypost.control.analysis.routes import router as analysis
from waypost.control.blocks.routes import router as blocks
from waypost.control.context import ClientOf, Control, EventReader, Fleet, connected
from waypost.control.edges.routes import router as edges
from waypost.control.erasures.routes import router as erasures
from waypost.control.keys.routes import router as keys
from waypost.control.limits import Limits
from waypost.control.links.routes import router as links
from waypost.control.metrics.routes import router as metrics_route
from waypost.control.oauth.routes import router as oauth
from waypost.control.oauth.sessions import Sessions
from waypost.control.oauth.signing import SigningKeys
from waypost.control.operators.routes import router as operators
from waypost.control.profiles.routes import routers as profiles
from waypost.control.responses import ErrorBody
from waypost.control.sends.acceptance import Acceptance
from waypost.control.sends.routes import router as sends
from waypost.control.sends.sending import router as sending
from waypost.control.sources import SYSTEM, Sources
from waypost.control.webhooks.routes import router as webhooks
from waypost.db import ControlKey, Database
from waypost.links.keyring import Keyring

_DESCRIPTION = """
Send mail with tracked links, and read who clicked what. Compatible with SMTPD's API; what we add is marked *extension*.

Get an access token at `POST /oauth/token`, then send it as `Authorization: Bearer …`. It may do what the role of its
API key may: `NewApiKey` says what that is. Times are unix seconds unless a field says otherwise. Every error is
`{code, message}`: the HTTP status, then two digits, and a sentence.
"""


def routes() -> FastAPI:
    """The API without the parts behind it: enough for its OpenAPI document."""
    app = FastAPI(
        title="Waypost",
        version=__version__,
        description=_DESCRIPTION.strip(),
        docs_url=None,  # they would load scripts from another company's servers
        redoc_url=None,
        redirect_slashes=False,  # a redirected POST loses its body in many clients
        # No body has a Content-Type by now (boundary.JsonWhatever).
        strict_content_type=False,
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
        # Any other refusal. Without it FastAPI would document its own 422, which is never given.
        responses={"default": {"model": ErrorBody, "description": "Refused, or failed."}},
    )
    # A path is looked for in this order, and most requests are sends.
    known = (sending, sends, oauth, accounts, keys, *profiles, links, blocks, webhooks, analysis, erasures, operators)
    for router in (*known, metrics_route, edges):
        app.include_router(router)
    boundary.install(app)
    return app


def create_app(
    settings: Settings,
    *,
    database: Database,
    store: EventReader,
    keyring: Callable[[], Keyring],
    control_key: ControlKey,
    sources: Sources = SYSTEM,
    fleet: Fleet | None = None,
    client_of: ClientOf = connected,
    metrics: Callable[[], bytes] = bytes,
) -> FastAPI:
    """The API, ready to be served.

    Args:
        settings: of this process.
        database: migrated (`waypost.control.install.open_install`).
        store: an open `waypost.store.EventStore`.
        keyring: the newest one, to recognise our own links in what is sent.
        control_key: opens the keys that sign access tokens, and seals new DKIM keys.
        sources: clock and randomness.
        fleet: what edges on machines of their own need; None: they are not served.
        client_of: who a request comes from, behind TLS fronts.
        metrics: of this process, in Prometheus' text format; blocks.

    Raises:
        ControlKeyError: `control_key` is not the one this database was used with.
    """
    app = routes()
    signing_keys = SigningKeys(database, control_key, sources)
    signing_keys.prepare()
    limits = Limits(sources.now)
    app.state.control = Control(
        database=database,
        signing_keys=signing_keys,
        sessions=Sessions(database),
        acceptance=Acceptance(database, sources, keyring),
        sources=sources,
        settings=settings,
        store=store,
        keyring=keyring,
        control_key=control_key,
        limits=limits,
        client_of=client_of,
        fleet=fleet,
        metrics=metrics,
    )
    return app
