"""`/oauth`: logging in with an API key."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Response

from waypost.control.context import ClientAddress, ControlParts
from waypost.control.errors import Code, InvalidFieldError, UnsupportedGrantError
from waypost.control.oauth.basic import Credentials, with_credentials
from waypost.control.oauth.bearer import Anyone
from waypost.control.oauth.schema import KeyOfMe, Me, RefreshGrant, RefreshToken, Revoked, Token, Validity
from waypost.control.oauth.service import Grant, grant_by_password, grant_by_refresh, revoke
from waypost.control.permissions import scope
from waypost.control.responses import NO_STORE, refusals
from waypost.control.times import unix_ms
from waypost.db.states import AccountState

router = APIRouter(prefix="/oauth", tags=["oauth"])


@router.post(
    "/token",
    responses=refusals(
        Code.BODY_MALFORMED, Code.FIELD_INVALID, Code.GRANT_UNSUPPORTED, Code.CREDENTIALS_INVALID,
        Code.REFRESH_TOKEN_INVALID, Code.TOO_MANY_ATTEMPTS,
    ),
)  # fmt: skip
async def token(
    control: ControlParts,
    address: ClientAddress,
    response: Response,
    *,
    grant_type: Annotated[str, Query(description="`password` or `refresh_token`.")],
    credentials: Credentials,
    body: RefreshGrant | None = None,
) -> Token:
    """Get an access token.

    `password`: with the API key and its secret as Basic credentials, or the account's e-mail address and password,
    and no body; ends the refresh tokens this key had before. `refresh_token`: with the refresh token in the body;
    answers with the same refresh token, and no live access token is needed. Refused logins are limited: ten in five
    minutes for one key from one address.
    """
    response.headers["Cache-Control"] = NO_STORE  # RFC 6749, section 5.1
    match grant_type:
        case "password":
            return _token(await with_credentials(control, address, credentials, grant_by_password))
        case "refresh_token":
            if body is None or body.refresh_token is None:
                raise InvalidFieldError("refresh_token", "is required")
            return _token(await to_thread.run_sync(grant_by_refresh, control, body.refresh_token))
    raise UnsupportedGrantError


@router.post("/revoke")
def revoke_token(control: ControlParts, body: RefreshToken) -> Revoked:
    """End a refresh token and the access tokens that came of it."""
    revoke(control, body.refresh_token)
    return Revoked()


@router.get("/validate", responses=refusals(Code.BEARER_INVALID))
def validate(principal: Anyone) -> Validity:
    """Say whether the access token is good: 200, or 401."""
    return Validity(expires_at=unix_ms(principal.expires_at))


@router.get("/me", responses=refusals(Code.BEARER_INVALID))
def me(principal: Anyone) -> Me:
    """Say whom the access token stands for."""
    account, api_key = principal.account, principal.api_key
    return Me(
        account_id=account.public_id,
        name=account.name,
        email=account.email,
        state=account.state,
        state_reason=account.rejected_reason,
        is_account_verified=account.state is AccountState.APPROVED,
        api_key=KeyOfMe(id=api_key.public_id, name=api_key.name, role=api_key.role),
        scope=scope(api_key.role),
    )


def _token(grant: Grant) -> Token:
    return Token(
        access_token=grant.access_token,
        refresh_token=grant.refresh_token,
        expires_in=grant.expires_in_seconds,
        expires_at=unix_ms(grant.expires_at),
        scope=grant.scope,
        Scope=grant.scope,
    )
