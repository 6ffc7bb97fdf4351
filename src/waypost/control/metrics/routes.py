"""`/metrics`: what the core counts. Extension of SMTPD's API."""

from anyio import to_thread
from fastapi import APIRouter, Response

from waypost.control.context import ClientAddress, ControlParts
from waypost.control.errors import Code
from waypost.control.metrics.service import check_operator
from waypost.control.oauth.basic import Credentials, with_credentials
from waypost.control.responses import refusals

_TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
router = APIRouter(tags=["operators"])


@router.get(
    "/metrics",
    response_class=Response,
    responses=refusals(Code.CREDENTIALS_INVALID, Code.ROLE_FORBIDS, Code.OPERATORS_ONLY, Code.TOO_MANY_ATTEMPTS)
    | {200: {"content": {"text/plain": {}}, "description": "Prometheus' text format."}},
)
async def metrics(control: ControlParts, address: ClientAddress, credentials: Credentials) -> Response:
    """Show the core's metrics, for Prometheus: mail, profiles and their checks.

    With an operator's API key of role `read_only`, `standard` or `iac` as Basic credentials, and no access token.
    """
    await with_credentials(control, address, credentials, check_operator)
    return Response(await to_thread.run_sync(control.metrics), media_type=_TEXT_FORMAT)
