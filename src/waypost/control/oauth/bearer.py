"""Who may use a route: the one place that reads access tokens."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from waypost.control.context import SenderParts
from waypost.control.errors import BearerInvalidError, OperatorsOnlyError, RoleForbidsError
from waypost.control.oauth.service import Principal, principal_of
from waypost.control.permissions import PERMISSIONS, Permission

_BEARER = HTTPBearer(auto_error=False, bearerFormat="JWT", description="An access token of `POST /oauth/token`.")
_PREFIX = "bearer "


async def _authenticated(
    control: SenderParts,
    authorization: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    authentication: Annotated[
        str | None, Header(description="Read like `Authorization` when that is absent: SMTPD's docs name it so.")
    ] = None,
) -> Principal:
    if authorization is not None:
        return await principal_of(control, authorization.credentials)
    if (token := bearer_token(authentication)) is not None:
        return await principal_of(control, token)
    raise BearerInvalidError


def bearer_token(said: str | None) -> str | None:
    """What such a header holds after `Bearer`, in any letter case; None: there is none, or of another scheme."""
    if said is None or not said.lower().startswith(_PREFIX):
        return None
    return said[len(_PREFIX) :].strip()


def is_allowed(principal: Principal, *needed: Permission) -> bool:
    """Whether the principal's role has one of these."""
    return not PERMISSIONS[principal.role].isdisjoint(needed)


def require(principal: Principal, *needed: Permission) -> None:
    """Stop here unless the principal's role has one of these.

    Raises:
        RoleForbidsError: it has none.
    """
    if not is_allowed(principal, *needed):
        raise RoleForbidsError(principal.role, *needed)


def _allowed(*needed: Permission) -> Callable[[Principal], Awaitable[Principal]]:
    """One of these is enough."""

    # Not for I/O: FastAPI would take a thread for it otherwise.
    async def check(principal: Annotated[Principal, Depends(_authenticated)]) -> Principal:
        require(principal, *needed)
        return principal

    return check


async def _operator(principal: Annotated[Principal, Depends(_allowed(Permission.MANAGE))]) -> Principal:
    if not principal.account.is_operator:
        raise OperatorsOnlyError
    return principal


Anyone = Annotated[Principal, Depends(_authenticated)]
"""Any good access token."""
Sender = Annotated[Principal, Depends(_allowed(Permission.SEND))]
"""One whose role may send."""
Reader = Annotated[Principal, Depends(_allowed(Permission.READ))]
"""One whose role may read."""
Blocker = Annotated[Principal, Depends(_allowed(Permission.BLOCK))]
"""One whose role may switch links off."""
Eraser = Annotated[Principal, Depends(_allowed(Permission.ERASE))]
"""One whose role may erase recipients."""
Manager = Annotated[Principal, Depends(_allowed(Permission.MANAGE))]
"""One whose role may manage profiles and keys."""
ProfileReader = Annotated[Principal, Depends(_allowed(Permission.READ, Permission.MANAGE))]
"""One whose role may look at profiles."""
Operator = Annotated[Principal, Depends(_operator)]
"""Who decides on accounts: a managing key of an operator's account."""
